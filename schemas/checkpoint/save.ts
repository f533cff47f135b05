import { lstat, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { UserError, reasonOf } from '../errors.ts';
import { codeOf, makeFolder, renameFolder, syncFolder, writeFolder } from './durable.ts';
import { type CheckpointFolder, findCheckpoints, readCheckpoint } from './load.ts';
import { DamageError, checkFileName, encodeManifest, manifestName } from './manifest.ts';
import { checkpointName, isAbandoned, temporaryPath } from './names.ts';

/** Which checkpoints of a run stay. */
export interface SaveOptions {
  /** How many checkpoints of the run stay, the new one included; 2 unless given. */
  readonly keep?: number;
  /** Steps whose checkpoints stay besides, such as that of the best epoch. */
  readonly spare?: readonly number[];
  /** Told in one line of what could not be cleared away; `process.emitWarning` unless given. */
  readonly warn?: (line: string) => void;
}

function checkArguments(step: number, files: Readonly<Record<string, Uint8Array>>, keep: number): void {
  if (!Number.isSafeInteger(step) || step < 0) {
    throw new UserError(`checkpoint: step is ${step}; expected a whole number of 0 or more`);
  }
  if (!Number.isSafeInteger(keep) || keep < 1) {
    throw new UserError(`checkpoint: keep is ${keep}; expected a whole number above 0`);
  }
  for (const name of Object.keys(files)) checkFileName(name);
}

/**
 * Removes a checkpoint: in one instant it is whole under its name, in the next it has none.
 *
 * @throws UserError where the folder has no manifest: something else made it.
 */
async function removeCheckpoint(run: string, { step, path }: CheckpointFolder): Promise<void> {
  try {
    await lstat(join(path, manifestName));
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    throw new UserError(`${path}: has no ${manifestName}, so it is not ours to remove; move it away`, {
      cause: error,
    });
  }
  const temporary = temporaryPath(run, step);
  await renameFolder(path, temporary);
  await rm(temporary, { recursive: true, maxRetries: 3 });
}

/**
 * Makes way for the step: damaged checkpoints of this step or later ones are removed, sound ones stay.
 *
 * @returns whether the run has this very checkpoint already.
 * @throws UserError where it has a later one, or another of this step: that is another training's.
 */
async function makeWay(run: string, step: number, manifest: Uint8Array): Promise<boolean> {
  const damaged: CheckpointFolder[] = [];
  for (const found of await findCheckpoints(run)) {
    if (found.step < step) break;
    try {
      const { files } = await readCheckpoint(found.path);
      if (found.step === step && Buffer.compare(encodeManifest(step, files), manifest) === 0) return true;
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      damaged.push(found);
      continue;
    }
    throw new UserError(
      `${run}: already holds ${basename(found.path)}, which step ${step} would not continue; resume from it or save into another folder`,
    );
  }
  for (const found of damaged) await removeCheckpoint(run, found);
  return false;
}

/** What a failed file operation means to the user; other errors stay as they are. */
function explain(error: unknown, run: string, step: number, size: number): unknown {
  const code = codeOf(error);
  if (error instanceof UserError || code === undefined) return error;
  const name = checkpointName(step);
  const says = (problem: string, advice: string): UserError =>
    new UserError(
      `${run}: ${name} not saved, ${problem} (${code}); ${advice}; earlier checkpoints are unharmed`,
      {
        cause: error,
      },
    );
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return says(`no space for its ${size} bytes`, 'free some and save again');
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return says('the folder cannot be written', 'choose one that you may write to');
    case 'ENOTDIR':
      return says('this is no folder', 'choose another name');
    default:
      return says(reasonOf(error), 'mend that and save again');
  }
}

/**
 * Saves files as the checkpoint `checkpoint-STEP` of a run, so that power may fail at any instant: the run then
 * holds this checkpoint whole, or its earlier ones as they were. One process writes a run at a time.
 *
 * Saving the same again changes nothing. The files hold the bytes given, and the manifest depends on them alone.
 *
 * @param run the folder of all checkpoints of one training; created where missing.
 * @param step how many training steps came before; later than any checkpoint of the run.
 * @param files bytes by name; names of a-z, 0-9, '.', '_' and '-'.
 * @returns the folder of the checkpoint.
 * @throws UserError where it cannot be saved; nothing of it is then left.
 */
export async function saveCheckpoint(
  run: string,
  step: number,
  files: Readonly<Record<string, Uint8Array>>,
  options: SaveOptions = {},
): Promise<string> {
  const { keep = 2, spare = [], warn = (line) => process.emitWarning(line) } = options;
  checkArguments(step, files, keep);
  const manifest = encodeManifest(step, files);
  const size = Object.values(files).reduce((total, { length }) => total + length, manifest.length);
  const path = join(run, checkpointName(step));
  const temporary = temporaryPath(run, step);

  /** Room that cannot be made now can be made at the next saving. */
  const attempt = async (removal: () => Promise<void>): Promise<void> => {
    try {
      await removal();
    } catch (error) {
      warn(`${run}: an old checkpoint stays: ${reasonOf(error)}`);
    }
  };

  try {
    await makeFolder(run);
    for (const name of (await readdir(run)).filter(isAbandoned)) {
      await attempt(() => rm(join(run, name), { recursive: true, force: true, maxRetries: 3 }));
    }
    if (!(await makeWay(run, step, manifest))) {
      await writeFolder(temporary, { ...files, [manifestName]: manifest });
      await renameFolder(temporary, path);
    }
    await syncFolder(run);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
    throw explain(error, run, step, size);
  }

  // Only now is the new one safe, and an old one of no further use.
  await attempt(async () => {
    const old = (await findCheckpoints(run)).slice(keep);
    for (const found of old.filter(({ step }) => !spare.includes(step)))
      await attempt(() => removeCheckpoint(run, found));
  });
  return path;
}
