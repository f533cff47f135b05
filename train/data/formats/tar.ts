import { UserError } from '../../../schemas/errors.ts';

const block = 512;

const asciiOf = (bytes: Uint8Array): string => {
  const end = bytes.indexOf(0);
  return new TextDecoder('latin1').decode(end < 0 ? bytes : bytes.subarray(0, end));
};

/** A number in octal digits, between spaces or before a zero byte. */
function octalOf(bytes: Uint8Array): number | undefined {
  const text = asciiOf(bytes).trim();
  return /^[0-7]{1,11}$/.test(text) ? Number.parseInt(text, 8) : undefined;
}

/** Sum of the header's bytes, those of the sum itself counted as spaces. */
const checksumOf = (header: Uint8Array): number =>
  header.reduce((sum, byte, place) => sum + (place >= 148 && place < 156 ? 0x20 : byte), 0);

/**
 * Reads an unpacked tar file (POSIX ustar, or older).
 *
 * Folders, links and pax headers are passed over; so a name over 255 bytes is cut, which no event file has.
 *
 * @returns the bytes of each plain file by its path: views of the archive.
 * @throws UserError where a header is damaged or the archive is cut short.
 */
export function readTar(bytes: Uint8Array, file: string): Map<string, Uint8Array> {
  const entries = new Map<string, Uint8Array>();
  let place = 0;
  while (place + block <= bytes.length) {
    const header = bytes.subarray(place, place + block);
    // Two empty blocks end the archive; one is enough to know.
    if (header.every((byte) => byte === 0)) return entries;
    const size = octalOf(header.subarray(124, 136));
    if (size === undefined || octalOf(header.subarray(148, 156)) !== checksumOf(header)) {
      throw new UserError(
        `${file}: byte ${place}: damaged tar header (size or checksum); expected a tar file; download it again`,
      );
    }
    const start = place + block;
    if (start + size > bytes.length) {
      throw new UserError(
        `${file}: byte ${place}: declares ${size} bytes of data, ${bytes.length - start} follow; the file is cut short, download it again`,
      );
    }
    const type = header[156];
    if (type === 0 || type === 0x30) {
      const isUstar = asciiOf(header.subarray(257, 262)) === 'ustar';
      const prefix = isUstar ? asciiOf(header.subarray(345, 500)) : '';
      const name = asciiOf(header.subarray(0, 100));
      entries.set(prefix === '' ? name : `${prefix}/${name}`, bytes.subarray(start, start + size));
    }
    place = start + Math.ceil(size / block) * block;
  }
  throw new UserError(
    `${file}: byte ${Math.min(place, bytes.length)}: ends without the empty block that ends a tar file; it is no tar file or cut short`,
  );
}
