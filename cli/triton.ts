import { randomBytes } from 'node:crypto';
import { rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { reportOnnx, tritonConfig } from '../export/index.ts';
import { makeFolder, renameFolder, syncFolder, writeFolder } from '../schemas/checkpoint/durable.ts';
import { reasonOf, UserError } from '../schemas/errors.ts';

/** The model in a repository is called as its file is. */
const nameOf = (file: string): string => basename(file).replace(/\.onnx$/, '');

/** @throws UserError where a model of that name is there already */
export async function checkTriton(repository: string, file: string): Promise<void> {
  const folder = join(repository, nameOf(file));
  if (await stat(folder).catch(() => undefined)) {
    throw new UserError(`${folder}: is there already; remove it, or name the model otherwise with --out`);
  }
}

/**
 * Adds a network to a model repository of Triton: all of it is there, or nothing.
 *
 * @returns the folder of the model
 * @throws UserError where it cannot be written, or a model of that name is there
 */
export async function writeTriton(repository: string, file: string, bytes: Uint8Array): Promise<string> {
  const name = nameOf(file);
  const config = tritonConfig(name, reportOnnx(bytes, file));
  await checkTriton(repository, file);
  const folder = join(repository, name);
  const temporary = join(repository, `.${name}.tmp-${randomBytes(4).toString('hex')}`);
  try {
    await makeFolder(repository);
    await writeFolder(temporary, { 'config.pbtxt': Buffer.from(config) });
    await writeFolder(join(temporary, '1'), { 'model.onnx': bytes });
    await syncFolder(temporary);
    await renameFolder(temporary, folder);
    await syncFolder(repository);
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw new UserError(`${folder}: cannot be written: ${reasonOf(cause)}`, { cause });
  }
  return folder;
}
