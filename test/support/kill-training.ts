import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../../schemas/random.ts';
import { filesIn, startCli } from './cli.ts';

/** What became of trainings that were killed again and again. */
export interface Killed {
  readonly kills: number;
  /** Kills that left a checkpoint half written. */
  readonly halfWritten: number;
  /** Trainings that came to their end in spite of it, whose files are to be compared. */
  readonly runs: readonly string[];
}

const checkpointsIn = (run: string): string[] =>
  existsSync(run) ? readdirSync(run).filter((name) => name.startsWith('checkpoint-')) : [];

/**
 * Trains, killing the process (SIGKILL) at random instants after it took the folder, and resumes it, until so many
 * kills are done; every training is brought to its end.
 *
 * @param args of a training without its folder
 * @param within milliseconds after the lock appeared
 */
export async function killTrainings(
  built: string,
  folder: string,
  args: readonly string[],
  { kills, within, random }: { kills: number; within: number; random: Random },
): Promise<Killed> {
  const found = { kills: 0, halfWritten: 0, runs: [] as string[] };
  while (found.kills < kills) {
    const name = `killed ${found.runs.length}`;
    found.runs.push(name);
    let done = false;
    while (!done) {
      const run = join(folder, name);
      const resume = checkpointsIn(run).length > 0 ? ['--resume'] : [];
      const whole = [...args, '--out', name, ...resume];
      if (found.kills >= kills) {
        const { code, stderr } = await startCli(built, whole, folder).ended;
        if (code !== 0) throw new Error(`${name}: resumed after kills, it ended with ${code}: ${stderr}`);
        done = true;
        continue;
      }
      done = await trainOrDie(
        built,
        folder,
        whole,
        join(run, 'training.lock'),
        random.nextUniform() * within,
      );
      if (done) continue;
      found.kills++;
      if (readdirSync(run).some((entry) => entry.startsWith('.checkpoint'))) found.halfWritten++;
    }
  }
  return found;
}

/** Whether the training came to its end before it was to be killed. */
async function trainOrDie(
  built: string,
  cwd: string,
  args: readonly string[],
  lock: string,
  after: number,
): Promise<boolean> {
  const before = existsSync(lock) ? readFileSync(lock, 'utf8') : '';
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
  const taken = (): boolean => existsSync(lock) && readFileSync(lock, 'utf8') !== before;
  while (!over.is && !taken()) await delay(2);
  await Promise.race([delay(after), ended]);
  child.kill('SIGKILL');
  const code = await ended;
  if (code !== null && code !== 0)
    throw new Error(`a training that was to be killed ended with ${code}: ${stderr}`);
  return code === 0;
}

/** What a training leaves: its history and its last checkpoint. */
export function leftIn(run: string): Map<string, Buffer> {
  const last = checkpointsIn(run).sort().at(-1) ?? '';
  return new Map(
    [...filesIn(run)].filter(([path]) => path === '/history.jsonl' || path.startsWith(`/${last}/`)),
  );
}
