import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { UserError, reasonOf } from '../../../schemas/errors.ts';
import { readPlainFile } from './files.ts';
import { gunzipBounded, isGzip, longestFile } from './gzip.ts';

const signature = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

/** The bytes of an HDF5 file, as its library asks for them. */
export interface Hdf5Source {
  readonly size: number;
  /** Copies bytes from `position` on into the array. @returns how many there were */
  readonly read: (into: Uint8Array, offset: number, length: number, position: number) => number;
  readonly close: () => void;
}

/** The size of a file that its superblock declares. @throws UserError where it is no HDF5 file */
export function hdf5Size(head: Uint8Array, file: string): number {
  if (head.length < 48 || signature.some((byte, place) => head[place] !== byte)) {
    throw new UserError(
      `${file}: byte 0: does not begin as an HDF5 file does; expected \\x89HDF\\r\\n\\x1a\\n`,
    );
  }
  const version = head[8]!;
  // Addresses are of 8 bytes in every file that is not of a museum.
  const [addressSize, place] = version < 2 ? [head[13], version === 0 ? 40 : 44] : [head[9], 28];
  if (version > 3 || addressSize !== 8 || head.length < place + 8) {
    throw new UserError(
      `${file}: byte 8: superblock version ${version} with addresses of ${addressSize} bytes; expected version 0 … 3 with 8`,
    );
  }
  const size = Number(new DataView(head.buffer, head.byteOffset).getBigUint64(place, true));
  if (size > 0 && size <= longestFile) return size;
  throw new UserError(
    `${file}: byte ${place}: declares ${size} bytes; expected 1 … ${longestFile}; unpack a larger file first`,
  );
}

/**
 * Opens a file: as it lies, or unpacked into memory where it begins as gzip does.
 *
 * @throws UserError where it cannot be read or does not begin as an HDF5 file does.
 */
export async function openHdf5Source(file: string): Promise<Hdf5Source> {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (cause) {
    throw new UserError(`${file}: cannot be read: ${reasonOf(cause)}`, { cause });
  }
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile()) throw new UserError(`${file}: cannot be read: it is not a plain file`);
    const head = new Uint8Array(64);
    readSync(descriptor, head, 0, head.length, 0);
    if (!isGzip(head)) {
      if (signature.some((byte, place) => head[place] !== byte))
        hdf5Size(head.subarray(0, status.size), file);
      return {
        size: status.size,
        read: (into, offset, length, position) => readSync(descriptor, into, offset, length, position),
        close: () => closeSync(descriptor),
      };
    }
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  closeSync(descriptor);
  const bytes = gunzipBounded(await readPlainFile(file), file, (head) => hdf5Size(head, file));
  return {
    size: bytes.length,
    read: (into, offset, length, position) => {
      const part = bytes.subarray(position, position + length);
      into.set(part, offset);
      return part.length;
    },
    close: () => {},
  };
}
