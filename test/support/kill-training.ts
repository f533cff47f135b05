import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, watch } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readCheckpoint } from '../../schemas/checkpoint/load.ts';
import type { Random } from '../../schemas/random.ts';
import { filesIn, startCli } from './cli.ts';

/** What became of trainings that were killed again and again. */
export interface Killed {
  readonly kills: number;
  /** Of them, those that waited for a checkpoint to be begun. */
  readonly aimed: number;
  /** Kills that left a checkpoint half written, or half removed. */
  readonly halfWritten: number;
  /** Trainings that came to their end in spite of it, whose files are to be compared. */
  readonly runs: readonly string[];
}

const checkpointsIn = (run: string): string[] =>
  existsSync(run) ? readdirSync(run).filter((name) => name.startsWith('checkpoint-')) : [];

/** When a process is killed. */
interface Instant {
  /** Milliseconds after it took the folder. */
  readonly after: number;
  /** Then, at the moment when the next temporary folder of a checkpoint has so many files. */
  readonly files?: number;
}

/** Milliseconds within which a temporary folder is looked at, again and again. */
const LOOK = 50;

/**
 * Trains, killing the process (SIGKILL) after it took the folder, and resumes it, until so many kills are done; every
 * training is brought to its end. Half of the kills come at any instant, half while a checkpoint is written or removed.
 *
 * @param args of a training without its folder
 * @param within milliseconds after the lock appeared
 * @throws Error where a kill left a checkpoint that is not as it was saved, or fewer steps than were saved before
 */
export async function killTrainings(
  built: string,
  folder: string,
  args: readonly string[],
  { kills, within, random }: { kills: number; within: number; random: Random },
): Promise<Killed> {
  const found = { kills: 0, aimed: 0, halfWritten: 0, runs: [] as string[] };
  while (found.kills < kills) {
    const name = `killed ${found.runs.length}`;
    found.runs.push(name);
    let done = false;
    while (!done) {
      const run = join(folder, name);
      const before = newestIn(run);
      const whole = [...args, '--out', name, ...(before === '' ? [] : ['--resume'])];
      if (found.kills >= kills) {
        const { code, stderr } = await startCli(built, whole, folder).ended;
        if (code !== 0) throw new Error(`${name}: resumed after kills, it ended with ${code}: ${stderr}`);
        done = true;
        continue;
      }
      const after = random.nextUniform() * within;
      const aimed = found.kills % 2 === 1;
      const instant: Instant = aimed ? { after, files: random.nextBelow(5) } : { after };
      done = await trainOrDie(built, folder, whole, join(run, 'training.lock'), instant);
      if (done) continue;
      found.kills++;
      if (aimed) found.aimed++;
      if (readdirSync(run).some(isTemporary)) found.halfWritten++;
      for (const checkpoint of checkpointsIn(run)) await readCheckpoint(join(run, checkpoint));
      if (newestIn(run) < before) throw new Error(`${name}: a kill took ${before} away`);
    }
  }
  return found;
}

const newestIn = (run: string): string => checkpointsIn(run).sort().at(-1) ?? '';
const isTemporary = (name: string): boolean => name.startsWith('.checkpoint');

/** A lock, which may go at any instant. */
function textOf(lock: string): string {
  try {
    return readFileSync(lock, 'utf8');
  } catch {
    return '';
  }
}

/** Whether the training came to its end before it was to be killed. */
async function trainOrDie(
  built: string,
  cwd: string,
  args: readonly string[],
  lock: string,
  { after, files }: Instant,
): Promise<boolean> {
  const before = textOf(lock);
  const child = spawn(process.execPath, [join(built, 'dist', 'cli', 'main.js'), ...args], { cwd });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => {
    child.on('close', resolve);
  });
  const over = { is: false };
  void ended.then(() => {
    over.is = true;
  });
  const taken = (): boolean => !['', before].includes(textOf(lock));
  while (!over.is && !taken()) await delay(2);
  await Promise.race([delay(after), ended]);
  if (files !== undefined && !over.is) await beingWritten(dirname(lock), files, ended);
  child.kill('SIGKILL');
  const code = await ended;
  if (code !== null && code !== 0)
    throw new Error(`a training that was to be killed ended with ${code}: ${stderr}`);
  return code === 0;
}

/** Waits until a temporary folder with so many files, or one that has gone again, is in the folder of a run. */
async function beingWritten(run: string, files: number, ended: Promise<unknown>): Promise<void> {
  const watcher = watch(run);
  const seen = new Promise<string>((resolve) => {
    watcher.on('change', (_, name) => {
      if (isTemporary(String(name))) resolve(String(name));
    });
  });
  const name = await Promise.race([seen, ended]);
  watcher.close();
  if (typeof name !== 'string') return;
  const until = performance.now() + LOOK;
  // No turn of the event loop in between: files follow one another within a millisecond.
  while (performance.now() < until) {
    try {
      if (readdirSync(join(run, name)).length >= files) return;
    } catch {
      return;
    }
  }
}

/** What a training leaves: its history and its last checkpoint. */
export function leftIn(run: string): Map<string, Buffer> {
  const last = checkpointsIn(run).sort().at(-1) ?? '';
  return new Map(
    [...filesIn(run)].filter(([path]) => path === '/history.jsonl' || path.startsWith(`/${last}/`)),
  );
}
