import { randomBytes } from 'node:crypto';
import { open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { codeOf, syncFolder } from '../schemas/checkpoint/durable.ts';
import { reasonOf, UserError } from '../schemas/errors.ts';

/**
 * Writes a file so that power may fail at any instant: its name then stands for the old bytes or the new ones.
 *
 * @param bytes all of them, or parts that follow one another
 * @throws UserError where it cannot be written; nothing of it is then left
 */
export async function writeWhole(path: string, bytes: Uint8Array | readonly Uint8Array[]): Promise<void> {
  await checkTarget(path);
  const temporary = join(dirname(path), `.${basename(path)}.tmp-${randomBytes(4).toString('hex')}`);
  try {
    const handle = await open(temporary, 'wx');
    try {
      for (const part of bytes instanceof Uint8Array ? [bytes] : bytes) await handle.writeFile(part);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    if (codeOf(cause) === undefined) throw cause;
    const problem = codeOf(cause) === 'ENOENT' ? `there is no folder ${dirname(path)}` : reasonOf(cause);
    throw new UserError(`${path}: cannot be written: ${problem}`, { cause });
  }
}

/** @throws UserError where something other than a file has the name. */
export async function checkTarget(path: string): Promise<void> {
  const status = await stat(path).catch(() => undefined);
  if (status && !status.isFile()) {
    throw new UserError(
      `${path}: is ${status.isDirectory() ? 'a folder' : 'no plain file'}; name a file to write`,
    );
  }
}

/** Whether something has the name. */
export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
