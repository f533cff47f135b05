/**
 * The safetensors file format (https://github.com/huggingface/safetensors): the length of a JSON header as a
 * little-endian 64-bit integer, the header, then the bytes of every tensor, row-major and little-endian,
 * without gaps.
 */
import { UserError, reasonOf } from './errors.ts';

/** The array that holds each element type; halves, which JavaScript lacks, stay as their 16 bits. */
const arrayTypes = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U64: BigUint64Array,
  U32: Uint32Array,
  U16: Uint16Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;

type ElementType = keyof typeof arrayTypes;

type TensorOf<Type extends ElementType> = {
  readonly dtype: Type;
  readonly shape: readonly number[];
  /** product(shape) elements, row-major. */
  readonly data: InstanceType<(typeof arrayTypes)[Type]>;
};

/** A tensor as safetensors knows it; its dtype says which array holds its elements. */
export type SafeTensor = { [Type in ElementType]: TensorOf<Type> }[ElementType];

/** What a file holds. */
export interface SafeTensors {
  /** By name, in the order of their bytes. */
  readonly tensors: ReadonlyMap<string, SafeTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** As the header describes one tensor; offsets are in bytes from the end of the header. */
interface Entry {
  readonly name: string;
  readonly dtype: ElementType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

const metadataKey = '__metadata__';

const lengthSize = 8;

/** In bytes; readers refuse a longer one. */
const longestHeader = 100_000_000;

const hostIsLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Between the byte order of this machine and that of the file, in place. */
function toFileOrder(bytes: Uint8Array, elementSize: number): void {
  if (hostIsLittleEndian) return;
  for (let at = 0; at < bytes.length; at += elementSize) bytes.subarray(at, at + elementSize).reverse();
}

/** Code unit order, the same on every machine. */
const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);

/**
 * The bytes of a safetensors file. The same tensors and metadata give the same bytes, whatever their order:
 * wide elements come first so that all are aligned, then names decide.
 *
 * @throws RangeError where a tensor's data do not fit its shape and type.
 */
export function writeSafetensors(
  tensors: Readonly<Record<string, SafeTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const ordered = Object.entries(tensors)
    .sort(byName)
    .sort(([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT);

  // JSON.stringify of one object would move names such as "7" to the front.
  const fields: string[] = [];
  const addField = (name: string, value: unknown): void => {
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`);
  };
  const notes = Object.entries(metadata).sort(byName);
  if (notes.length > 0) addField(metadataKey, Object.fromEntries(notes));
  let bodySize = 0;
  for (const [name, { dtype, shape, data }] of ordered) {
    const count = shape.reduce((product, axis) => product * axis, 1);
    if (name === metadataKey || !(data instanceof arrayTypes[dtype]) || data.length !== count) {
      throw new RangeError(
        `tensor ${name}: ${data.length} elements of ${data.constructor.name}; expected ${dtype} [${shape.join(', ')}]`,
      );
    }
    addField(name, { dtype, shape, data_offsets: [bodySize, bodySize + data.byteLength] });
    bodySize += data.byteLength;
  }

  const json = new TextEncoder().encode(`{${fields.join(',')}}`);
  const headerSize = Math.ceil(json.length / 8) * 8;
  if (headerSize > longestHeader) {
    throw new RangeError(`a header of ${headerSize} bytes; safetensors allows ${longestHeader}`);
  }
  const bytes = new Uint8Array(lengthSize + headerSize + bodySize);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerSize), true);
  bytes.set(json, lengthSize);
  bytes.fill(0x20, lengthSize + json.length, lengthSize + headerSize);
  let at = lengthSize + headerSize;
  for (const [, { data }] of ordered) {
    const target = bytes.subarray(at, at + data.byteLength);
    target.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    toFileOrder(target, data.BYTES_PER_ELEMENT);
    at += data.byteLength;
  }
  return bytes;
}

/** The name that one object of the JSON text gives twice, where there is one; `JSON.parse` would keep the last. */
function repeatedName(json: string): string | undefined {
  const names: Set<string>[] = [];
  for (let at = 0; at < json.length; at++) {
    const character = json[at];
    if (character === '{') names.push(new Set());
    if (character === '}') names.pop();
    if (character !== '"') continue;
    const start = at++;
    while (json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
    let next = at + 1;
    while (' \t\r\n'.includes(json[next]!)) next++;
    if (json[next] !== ':') continue;
    const name = JSON.parse(json.slice(start, at + 1)) as string;
    if (names.at(-1)?.has(name)) return name;
    names.at(-1)?.add(name);
  }
  return undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);

/** A value of the header for a message, whatever its size. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'missing';
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** Checks one tensor of the header by itself. */
function readEntry(name: string, value: unknown, where: string): Entry {
  const expect: (holds: boolean, problem: string) => asserts holds = (holds, problem) => {
    if (!holds) throw new UserError(`${where}: tensor ${shown(name)}: ${problem}`);
  };
  expect(isObject(value), 'expected an object of dtype, shape and data_offsets');
  const { dtype, shape, data_offsets: offsets, ...others } = value;
  const [unknown] = Object.keys(others);
  expect(
    unknown === undefined,
    `has the unknown field ${shown(unknown)}; expected dtype, shape and data_offsets`,
  );
  const known = typeof dtype === 'string' && Object.hasOwn(arrayTypes, dtype);
  expect(known, `dtype is ${shown(dtype)}; expected one of ${Object.keys(arrayTypes).join(', ')}`);
  expect(isSizes(shape), `shape is ${shown(shape)}; expected whole numbers`);
  expect(
    isSizes(offsets) && offsets.length === 2,
    `data_offsets is ${shown(offsets)}; expected two whole numbers`,
  );

  const [begin, end] = offsets as [number, number];
  const type = dtype as ElementType;
  let size = arrayTypes[type].BYTES_PER_ELEMENT;
  for (const axis of shape) {
    size *= axis;
    expect(Number.isSafeInteger(size), `shape ${shown(shape)} has more elements than can be counted`);
  }
  expect(
    end - begin === size,
    `data_offsets ${begin} to ${end}; expected ${size} bytes for ${type} ${shown(shape)}`,
  );
  return { name, dtype: type, shape, begin, end };
}

/** The header as an object, from a file whose size is known to allow it. */
function readHeader(json: Uint8Array, where: string): Record<string, unknown> {
  let header: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json);
    header = JSON.parse(text);
    const repeated = repeatedName(text);
    if (repeated !== undefined) throw new SyntaxError(`the name ${shown(repeated)} is given twice`);
  } catch (error) {
    throw new UserError(`${where}: is not sound JSON: ${reasonOf(error)}`, { cause: error });
  }
  if (!isObject(header) || json[0] !== 0x7b) {
    throw new UserError(`${where}: expected a JSON object, beginning with {`);
  }
  return header;
}

/**
 * Reads a safetensors file. Every tensor is a copy, independent of `bytes`.
 *
 * @param file its name, for messages.
 * @throws UserError where anything departs from the format; nothing is allocated before all is checked.
 */
export function readSafetensors(bytes: Uint8Array, file: string): SafeTensors {
  if (bytes.length < lengthSize) {
    throw new UserError(
      `${file}: byte ${bytes.length}: the file ends within the 8 bytes of its header's length`,
    );
  }
  const headerSize = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  const mostHeader = Math.min(longestHeader, bytes.length - lengthSize);
  if (headerSize > mostHeader) {
    throw new UserError(
      `${file}: byte 0: declares a header of ${headerSize} bytes; expected at most ${mostHeader}, so it is cut short or no safetensors file`,
    );
  }
  const bodyStart = lengthSize + Number(headerSize);
  const where = `${file}: header (byte ${lengthSize})`;
  const { [metadataKey]: metadata = {}, ...described } = readHeader(
    bytes.subarray(lengthSize, bodyStart),
    where,
  );

  if (!isObject(metadata) || Object.values(metadata).some((value) => typeof value !== 'string')) {
    throw new UserError(`${where}: ${metadataKey}: expected an object of strings`);
  }
  const entries = Object.entries(described)
    .map(([name, value]) => readEntry(name, value, where))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);

  let used = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== used) {
      const problem = begin < used ? 'overlaps the tensor before it' : 'leaves a gap before it';
      throw new UserError(
        `${where}: tensor ${shown(name)}: begins at ${begin} of the data and ${problem}; expected ${used}`,
      );
    }
    used = end;
  }
  if (bodyStart + used !== bytes.length) {
    const problem =
      bodyStart + used > bytes.length ? 'the file is cut short' : 'bytes follow the last tensor';
    throw new UserError(
      `${file}: byte ${Math.min(bodyStart + used, bytes.length)}: ${problem}; its header declares ` +
        `${bodyStart + used} bytes, it has ${bytes.length}`,
    );
  }

  const tensors = new Map<string, SafeTensor>();
  for (const { name, dtype, shape, begin, end } of entries) {
    const contents = new Uint8Array(end - begin);
    contents.set(bytes.subarray(bodyStart + begin, bodyStart + end));
    toFileOrder(contents, arrayTypes[dtype].BYTES_PER_ELEMENT);
    const data = new arrayTypes[dtype](contents.buffer);
    // The table pairs each dtype with its array, which the compiler cannot follow through the index.
    tensors.set(name, { dtype, shape, data } as SafeTensor);
  }
  return { tensors, metadata: metadata as Record<string, string> };
}
