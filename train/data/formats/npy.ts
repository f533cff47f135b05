import { UserError } from '../../../schemas/errors.ts';
import { elementReaders } from './elements.ts';
import { longestFile } from './gzip.ts';

/** An array of numbers: element (i, j, …) is `at(i · strides[0] + j · strides[1] + …)`. */
export interface NumberArray {
  readonly shape: readonly number[];
  /** In elements. */
  readonly strides: readonly number[];
  /** NumPy's name of the type, such as `<f4`. */
  readonly type: string;
  readonly at: (place: number) => number;
  /** The elements where each is an unsigned byte: a view of the file's. */
  readonly bytes?: Uint8Array;
}

interface Header {
  readonly type: string;
  readonly shape: readonly number[];
  readonly fortran: boolean;
  readonly dataStart: number;
  /** Of the whole file. */
  readonly size: number;
}

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** NumPy writes 128 bytes; only types of many fields need more. */
const longestHeader = 2048;
const mostAxes = 8;

const itemSize = (type: string): number => Number(type[2]);

/** The three entries of the header, a dictionary as Python writes it. */
function readDictionary(text: string): Map<string, string> | undefined {
  const body = /^\{(.*)\}\s*$/s.exec(text)?.[1];
  if (body === undefined) return undefined;
  const entries = new Map<string, string>();
  const entry = /\s*'(\w+)'\s*:\s*('[^']*'|True|False|\([\d,\s]*\))\s*(?:,|$)\s*/y;
  while (entry.lastIndex < body.length) {
    const [, key, value] = entry.exec(body) ?? [];
    if (key === undefined || entries.has(key)) return undefined;
    entries.set(key, value!);
  }
  return entries;
}

/** @throws UserError where it is no npy file of numbers. */
export function readNpyHeader(bytes: Uint8Array, file: string): Header {
  if (bytes.length < 12 || magic.some((byte, place) => bytes[place] !== byte)) {
    throw new UserError(
      `${file}: byte 0: does not begin as an npy file does; expected \\x93NUMPY and a header`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = bytes[6]!;
  if (version < 1 || version > 3) {
    throw new UserError(`${file}: byte 6: npy version ${version}; expected 1, 2 or 3`);
  }
  const textStart = version === 1 ? 10 : 12;
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > longestHeader || textStart + length > bytes.length) {
    throw new UserError(
      `${file}: byte 8: a header of ${length} bytes; expected at most ${longestHeader}, all in the file`,
    );
  }
  const dataStart = textStart + length;
  const refuse = (expected: string): never => {
    throw new UserError(`${file}: byte ${textStart}: header of another form; expected ${expected}`);
  };
  const entries = readDictionary(new TextDecoder('latin1').decode(bytes.subarray(textStart, dataStart)));
  const type = /^'([<>|=][buif]\d)'$/.exec(entries?.get('descr') ?? '')?.[1];
  if (type === undefined || !elementReaders.has(type.slice(1))) {
    return refuse(`'descr' of ${[...elementReaders.keys()].join(', ')}, such as '<f4'`);
  }
  const fortran = entries!.get('fortran_order');
  if (fortran !== 'True' && fortran !== 'False') return refuse("'fortran_order' True or False");
  const shapeText = /^\(\s*((?:\d{1,16}\s*,\s*)*\d{0,16})\s*\)$/.exec(entries!.get('shape') ?? '')?.[1];
  if (shapeText === undefined || entries!.size !== 3)
    return refuse("'shape' of whole numbers and no other key");
  const shape = shapeText
    .split(',')
    .filter((axis) => axis.trim() !== '')
    .map(Number);
  if (shape.length > mostAxes) return refuse(`at most ${mostAxes} axes, not ${shape.length}`);
  // Each axis is below 10¹⁶: a double rounds the product but cannot overflow.
  const size = dataStart + shape.reduce((product, axis) => product * axis, itemSize(type));
  return { type, shape, fortran: fortran === 'True', dataStart, size };
}

/** Unpacked size of an npy file in bytes, told from its first. @throws UserError where that is too large */
export function npySize(head: Uint8Array, file: string): number {
  const { size } = readNpyHeader(head, file);
  if (size <= longestFile) return size;
  throw new UserError(`${file}: byte 8: declares ${size} bytes; expected at most ${longestFile}`);
}

/** Distance between neighbours along each axis, in elements. */
function stridesOf(shape: readonly number[], fortran: boolean): number[] {
  const before = (axis: number) => (fortran ? shape.slice(0, axis) : shape.slice(axis + 1));
  return shape.map((_, axis) => before(axis).reduce((product, size) => product * size, 1));
}

/**
 * Reads an unpacked npy file of numbers: booleans, integers of 8 to 64 bits, floats of 16 to 64, in either byte
 * order and either order of axes.
 *
 * @param file its name, for messages
 * @throws UserError where it is another kind of file, or shorter or longer than its header declares.
 */
export function readNpy(bytes: Uint8Array, file: string): NumberArray {
  const { type, shape, fortran, dataStart, size } = readNpyHeader(bytes, file);
  if (bytes.length !== size) {
    const problem = bytes.length < size ? 'the file is cut short' : 'bytes follow the data';
    throw new UserError(
      `${file}: byte ${Math.min(bytes.length, size)}: ${problem}; its header declares ${type} (${shape.join(', ')}) ` +
        `and so ${size} bytes, it has ${bytes.length}; make it again`,
    );
  }
  const data = bytes.subarray(dataStart);
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const read = elementReaders.get(type.slice(1))!;
  const width = itemSize(type);
  const little = type[0] !== '>';
  return {
    shape,
    strides: stridesOf(shape, fortran),
    type,
    at: (place) => read(view, place * width, little),
    ...(type.endsWith('u1') && { bytes: data }),
  };
}
