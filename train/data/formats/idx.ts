import { UserError } from '../../../schemas/errors.ts';
import { type Dataset, type Split, checkDataset } from '../dataset.ts';
import { listFolder, readUnpacked, requirePacked } from './files.ts';
import { longestFile } from './gzip.ts';

/** The one element type read: unsigned bytes. */
const unsignedByte = 0x08;

const mostAxes = 4;

/** Digits, and the ten kinds of clothing of Fashion-MNIST: a small sample may lack the last ones. */
const fewestClasses = 10;

export interface IdxOptions {
  /** Number of classes; the largest label + 1, and at least 10, unless given. */
  readonly classes?: number;
  /** What messages call the data; `idx:DIRECTORY` unless given. */
  readonly name?: string;
}

/** An array of bytes, row-major, as an IDX file holds it. */
export interface IdxArray {
  readonly shape: number[];
  /** product(shape) bytes, a view of the file's. */
  readonly data: Uint8Array;
}

/**
 * Reads the header: two zero bytes, the element type, the number of axes, then each size as a big-endian
 * 32-bit integer. Sizes are not yet compared with what follows.
 */
function readHeader(bytes: Uint8Array, file: string): { shape: number[]; dataStart: number; size: number } {
  const [first, second, type, axes] = bytes;
  if (type === undefined || axes === undefined) {
    throw new UserError(
      `${file}: byte ${bytes.length}: the file ends within the 4 bytes an IDX file begins with`,
    );
  }
  if (first !== 0 || second !== 0 || type !== unsignedByte || axes < 1 || axes > mostAxes) {
    const found = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    throw new UserError(
      `${file}: byte 0: begins ${found}; expected an IDX file of bytes, 00 00 08 and 01..04 (its number of axes)`,
    );
  }
  const dataStart = 4 + 4 * axes;
  if (bytes.length < dataStart) {
    throw new UserError(
      `${file}: byte ${bytes.length}: the file ends within its header; expected ${dataStart} bytes for ${axes} sizes`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const shape = Array.from({ length: axes }, (_, axis) => view.getUint32(4 + 4 * axis));
  // At most 2¹²⁸: a double rounds it but cannot overflow, and no rounded product equals a file's length.
  const size = dataStart + shape.reduce((product, axis) => product * axis, 1);
  return { shape, dataStart, size };
}

/**
 * Reads an unpacked IDX file of unsigned bytes with 1 to 4 axes.
 *
 * @param file its name, for messages.
 * @throws UserError where it is another kind of file, or shorter or longer than its header declares.
 */
export function readIdx(bytes: Uint8Array, file: string): IdxArray {
  const { shape, dataStart, size } = readHeader(bytes, file);
  if (bytes.length !== size) {
    const problem = bytes.length < size ? 'the file is cut short' : 'bytes follow the data';
    throw new UserError(
      `${file}: byte ${Math.min(bytes.length, size)}: ${problem}; its header declares ${shape.join(' × ')} and so ` +
        `${size} bytes, it has ${bytes.length}; download it again`,
    );
  }
  return { shape, data: bytes.subarray(dataStart) };
}

/** Reads a file, unpacking it where it begins as gzip does, whatever its name says. */
async function readIdxFile(file: string, axes: number): Promise<IdxArray> {
  const bytes = await readUnpacked(file, (head) => {
    const { size } = readHeader(head, file);
    if (size <= longestFile) return size;
    throw new UserError(`${file}: byte 4: declares ${size} bytes; expected at most ${longestFile}`);
  });
  const array = readIdx(bytes, file);
  if (array.shape.length !== axes) {
    throw new UserError(
      `${file}: byte 3: has ${array.shape.length} axes; expected ${axes}, as its name says`,
    );
  }
  return array;
}

/** The usual names of a file. */
const namesOf = (subject: string, axes: number): string[] => [
  `${subject}-idx${axes}-ubyte`,
  `${subject}.idx${axes}-ubyte`,
];

/**
 * Opens one split of a folder of the four IDX files of MNIST, Fashion-MNIST and their like:
 * `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, and `t10k-…` for the test split; a dot may stand
 * for the hyphen before `idx`, and each may be packed (`.gz`). Values are byte / 255.
 *
 * @throws UserError where a file is missing, damaged or does not fit the other.
 */
export async function idx(directory: string, split: Split, options: IdxOptions = {}): Promise<Dataset> {
  const present = await listFolder(directory, 'IDX files');
  const prefix = split === 'train' ? 'train' : 't10k';
  const imageFile = requirePacked(directory, present, namesOf(`${prefix}-images`, 3));
  const labelFile = requirePacked(directory, present, namesOf(`${prefix}-labels`, 1));
  const images = await readIdxFile(imageFile, 3);
  const { data: labels } = await readIdxFile(labelFile, 1);

  const [count, ...shape] = images.shape as [number, ...number[]];
  if (labels.length !== count) {
    throw new UserError(
      `${labelFile}: has ${labels.length} labels for the ${count} images of ${imageFile}; take both files from one source`,
    );
  }
  const largest = labels.reduce((largest, label) => Math.max(largest, label), 0);
  const classes = options.classes ?? Math.max(fewestClasses, largest + 1);
  if (largest >= classes) {
    const place = labels.indexOf(largest);
    throw new UserError(
      `${labelFile}: byte ${8 + place}: label ${largest} of example ${place}; expected below ${classes}, the number of classes`,
    );
  }
  return checkDataset({
    name: `${options.name ?? `idx:${directory}`} ${split}`,
    inputs: images.data,
    shape,
    scale: 1 / 255,
    labels,
    count,
    classes,
    classNames: Array.from({ length: classes }, (_, label) => String(label)),
  });
}
