import { lstat, open, readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { UserError, reasonOf } from '../errors.ts';
import { codeOf } from './durable.ts';
import { DamageError, decodeManifest, manifestName, sha256 } from './manifest.ts';
import { stepOf } from './names.ts';

/** A checkpoint that was read and found as it was saved. */
export interface Checkpoint {
  /** How many training steps came before it. */
  readonly step: number;
  /** Its folder. */
  readonly path: string;
  readonly files: Readonly<Record<string, Uint8Array>>;
}

export interface LoadOptions {
  /** Told in one line of each damaged checkpoint passed over; `process.emitWarning` unless given. */
  readonly warn?: (line: string) => void;
}

/** In bytes; a manifest takes some hundred for each file. */
const longestManifest = 2 ** 20;

/**
 * Reads one file, allocating no more than it holds.
 *
 * @param expect throws where a file of that many bytes cannot be right.
 */
async function readChecked(file: string, expect: (size: number) => void): Promise<Uint8Array> {
  try {
    const status = await lstat(file);
    if (!status.isFile()) throw new DamageError(`${file}: damaged, it is not a plain file`);
    expect(status.size);
    const bytes = new Uint8Array(status.size);
    const handle = await open(file, 'r');
    try {
      let filled = 0;
      while (filled < bytes.length) {
        const { bytesRead } = await handle.read(bytes, filled, Math.min(bytes.length - filled, 2 ** 30));
        if (bytesRead === 0) throw new DamageError(`${file}: damaged, it ended at byte ${filled}`);
        filled += bytesRead;
      }
    } finally {
      await handle.close();
    }
    return bytes;
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    if (code === 'ENOENT') throw new DamageError(`${file}: damaged, the file is missing`, { cause: error });
    throw new UserError(
      `${file}: cannot be read (${reasonOf(error)}); mend that, or move its folder away to go back to an earlier checkpoint`,
      { cause: error },
    );
  }
}

/**
 * Reads the one checkpoint in a folder `checkpoint-…`.
 *
 * @throws UserError, a DamageError unless every file is as it was saved.
 */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const manifestFile = join(path, manifestName);
  const manifestBytes = await readChecked(manifestFile, (size) => {
    if (size > longestManifest) {
      throw new DamageError(`${manifestFile}: damaged, ${size} bytes; expected at most ${longestManifest}`);
    }
  });
  const { step, files: listed } = decodeManifest(manifestBytes, manifestFile);

  const files: Record<string, Uint8Array> = {};
  for (const [name, { bytes: expected, sha256: digest }] of Object.entries(listed)) {
    const file = join(path, name);
    const bytes = await readChecked(file, (size) => {
      if (size !== expected) throw new DamageError(`${file}: damaged, ${size} bytes; ${expected} were saved`);
    });
    if (sha256(bytes) !== digest) {
      throw new DamageError(`${file}: damaged, its sha256 is not the one in ${manifestName}`);
    }
    files[name] = bytes;
  }
  const named = stepOf(basename(resolve(path)));
  if (named !== undefined && named !== step) {
    throw new DamageError(`${manifestFile}: damaged, step is ${step}; its folder says ${named}`);
  }
  return { step, path, files };
}

/** A folder that has a checkpoint's name. */
export interface CheckpointFolder {
  readonly step: number;
  readonly path: string;
}

/** Whether a folder has the name of a checkpoint rather than of a run. */
export const isCheckpoint = (path: string): boolean => stepOf(basename(resolve(path))) !== undefined;

/** As `listCheckpoints`, with errors as the system gives them. */
export async function findCheckpoints(run: string): Promise<CheckpointFolder[]> {
  const entries = await readdir(run, { withFileTypes: true });
  return entries
    .flatMap((entry) => {
      const step = entry.isDirectory() ? stepOf(entry.name) : undefined;
      return step === undefined ? [] : [{ step, path: join(run, entry.name) }];
    })
    .sort((a, b) => b.step - a.step);
}

/**
 * The checkpoints of a run, newest first; none of them is read.
 *
 * @throws UserError where the run is no folder that can be read.
 */
export async function listCheckpoints(run: string): Promise<CheckpointFolder[]> {
  try {
    return await findCheckpoints(run);
  } catch (error) {
    const problem = codeOf(error) === 'ENOENT' ? 'no such folder' : `cannot be read (${reasonOf(error)})`;
    throw new UserError(`${run}: ${problem}; name the folder that training saved into`, { cause: error });
  }
}

/**
 * Reads the newest sound checkpoint of a run, passing over damaged ones with a warning.
 *
 * @param run the folder given to `saveCheckpoint`, or one checkpoint in it, such as `run/checkpoint-000468`.
 * @throws UserError where there is none, or where the newest is of a version unknown here.
 */
export async function loadCheckpoint(run: string, options: LoadOptions = {}): Promise<Checkpoint> {
  const { warn = (line) => process.emitWarning(line) } = options;
  if (isCheckpoint(run)) return readCheckpoint(run);
  const found = await listCheckpoints(run);
  if (found.length === 0) {
    throw new UserError(
      `${run}: holds no checkpoint (no folder such as checkpoint-000100); name the folder that training saved into`,
    );
  }

  const damages: DamageError[] = [];
  for (const { path } of found) {
    try {
      const checkpoint = await readCheckpoint(path);
      for (const { message } of damages) warn(`${message}; went back to ${basename(path)}`);
      return checkpoint;
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      damages.push(error);
    }
  }
  const [newest] = damages;
  throw new UserError(`${newest?.message}; no other checkpoint of ${run} is sound; train again`, {
    cause: newest,
  });
}
