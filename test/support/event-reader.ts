/** Reads TensorBoard's event files by the format's own description, apart from what writes them. */

/** A field of a protobuf message: its number, and a number or the bytes of what it holds. */
type Field = readonly [number: number, value: number | Uint8Array];

/** What an event file says. */
export interface ReadEvent {
  readonly time: number;
  readonly step: number;
  readonly version?: string;
  readonly isStart: boolean;
  readonly scalars: Readonly<Record<string, number>>;
  readonly histograms: Readonly<Record<string, ReadHistogram>>;
}

export interface ReadHistogram {
  readonly min: number;
  readonly max: number;
  readonly num: number;
  readonly sum: number;
  readonly sumSquares: number;
  readonly limits: readonly number[];
  readonly counts: readonly number[];
}

/** A number with its bits the other way round. */
const reversed = (value: number, bits: number): number => {
  let result = 0;
  for (let bit = 0; bit < bits; bit++) if (value & (2 ** bit)) result += 2 ** (bits - 1 - bit);
  return result;
};

/** CRC-32C bit by bit, most significant first, on reversed bytes: the other way round than the table. */
function checksum(bytes: Uint8Array): number {
  let remainder = 0xffff_ffffn;
  for (const byte of bytes) {
    remainder ^= BigInt(reversed(byte, 8)) << 24n;
    for (let bit = 0; bit < 8; bit++) {
      const isHigh = remainder >= 0x8000_0000n;
      remainder = (remainder << 1n) & 0xffff_ffffn;
      if (isHigh) remainder ^= 0x1edc_6f41n;
    }
  }
  let result = 0n;
  for (let bit = 0n; bit < 32n; bit++) if ((remainder >> bit) & 1n) result |= 1n << (31n - bit);
  return Number(result ^ 0xffff_ffffn);
}

function mask(sum: number): number {
  const wide = BigInt(sum);
  return Number((((wide >> 15n) | (wide << 17n)) + 0xa282ead8n) & 0xffff_ffffn);
}

/** Every record of a file. @throws Error at the first that is not sound to its last bit */
export function readRecords(file: Buffer): Uint8Array[] {
  const records: Uint8Array[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    if (file.readUInt32LE(at + 8) !== mask(checksum(file.subarray(at, at + 8))))
      throw new Error(`byte ${at}: the checksum of the length is wrong`);
    const bytes = file.subarray(at + 12, at + 12 + length);
    if (bytes.length < length) throw new Error(`byte ${at}: the record is cut short`);
    if (file.readUInt32LE(at + 12 + length) !== mask(checksum(bytes)))
      throw new Error(`byte ${at}: the checksum of the record is wrong`);
    records.push(bytes);
    at += 16 + length;
  }
  return records;
}

function varint(bytes: Uint8Array, at: number): [value: bigint, next: number] {
  let value = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = bytes[at++]!;
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return [value, at];
  }
}

function fieldsOf(bytes: Uint8Array): Field[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fields: Field[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [tag, start] = varint(bytes, at);
    const [number, wire] = [Number(tag >> 3n), Number(tag & 7n)];
    if (wire === 0) {
      const [value, next] = varint(bytes, start);
      fields.push([number, Number(value)]);
      at = next;
    } else if (wire === 1) {
      fields.push([number, view.getFloat64(start, true)]);
      at = start + 8;
    } else if (wire === 5) {
      fields.push([number, view.getFloat32(start, true)]);
      at = start + 4;
    } else if (wire === 2) {
      const [length, from] = varint(bytes, start);
      at = from + Number(length);
      fields.push([number, bytes.subarray(from, at)]);
    } else throw new Error(`wire type ${wire}`);
  }
  return fields;
}

const text = (value: number | Uint8Array | undefined): string => Buffer.from(value as Uint8Array).toString();

function doubles(value: number | Uint8Array | undefined): number[] {
  const bytes = value as Uint8Array;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 8 }, (_, index) => view.getFloat64(8 * index, true));
}

/** All events of a file, in their order. */
export const readEvents = (file: Buffer): ReadEvent[] => readRecords(file).map(eventOf);

function eventOf(bytes: Uint8Array): ReadEvent {
  const fields = fieldsOf(bytes);
  const of = (number: number) => fields.find(([each]) => each === number)?.[1];
  const scalars: Record<string, number> = {};
  const histograms: Record<string, ReadHistogram> = {};
  const summary = of(5);
  for (const [, value] of summary === undefined ? [] : fieldsOf(summary as Uint8Array)) {
    const inside = new Map(fieldsOf(value as Uint8Array));
    const tag = text(inside.get(1));
    if (inside.has(2)) scalars[tag] = inside.get(2) as number;
    if (inside.has(5)) histograms[tag] = histogramOf(new Map(fieldsOf(inside.get(5) as Uint8Array)));
  }
  const version = of(3);
  const session = of(7);
  return {
    time: of(1) as number,
    step: (of(2) ?? 0) as number,
    ...(version !== undefined && { version: text(version) }),
    isStart: session !== undefined && fieldsOf(session as Uint8Array)[0]?.[1] === 1,
    scalars,
    histograms,
  };
}

const histogramOf = (fields: ReadonlyMap<number, number | Uint8Array>): ReadHistogram => {
  const number = (at: number): number => (fields.get(at) ?? 0) as number;
  return {
    min: number(1),
    max: number(2),
    num: number(3),
    sum: number(4),
    sumSquares: number(5),
    limits: doubles(fields.get(6)),
    counts: doubles(fields.get(7)),
  };
};
