import { z } from 'zod';
import { UserError } from '../../schemas/errors.ts';
import { checkOptions } from '../../schemas/layer.ts';
import { didYouMean } from '../../schemas/nearest.ts';
import type { Dataset, Split } from './dataset.ts';
import { frames, framesOptionsSchema, npy, npyOptionsSchema } from './formats/arrays.ts';
import { cifar10 } from './formats/cifar10.ts';
import { dvsGesture, dvsGestureOptionsSchema } from './formats/dvs-gesture.ts';
import { idx } from './formats/idx.ts';
import { nmnist } from './formats/nmnist.ts';
import { shd, shdOptionsSchema, ssc } from './formats/shd.ts';
import { mnist } from './mnist.ts';
import type { Recordings } from './recordings.ts';

/** What a kind of data is opened from: nothing that the user names, a folder, or a file or folder. */
type Place = '' | 'FOLDER' | 'PATH';

/** Opens a split. `text` are the options as they stand in the name of the data. */
type Open<Data> = (path: string, split: Split, text: Record<string, string>, spec: string) => Promise<Data>;

/** How one kind of data is opened, and what comes of it: examples as bytes, or recordings of events. */
type DataKind = {
  readonly place: Place;
  readonly options: z.ZodObject;
} & (
  | { readonly gives: 'examples'; readonly open: Open<Dataset> }
  | { readonly gives: 'recordings'; readonly open: Open<Recordings> }
);

const opening =
  <Options extends z.ZodObject, Data>(
    options: Options,
    open: (path: string, split: Split, options: z.output<Options>) => Promise<Data>,
  ): Open<Data> =>
  async (path, split, text, spec) =>
    open(path, split, checkOptions(options, text, `data ${spec}`));

const examples = <Options extends z.ZodObject>(
  place: Place,
  options: Options,
  open: (path: string, split: Split, options: z.output<Options>) => Promise<Dataset>,
): DataKind => ({ place, options, gives: 'examples', open: opening(options, open) });

const recordings = <Options extends z.ZodObject>(
  place: Place,
  options: Options,
  open: (path: string, split: Split, options: z.output<Options>) => Promise<Recordings>,
): DataKind => ({ place, options, gives: 'recordings', open: opening(options, open) });

const noOptions = z.strictObject({});

const dataKinds: ReadonlyMap<string, DataKind> = new Map([
  ['mnist', examples('', noOptions, (_, split) => mnist(split))],
  ['idx', examples('FOLDER', noOptions, (folder, split) => idx(folder, split))],
  ['cifar10', examples('FOLDER', noOptions, cifar10)],
  ['frames', examples('FOLDER', framesOptionsSchema, frames)],
  ['npy', examples('FOLDER', npyOptionsSchema, npy)],
  ['shd', recordings('PATH', shdOptionsSchema, shd)],
  ['ssc', recordings('PATH', shdOptionsSchema, ssc)],
  ['nmnist', recordings('PATH', noOptions, nmnist)],
  ['dvs-gesture', recordings('FOLDER', dvsGestureOptionsSchema, dvsGesture)],
]);

const specOf = (name: string, { place }: DataKind): string => (place === '' ? name : `${name}:${place}`);

/** The parts of `kind:path?option=value&option=value`. */
interface ParsedSpec {
  readonly kind: DataKind;
  readonly path: string;
  readonly options: Record<string, string>;
}

function parseOptions(text: string, spec: string): Record<string, string> {
  const options = new Map<string, string>();
  for (const part of text.split('&')) {
    const [, name, value] = /^([A-Za-z]\w*)=(.+)$/.exec(part) ?? [];
    if (name === undefined || value === undefined) {
      throw new UserError(`data ${spec}: option '${part}': expected name=value, with & between options`);
    }
    if (options.has(name)) throw new UserError(`data ${spec}: option ${name} is given twice; give it once`);
    options.set(name, value);
  }
  return Object.fromEntries(options);
}

function parseSpec(spec: string): ParsedSpec {
  const [, name = '', path = '', text] = /^([^:?]*):?(.*?)(?:\?([^?]*))?$/s.exec(spec) ?? [];
  const kind = dataKinds.get(name);
  if (kind === undefined) {
    const known = [...dataKinds].map(([name, kind]) => specOf(name, kind)).join(', ');
    throw new UserError(
      `data ${spec}: no such kind of data${didYouMean(name, [...dataKinds.keys()])}; expected one of ${known} (such as idx:data/fashion)`,
    );
  }
  if (kind.place !== '' && path === '') {
    const named = kind.place === 'FOLDER' ? 'folder' : 'file or folder';
    throw new UserError(`data ${spec}: names no ${named}; expected ${specOf(name, kind)}`);
  }
  if (kind.place === '' && path !== '') {
    throw new UserError(
      `data ${spec}: ${name} takes no path; write ${name}, or idx:${path} for files of your own`,
    );
  }
  return { kind, path, options: text === undefined ? {} : parseOptions(text, spec) };
}

/** What the data of that name are: labelled examples as bytes, or recordings of events. @throws UserError for no such kind */
export const givenBy = (spec: string): 'examples' | 'recordings' => parseSpec(spec).kind.gives;

/**
 * Opens data by name, `kind:path?option=value`: `mnist`, or `idx:FOLDER` for files of your own.
 *
 * @throws UserError where there is no such kind or option, or what it names cannot be read.
 */
export async function openDataset(spec: string, split: Split): Promise<Dataset> {
  const { kind, path, options } = parseSpec(spec);
  if (kind.gives === 'examples') return kind.open(path, split, options, spec);
  throw new UserError(
    `data ${spec}: gives recordings of events; expected examples such as mnist or frames:FOLDER`,
  );
}

/**
 * Opens recordings of events by name, such as `shd:FOLDER` or `dvs-gesture:FOLDER?without=10`.
 *
 * @throws UserError where there is no such kind or option, or what it names cannot be read.
 */
export async function openRecordings(spec: string, split: Split): Promise<Recordings> {
  const { kind, path, options } = parseSpec(spec);
  if (kind.gives === 'recordings') return kind.open(path, split, options, spec);
  throw new UserError(`data ${spec}: gives examples, not events; expected recordings such as shd:PATH`);
}
