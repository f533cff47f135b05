/**
 * TensorFlow's file of records: each is the length of its bytes (uint64, little-endian), the masked checksum of these
 * eight bytes, the bytes, and their masked checksum (tensorflow/core/lib/io/record_writer.h).
 */

/** CRC-32C (Castagnoli), of the reversed polynomial 0x82F63B78, by bytes. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? 0x82f6_3b78 : 0);
  return remainder;
});

/** The CRC-32C of some bytes. */
export function crc32c(bytes: Uint8Array): number {
  let remainder = 0xffff_ffff;
  for (const byte of bytes) remainder = (remainder >>> 8) ^ table[(remainder ^ byte) & 0xff]!;
  return ~remainder >>> 0;
}

/** A checksum as it stands beside what it is of: turned and moved, since a checksum of checksums is a weak one. */
const masked = (bytes: Uint8Array): number => {
  const sum = crc32c(bytes);
  return (((sum >>> 15) | (sum << 17)) + 0xa282_ead8) >>> 0;
};

const HEAD = 12;
const TAIL = 4;

/** A record of some bytes. */
export function recordOf(bytes: Uint8Array): Uint8Array {
  const record = new Uint8Array(HEAD + bytes.length + TAIL);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(bytes.length), true);
  view.setUint32(8, masked(record.subarray(0, 8)), true);
  record.set(bytes, HEAD);
  view.setUint32(HEAD + bytes.length, masked(bytes), true);
  return record;
}

/** A sound record, and where it ends in its file. */
export interface FoundRecord {
  readonly bytes: Uint8Array;
  readonly end: number;
}

/** The records of a file up to its end, or to the first that is damaged or cut short. */
export function* recordsIn(file: Uint8Array): Generator<FoundRecord> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  for (let at = 0; at + HEAD + TAIL <= file.length; ) {
    const length = Number(view.getBigUint64(at, true));
    const tail = at + HEAD + length;
    if (masked(file.subarray(at, at + 8)) !== view.getUint32(at + 8, true)) return;
    if (tail + TAIL > file.length) return;
    const bytes = file.subarray(at + HEAD, tail);
    if (masked(bytes) !== view.getUint32(tail, true)) return;
    at = tail + TAIL;
    yield { bytes, end: at };
  }
}
