import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { UserError, reasonOf } from '../../../schemas/errors.ts';
import type { Split } from '../dataset.ts';
import type { Recordings } from '../recordings.ts';
import { listFolder, requirePacked } from './files.ts';
import { parseHeldOut, splitRecordings } from './held-out.ts';
import { readSpikes } from './shd-thread.ts';

export const shdOptionsSchema = z.strictObject({
  test: z
    .string()
    .refine(
      (text) => /^(test|valid)$/.test(text) || parseHeldOut(text) !== undefined,
      'expected a property and its values, such as recording:5-9 or speaker:4,7-8; or valid for a folder',
    )
    .exactOptional()
    .meta({
      description:
        'What the test split is: of one file, the recordings with these values of a property; of a folder, test or valid.',
    }),
});

export type ShdOptions = z.output<typeof shdOptionsSchema>;

/** The file of a split of a folder such as `shd_train.h5`. */
async function fileIn(folder: string, kind: string, split: Split, test: string): Promise<string> {
  const part = split === 'train' ? 'train' : test;
  return requirePacked(folder, await listFolder(folder, `${kind} files`), [`${kind}_${part}.h5`]);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw new UserError(
      `${path}: cannot be read: ${reasonOf(cause)}; name an HDF5 file or a folder of them`,
      {
        cause,
      },
    );
  }
}

async function openSpikes(
  kind: 'shd' | 'ssc',
  fewestClasses: number,
  path: string,
  split: Split,
  { test }: ShdOptions,
): Promise<Recordings> {
  const name = `${kind}:${path} ${split}`;
  const open = (file: string): Promise<Recordings> => readSpikes({ file, name, fewestClasses });
  const heldOut = test === undefined ? undefined : parseHeldOut(test);
  if (await isFolder(path)) {
    if (heldOut === undefined) return open(await fileIn(path, kind, split, test ?? 'test'));
    throw new UserError(
      `data ${name}: test=${test}: holds out a part of one file; name the file, not a folder`,
    );
  }
  if (heldOut !== undefined) return splitRecordings(await open(path), heldOut, split);
  if (split === 'train' && test === undefined) return open(path);
  throw new UserError(
    `data ${name}: one file has no test split; hold out a part such as ${kind}:${path}?test=recording:5-9, or name a ` +
      `folder with ${kind}_train.h5 and ${kind}_${test ?? 'test'}.h5`,
  );
}

/**
 * Opens one split of the Spiking Heidelberg Digits, or spikes in their layout: HDF5 with `spikes/times` (seconds),
 * `spikes/units` (0 … 699), `labels`, and `extra/keys` with names; packed by gzip (`.gz`) or not. From a folder of
 * `shd_train.h5` and `shd_test.h5`, or one file of which `test` is held out.
 *
 * Shape [700]; properties: every dataset in `extra` with one number per recording, such as `speaker`.
 *
 * @throws UserError where a file is missing or damaged.
 */
export const shd = (path: string, split: Split, options: ShdOptions): Promise<Recordings> =>
  openSpikes('shd', 20, path, split, options);

/** The Spiking Speech Commands, as `shd`: `ssc_train.h5`, `ssc_test.h5` and `ssc_valid.h5`. */
export const ssc = (path: string, split: Split, options: ShdOptions): Promise<Recordings> =>
  openSpikes('ssc', 35, path, split, options);
