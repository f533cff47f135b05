import { crc32, inflateRawSync } from 'node:zlib';
import { UserError, reasonOf } from '../../../schemas/errors.ts';
import { bestRatio, longestFile } from './gzip.ts';

const endSignature = 0x06054b50;
const endSize = 22;
const entrySignature = 0x02014b50;
const entrySize = 46;
const localSignature = 0x04034b50;
const localSize = 30;
const stored = 0;
const deflated = 8;

/** Place of the end record: the last thing in the file but for a comment. */
function findEnd(view: DataView, file: string): number {
  const earliest = Math.max(0, view.byteLength - endSize - 0xffff);
  for (let place = view.byteLength - endSize; place >= earliest; place--) {
    if (view.getUint32(place, true) === endSignature) return place;
  }
  throw new UserError(`${file}: has no end record; expected a zip file such as .npz; it may be cut short`);
}

/** The packed bytes of an entry, whose place its local header tells. */
function packedBytes(
  bytes: Uint8Array,
  view: DataView,
  local: number,
  size: number,
  where: string,
): Uint8Array {
  if (local + localSize > bytes.length || view.getUint32(local, true) !== localSignature) {
    throw new UserError(`${where}: byte ${local}: no local header; the zip file is damaged, make it again`);
  }
  const start = local + localSize + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  if (start + size > bytes.length) {
    throw new UserError(`${where}: byte ${start}: ${size} bytes pass the end of the zip file; make it again`);
  }
  return bytes.subarray(start, start + size);
}

function unpack(packed: Uint8Array, method: number, size: number, where: string): Uint8Array {
  if (method === stored) return packed;
  if (method !== deflated) {
    throw new UserError(
      `${where}: is packed by method ${method}; expected ${stored} (stored) or ${deflated} (deflate)`,
    );
  }
  if (size < 1 || size > Math.min(longestFile, packed.length * bestRatio)) {
    throw new UserError(`${where}: declares ${size} bytes, which ${packed.length} packed bytes cannot hold`);
  }
  try {
    return inflateRawSync(packed, { maxOutputLength: size });
  } catch (cause) {
    throw new UserError(`${where}: damaged data (${reasonOf(cause)}); make it again`, { cause });
  }
}

/**
 * Finds and unpacks one file of a zip archive, which lists its files at its end. Archives past 4 GiB (zip64) are
 * not read.
 *
 * @returns undefined where the archive has no file of that name
 * @throws UserError where the archive is damaged, or the file is not what its size and checksum say.
 */
export function readZipEntry(bytes: Uint8Array, file: string, name: string): Uint8Array | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = findEnd(view, file);
  const entries = view.getUint16(end + 10, true);
  let place = view.getUint32(end + 16, true);
  for (let entry = 0; entry < entries; entry++) {
    if (place + entrySize > end || view.getUint32(place, true) !== entrySignature) {
      throw new UserError(`${file}: byte ${place}: no entry ${entry} of ${entries}; the zip file is damaged`);
    }
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) =>
      view.getUint16(place + offset, true),
    ) as [number, number, number];
    const nameBytes = bytes.subarray(place + entrySize, place + entrySize + nameLength);
    if (new TextDecoder().decode(nameBytes) === name) {
      const where = `${file}: ${name}`;
      const [sum, packedSize, size] = [16, 20, 24].map((offset) => view.getUint32(place + offset, true)) as [
        number,
        number,
        number,
      ];
      const packed = packedBytes(bytes, view, view.getUint32(place + 42, true), packedSize, where);
      const unpacked = unpack(packed, view.getUint16(place + 10, true), size, where);
      if (unpacked.length === size && crc32(unpacked) === sum) return unpacked;
      throw new UserError(
        `${where}: is not what its size and checksum say; the zip file is damaged, make it again`,
      );
    }
    place += entrySize + nameLength + extraLength + commentLength;
  }
  return undefined;
}
