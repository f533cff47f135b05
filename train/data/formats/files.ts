import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError, reasonOf } from '../../../schemas/errors.ts';
import { gunzipBounded, isGzip, longestFile, trailerSize } from './gzip.ts';

/**
 * Reads a file whole.
 *
 * @throws UserError where it is missing, no plain file or too long.
 */
export async function readPlainFile(file: string): Promise<Uint8Array> {
  try {
    const status = await stat(file);
    if (!status.isFile()) throw new Error('it is not a plain file');
    if (status.size > longestFile) throw new Error(`its ${status.size} bytes are more than ${longestFile}`);
    return await readFile(file);
  } catch (error) {
    throw new UserError(`${file}: cannot be read: ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * Reads a file, unpacking it where it begins as gzip does, whatever its name says.
 *
 * @param sizeOf unpacked size told from the first bytes; the size in the last bytes of the gzip file unless given.
 * @throws UserError where it cannot be read or unpacked.
 */
export async function readUnpacked(file: string, sizeOf?: (head: Uint8Array) => number): Promise<Uint8Array> {
  const bytes = await readPlainFile(file);
  return isGzip(bytes) ? gunzipBounded(bytes, file, sizeOf ?? (() => trailerSize(bytes, file))) : bytes;
}

/**
 * Names in a folder, sorted.
 *
 * @param content what the folder should hold, for the message.
 * @throws UserError where it cannot be read as a folder.
 */
export async function listFolder(folder: string, content: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    throw new UserError(
      `${folder}: cannot be read as a folder (${reasonOf(error)}); name the folder of the ${content}`,
      { cause: error },
    );
  }
}

/** The first of the names that the folder has, as it is or packed (`.gz`), as a path. */
export function findPacked(
  folder: string,
  present: readonly string[],
  names: readonly string[],
): string | undefined {
  const found = names.flatMap((name) => [name, `${name}.gz`]).find((name) => present.includes(name));
  return found === undefined ? undefined : join(folder, found);
}

/** As `findPacked`. @throws UserError where the folder has none. */
export function requirePacked(folder: string, present: readonly string[], names: readonly string[]): string {
  const found = findPacked(folder, present, names);
  if (found !== undefined) return found;
  throw new UserError(`${folder}: has no ${names.join(' or ')}, with or without .gz; put the file there`);
}

/** Text of a small file, in UTF-8. @throws UserError where it is too long or no text */
export function textOf(bytes: Uint8Array, file: string): string {
  const longest = 1 << 24;
  if (bytes.length > longest) {
    throw new UserError(`${file}: has ${bytes.length} bytes; expected at most ${longest} of text`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new UserError(`${file}: is no UTF-8 text; expected lines of text`, { cause });
  }
}
