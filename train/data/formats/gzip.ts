import { constants, gunzipSync } from 'node:zlib';
import { UserError, reasonOf } from '../../../schemas/errors.ts';

/** Of a file, packed or not, in bytes: what Node reads at once. */
export const longestFile = 2 ** 31 - 1;

/** How much of a compressed file is unpacked to learn the size of the whole, in bytes. */
const headLength = 4096;

/** Deflate never does better than 1032 bytes out for one byte in, so the head unpacks to 4 MiB at most. */
export const bestRatio = 1032;

/** Of a file whose content declares no size: beyond both, it holds no real recordings or images. */
const mostPlausibleRatio = 100;
const alwaysPlausible = 1 << 24;

/** Whether the bytes begin as every gzip file does. */
export const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/**
 * The unpacked size in bytes that a gzip file declares in its last four bytes, for content that declares none.
 *
 * @throws UserError where it is zero or too large to be true.
 */
export function trailerSize(bytes: Uint8Array, file: string): number {
  if (bytes.length < 18) {
    throw new UserError(`${file}: has ${bytes.length} bytes; expected 18 or more of gzip; download it again`);
  }
  const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 4, true);
  const most = Math.min(longestFile, Math.max(alwaysPlausible, mostPlausibleRatio * bytes.length));
  if (size === 0 || size > most) {
    throw new UserError(
      `${file}: byte ${bytes.length - 4}: declares ${size} unpacked bytes; expected 1 … ${most} for ` +
        `${bytes.length} gzip bytes; unpack it yourself where that is right`,
    );
  }
  return size;
}

/**
 * Unpacks a gzip file without trusting it: a small file can unpack to any size, so the size is first read
 * from the head of what is packed, and unpacking stops there.
 *
 * @param sizeOf full size in bytes, above 0, told from the first unpacked bytes; it throws where they make no sense.
 * @throws UserError where the file is damaged, cut short or unpacks to more than it declares.
 */
export function gunzipBounded(
  bytes: Uint8Array,
  file: string,
  sizeOf: (head: Uint8Array) => number,
): Uint8Array {
  const damaged = (cause: unknown): UserError =>
    new UserError(
      `${file}: damaged gzip data (${reasonOf(cause)}) in ${bytes.length} bytes; download it again`,
      { cause },
    );

  let head: Uint8Array;
  try {
    head = gunzipSync(bytes.subarray(0, headLength), { finishFlush: constants.Z_SYNC_FLUSH });
  } catch (error) {
    throw damaged(error);
  }

  const size = sizeOf(head);
  if (size > bytes.length * bestRatio) {
    throw new UserError(
      `${file}: declares ${size} bytes, more than ${bytes.length} gzip bytes can hold; download it again`,
    );
  }
  try {
    return gunzipSync(bytes, { maxOutputLength: size, chunkSize: 1 << 20 });
  } catch (error) {
    if (error instanceof RangeError) {
      throw new UserError(
        `${file}: unpacks to more than the ${size} bytes it declares, so unpacking stopped there; download it again`,
        { cause: error },
      );
    }
    throw damaged(error);
  }
}
