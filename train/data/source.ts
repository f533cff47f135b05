import { UserError } from '../../schemas/errors.ts';
import type { Dataset, Split } from './dataset.ts';
import { idx } from './idx.ts';
import { mnist } from './mnist.ts';

/** How one kind of data is opened: by itself, or from a folder that the user names. */
type DataKind =
  | { readonly from: 'package'; readonly open: (split: Split) => Promise<Dataset> }
  | { readonly from: 'folder'; readonly open: (folder: string, split: Split) => Promise<Dataset> };

const dataKinds: ReadonlyMap<string, DataKind> = new Map([
  ['mnist', { from: 'package', open: mnist }],
  ['idx', { from: 'folder', open: idx }],
]);

const specOf = (kind: string, { from }: DataKind): string => (from === 'folder' ? `${kind}:FOLDER` : kind);

/**
 * Opens data by name, `kind:path`: `mnist`, or `idx:FOLDER` for files of your own.
 *
 * @throws UserError where there is no such kind, or what it names cannot be read.
 */
export async function openDataset(spec: string, split: Split): Promise<Dataset> {
  const colon = spec.indexOf(':');
  const name = colon < 0 ? spec : spec.slice(0, colon);
  const path = colon < 0 ? '' : spec.slice(colon + 1);
  const kind = dataKinds.get(name);
  if (kind === undefined) {
    const known = [...dataKinds].map(([name, kind]) => specOf(name, kind)).join(', ');
    throw new UserError(
      `data ${spec}: no such kind of data; expected one of ${known} (such as idx:data/fashion)`,
    );
  }
  if (kind.from === 'folder') {
    if (path === '') throw new UserError(`data ${spec}: names no folder; expected ${specOf(name, kind)}`);
    return kind.open(path, split);
  }
  if (path !== '') {
    throw new UserError(
      `data ${spec}: ${name} takes no path; write ${name}, or idx:${path} for files of your own`,
    );
  }
  return kind.open(split);
}
