import { randomBytes } from 'node:crypto';
import { link, open, readFile, rename, rm, rmdir, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { codeOf, makeFolder } from '../schemas/checkpoint/durable.ts';
import { reasonOf, UserError } from '../schemas/errors.ts';

/** The file that says who writes into the folder of a run. */
export const lockName = 'training.lock';

const ownerSchema = z.strictObject({
  process: z.int().positive(),
  host: z.string(),
  /** When the process began, where the system tells; it is another for each process that has the same number. */
  began: z.string(),
});

type Owner = z.infer<typeof ownerSchema>;

/** A folder that this process alone writes into. */
export interface RunLock {
  /** Gives the folder back; where the run left nothing in a folder that it made, takes that away too. */
  release(): Promise<void>;
}

/**
 * Takes the folder of a run for this process, so that no other writes checkpoints between its own. A lock of a
 * process that no longer runs, as after a loss of power, is taken over; no clock has a say in that.
 *
 * @param run created where missing
 * @throws UserError where another process has it, or it cannot be written
 */
export async function lockRun(run: string): Promise<RunLock> {
  const path = join(run, lockName);
  const text = `${JSON.stringify(await ownOwner())}\n`;
  try {
    const isNew = await stat(run).then(
      () => false,
      () => true,
    );
    await makeFolder(run);
    while (!(await create(path, text))) await removeStale(path, run);
    return {
      async release() {
        if ((await readLock(path)) === text) await rm(path, { force: true });
        // Refused where something is in it, as it should be.
        if (isNew) await rmdir(run).catch(() => undefined);
      },
    };
  } catch (cause) {
    if (cause instanceof UserError || codeOf(cause) === undefined) throw cause;
    throw new UserError(`${run}: nothing can be saved there: ${reasonOf(cause)}; choose another folder`, {
      cause,
    });
  }
}

const temporaryOf = (path: string): string => `${path}.tmp-${process.pid}-${randomBytes(4).toString('hex')}`;

/** Makes the file with all its text in one instant; false where there is one already. */
async function create(path: string, text: string): Promise<boolean> {
  const temporary = temporaryOf(path);
  try {
    const handle = await open(temporary, 'wx');
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(temporary, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    // Some file systems know no links; there a lock may be seen before its text is.
    if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EMLINK'].includes(codeOf(error) ?? '')) throw error;
    return await createPlain(path, text);
  } finally {
    await rm(temporary, { force: true });
  }
}

async function createPlain(path: string, text: string): Promise<boolean> {
  try {
    const handle = await open(path, 'wx');
    try {
      await handle.writeFile(text);
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

const readLock = async (path: string): Promise<string | undefined> =>
  readFile(path, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });

/** Makes way for a new lock. @throws UserError where the process that has it may still run */
async function removeStale(path: string, run: string): Promise<void> {
  const text = await readLock(path);
  if (text === undefined) return;
  const owner = ownerOf(text);
  if (!owner) {
    throw new UserError(`${path}: is no lock of a training; remove it if nothing trains in ${run}`);
  }
  if (owner.host !== hostname()) {
    throw new UserError(
      `${run}: process ${owner.process} on ${owner.host} trains there; wait for it, or remove ${path} if it no longer runs`,
    );
  }
  if (await runs(owner)) {
    throw new UserError(
      `${run}: process ${owner.process} trains there already; wait for it, or choose another folder`,
    );
  }
  // Another process may do the same at this instant: what is moved away has to be what was read.
  const moved = temporaryOf(path);
  await rename(path, moved).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error;
  });
  if ((await readLock(moved)) !== text) await link(moved, path).catch(() => undefined);
  await rm(moved, { force: true });
}

function ownerOf(text: string): Owner | undefined {
  try {
    return ownerSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

const ownOwner = async (): Promise<Owner> => ({
  process: process.pid,
  host: hostname(),
  began: await beganAt(process.pid),
});

async function runs({ process: id, began }: Owner): Promise<boolean> {
  try {
    process.kill(id, 0);
  } catch (error) {
    // Any other failure means that there is such a process, of another user.
    if (codeOf(error) === 'ESRCH') return false;
  }
  const now = await beganAt(id);
  return began === '' || now === '' || now === began;
}

/** What tells a process from an earlier one of the same number: of which start of the system, and when in it. */
async function beganAt(id: number): Promise<string> {
  try {
    const [boot, status] = await Promise.all([
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      readFile(`/proc/${id}/stat`, 'utf8'),
    ]);
    // The name, in brackets, may hold blanks; the start is the 22nd field, the 20th behind it (proc(5)).
    const began = status.slice(status.lastIndexOf(')') + 2).split(' ')[19] ?? '';
    return `${boot.trim()} ${began}`;
  } catch {
    return '';
  }
}
