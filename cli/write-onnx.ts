import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { OnnxFiles } from '../export/index.ts';
import { writeWhole } from './write-file.ts';

/** What the file beside an .onnx is called: after it and its own content, so that an .onnx never gets another's data. */
export const dataNameFor =
  (path: string) =>
  (parts: readonly Uint8Array[]): string => {
    const hash = createHash('sha256');
    for (const part of parts) hash.update(part);
    return `${basename(path)}.${hash.digest('hex').slice(0, 8)}.data`;
  };

/**
 * Writes an .onnx and what is beside it so that power may fail at any instant: the name of the .onnx stands for the old
 * network with the old data, or for the new one with the new.
 *
 * @throws UserError where they cannot be written
 */
export async function writeOnnx(path: string, { model, data }: OnnxFiles): Promise<void> {
  if (data) await writeWhole(join(dirname(path), data.name), data.parts);
  await writeWhole(path, model);
  await removeOldData(path, data?.name);
}

/** Data of a network that was called so before. */
async function removeOldData(path: string, current: string | undefined): Promise<void> {
  const folder = dirname(path);
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(folder).catch(() => [])) {
    const isData = name.startsWith(prefix) && /^[0-9a-f]{8}\.data$/.test(name.slice(prefix.length));
    if (isData && name !== current) await rm(join(folder, name), { force: true });
  }
}
