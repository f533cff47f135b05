import { UserError } from '../../../schemas/errors.ts';
import { type Dataset, type Split, checkDataset } from '../dataset.ts';
import { findPacked, listFolder, readPlainFile, readUnpacked, requirePacked, textOf } from './files.ts';

const side = 32;
const colours = 3;
const plane = side * side;
const imageSize = colours * plane;

/** One label byte, then the red, green and blue planes. */
const recordSize = 1 + imageSize;

const classNames = 'airplane automobile bird cat deer dog frog horse ship truck'.split(' ');

/** The files of a split, in order. */
function findBatches(folder: string, present: readonly string[], split: Split): string[] {
  if (split === 'test') return [requirePacked(folder, present, ['test_batch.bin', 'test.bin'])];
  const numbers = present
    .map((name) => /^data_batch_([1-9]\d{0,3})\.bin(\.gz)?$/.exec(name)?.[1])
    .filter((number) => number !== undefined);
  const batches = [...new Set(numbers)].sort((a, b) => Number(a) - Number(b));
  return batches.length > 0
    ? batches.map((number) => requirePacked(folder, present, [`data_batch_${number}.bin`]))
    : [requirePacked(folder, present, ['data_batch_1.bin', 'train.bin'])];
}

/** The names in `batches.meta.txt`, one a line. */
function readNames(bytes: Uint8Array, file: string): string[] {
  const names = textOf(bytes, file)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (names.length === classNames.length) return names;
  throw new UserError(`${file}: has ${names.length} names; expected ${classNames.length}, one a line`);
}

/** Checks one unpacked file. @returns its number of images @throws UserError for what is not CIFAR-10 */
function countImages(bytes: Uint8Array, file: string): number {
  if (bytes.length === 0 || bytes.length % recordSize !== 0) {
    throw new UserError(
      `${file}: has ${bytes.length} bytes; expected a multiple of ${recordSize}, a label and an image of CIFAR-10 each; download it again`,
    );
  }
  for (let start = 0; start < bytes.length; start += recordSize) {
    if (bytes[start]! >= classNames.length) {
      throw new UserError(
        `${file}: byte ${start}: label ${bytes[start]} of image ${start / recordSize}; expected 0 … ${classNames.length - 1}`,
      );
    }
  }
  return bytes.length / recordSize;
}

/** Copies an image of three planes to one of three colours a pixel. */
function interleave(planes: Uint8Array, from: number, image: Uint8Array, to: number): void {
  for (let colour = 0; colour < colours; colour++) {
    const start = from + colour * plane;
    for (let pixel = 0; pixel < plane; pixel++) {
      image[to + pixel * colours + colour] = planes[start + pixel]!;
    }
  }
}

/**
 * Opens one split of a folder of the binary version of CIFAR-10: `data_batch_1.bin` and on, or `train.bin`;
 * `test_batch.bin` or `test.bin`; each may be packed (`.gz`). Shape [32, 32, 3]; values are byte / 255.
 *
 * @throws UserError where a file is missing or damaged.
 */
export async function cifar10(folder: string, split: Split): Promise<Dataset> {
  const present = await listFolder(folder, 'CIFAR-10 files');
  const batches: { bytes: Uint8Array; count: number }[] = [];
  for (const file of findBatches(folder, present, split)) {
    const bytes = await readUnpacked(file);
    batches.push({ bytes, count: countImages(bytes, file) });
  }
  const meta = findPacked(folder, present, ['batches.meta.txt']);

  const count = batches.reduce((sum, batch) => sum + batch.count, 0);
  const inputs = new Uint8Array(count * imageSize);
  const labels = new Uint8Array(count);
  let image = 0;
  for (const batch of batches) {
    for (let record = 0; record < batch.count; record++, image++) {
      labels[image] = batch.bytes[record * recordSize]!;
      interleave(batch.bytes, record * recordSize + 1, inputs, image * imageSize);
    }
  }
  return checkDataset({
    name: `cifar10:${folder} ${split}`,
    inputs,
    shape: [side, side, colours],
    scale: 1 / 255,
    labels,
    count,
    classes: classNames.length,
    classNames: meta === undefined ? classNames : readNames(await readPlainFile(meta), meta),
  });
}
