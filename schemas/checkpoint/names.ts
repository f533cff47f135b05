import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

/** The folder of the checkpoint at a step: `checkpoint-000123`. */
export const checkpointName = (step: number): string => `checkpoint-${String(step).padStart(6, '0')}`;

/** The step of a checkpoint's folder, or undefined for any other name. */
export function stepOf(name: string): number | undefined {
  const step = Number(/^checkpoint-(\d{6,16})$/.exec(name)?.[1]);
  return Number.isSafeInteger(step) && checkpointName(step) === name ? step : undefined;
}

/** Tells this run of the program from an earlier one with the same process id, as containers have. */
const session = randomBytes(4).toString('hex');

let temporaries = 0;

/** A new path beside the checkpoints for one that is being written or removed. */
export const temporaryPath = (run: string, step: number): string =>
  join(run, `.${checkpointName(step)}.tmp-${process.pid}-${session}-${temporaries++}`);

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    // Any other failure means that there is such a process, of another user.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Whether the name is that of a temporary folder whose writer no longer runs. */
export function isAbandoned(name: string): boolean {
  const [, processId, itsSession] =
    /^\.checkpoint-\d{6,16}\.tmp-(\d{1,10})-([0-9a-f]{8})-\d+$/.exec(name) ?? [];
  if (processId === undefined || itsSession === session) return false;
  return Number(processId) === process.pid || !isAlive(Number(processId));
}
