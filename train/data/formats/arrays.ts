import { z } from 'zod';
import { UserError } from '../../../schemas/errors.ts';
import { type Dataset, type Split, checkDataset } from '../dataset.ts';
import { findPacked, listFolder, readUnpacked } from './files.ts';
import { keepLabels, numbered, withoutSchema } from './labels.ts';
import { type NumberArray, npySize, readNpy } from './npy.ts';
import { toBytes } from './to-bytes.ts';
import { readZipEntry } from './zip.ts';

const fraction = /^(\d{1,15}(?:\.\d{1,15})?(?:e-?\d{1,2})?)(?:\/(\d{1,15}))?$/;

const arrayOptionsSchema = z.strictObject({
  scale: z
    .string()
    .regex(fraction, 'expected a number above 0 such as 0.25 or 1/255')
    .transform((text) => {
      const [, above, below = '1'] = fraction.exec(text)!;
      return Number(above) / Number(below);
    })
    .pipe(z.number().positive())
    .default(1)
    .meta({ description: 'Value of one unit of a byte: whole numbers are units, floats are values.' }),
  round: z
    .stringbool()
    .default(false)
    .meta({ description: 'Rounds floats to whole units, rather than refuse those between.' }),
  channels: z.enum(['first', 'last']).exactOptional().meta({
    description: 'Where channels stand among the three axes of an image; they are moved to the end.',
  }),
  classes: z
    .string()
    .regex(/^\d{1,3}$/, 'expected a whole number, 1 … 256')
    .transform(Number)
    .pipe(z.int().min(1).max(256))
    .exactOptional()
    .meta({ description: 'Number of classes, left out ones counted; the largest label + 1 unless given.' }),
  without: withoutSchema,
  test: z
    .string()
    .regex(/^[\w-]+$/, 'expected the beginning of a file name, such as validation')
    .exactOptional()
    .meta({ description: 'What files of the test split begin with; test or validation unless given.' }),
});

export const framesOptionsSchema = arrayOptionsSchema.extend({
  channels: arrayOptionsSchema.shape.channels.unwrap().default('first'),
});
export const npyOptionsSchema = arrayOptionsSchema.extend({
  channels: arrayOptionsSchema.shape.channels.unwrap().default('last'),
});

export type ArrayOptions = z.output<typeof framesOptionsSchema>;

/** An array and the name messages call it by. */
interface NamedArray {
  readonly array: NumberArray;
  readonly file: string;
}

async function readNpyFile(file: string): Promise<NamedArray> {
  const bytes = await readUnpacked(file, (head) => npySize(head, file));
  return { array: readNpy(bytes, file), file };
}

async function readNpz(file: string, names: readonly string[]): Promise<NamedArray[]> {
  const bytes = await readUnpacked(file);
  return names.map((name) => {
    const entry = readZipEntry(bytes, file, `${name}.npy`);
    if (entry === undefined)
      throw new UserError(`${file}: has no array ${name}; expected ${names.join(' and ')}`);
    return { array: readNpy(entry, `${file}: ${name}`), file: `${file}: ${name}` };
  });
}

/** Reads the arrays of that name and of labels: two npy files, or one npz. */
async function readPair(folder: string, subject: string, split: Split, test?: string): Promise<NamedArray[]> {
  const present = await listFolder(folder, 'npy files');
  const prefixes = split === 'train' ? ['train.', ''] : test ? [`${test}.`] : ['test.', 'validation.'];
  for (const prefix of prefixes) {
    const [inputs, labels] = [subject, 'labels'].map((name) =>
      findPacked(folder, present, [`${prefix}${name}.npy`]),
    );
    if (inputs !== undefined && labels !== undefined) {
      return [await readNpyFile(inputs), await readNpyFile(labels)];
    }
    const npz = prefix === '' ? undefined : findPacked(folder, present, [`${prefix}npz`]);
    if (npz !== undefined) return readNpz(npz, [subject, 'labels']);
  }
  const [prefix] = prefixes;
  throw new UserError(
    `${folder}: has no ${split} split: expected ${prefix}${subject}.npy and ${prefix}labels.npy, with or without .gz, ` +
      `or ${prefix}npz of both`,
  );
}

/** @throws UserError for labels that are none, or not one per example */
function readLabels({ array, file }: NamedArray, count: number, classes?: number): Uint8Array {
  const { shape, strides, at } = array;
  if (shape.length !== 1 || shape[0] !== count) {
    throw new UserError(
      `${file}: has shape (${shape.join(', ')}); expected one label per example, (${count})`,
    );
  }
  return Uint8Array.from({ length: count }, (_, example) => {
    const label = at(example * strides[0]!);
    if (Number.isInteger(label) && label >= 0 && label < (classes ?? 256)) return label;
    throw new UserError(
      `${file}: label ${label} of example ${example}; expected 0 … ${(classes ?? 256) - 1}`,
    );
  });
}

async function openArrays(
  kind: 'frames' | 'npy',
  folder: string,
  split: Split,
  options: ArrayOptions,
): Promise<Dataset> {
  const name = `${kind}:${folder} ${split}`;
  const hasSteps = kind === 'frames';
  const [inputs, labelled] = (await readPair(
    folder,
    hasSteps ? 'frames' : 'inputs',
    split,
    options.test,
  )) as [NamedArray, NamedArray];
  const { shape } = inputs.array;
  const axes = hasSteps ? 3 : 2;
  if (shape.length < axes || shape.includes(0)) {
    throw new UserError(
      `${inputs.file}: has shape (${shape.join(', ')}); expected examples${hasSteps ? ', steps of time' : ''} and ` +
        `${axes} axes or more, none of size 0`,
    );
  }
  const all = readLabels(labelled, shape[0]!, options.classes);
  const classes = options.classes ?? all.reduce((largest, label) => Math.max(largest, label), 0) + 1;
  const kept = keepLabels(numbered(classes), options.without ?? [], name);
  const examples = Uint32Array.from(all.keys()).filter((example) => kept.labels[all[example]!]! >= 0);

  const order = Array.from(shape.keys());
  const axesOfOne = order.slice(axes - 1);
  // (channels, rows, columns) becomes (rows, columns, channels).
  if (options.channels === 'first' && axesOfOne.length === 3) order.push(...order.splice(axes - 1, 1));
  return checkDataset({
    name,
    inputs: toBytes(inputs.array, order, examples, options, inputs.file),
    shape: order.slice(axes - 1).map((axis) => shape[axis]!),
    ...(hasSteps && { steps: shape[1]! }),
    scale: options.scale,
    labels: Uint8Array.from(examples, (example) => kept.labels[all[example]!]!),
    count: examples.length,
    classes: kept.classNames.length,
    classNames: kept.classNames,
  });
}

/**
 * Opens one split of a folder of frames over time: `train.frames.npy` of (examples, steps, …) and
 * `train.labels.npy`, or `train.npz` of both; `test.…` or `validation.…`; each may be packed (`.gz`).
 * Frames of (channels, rows, columns) become (rows, columns, channels).
 *
 * @throws UserError where a file is missing, damaged or does not fit the other.
 */
export const frames = (folder: string, split: Split, options: ArrayOptions): Promise<Dataset> =>
  openArrays('frames', folder, split, options);

/**
 * Opens one split of a folder of arrays without time: `train.inputs.npy` of (examples, …) and `train.labels.npy`,
 * or `inputs.npy` and `labels.npy` where there is one split; else as `frames`.
 *
 * @throws UserError where a file is missing, damaged or does not fit the other.
 */
export const npy = (folder: string, split: Split, options: ArrayOptions): Promise<Dataset> =>
  openArrays('npy', folder, split, options);
