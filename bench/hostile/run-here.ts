/** One command in this process, as the command line runs it, and what is to be held against it. */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from '../../cli/program.ts';

/** What a command said, and how it ended. */
export interface Ended {
  readonly code: number | null;
  readonly stderr: string;
  readonly seconds: number;
}

/** Seconds after which a command is told to stop, as by Ctrl-C. */
const PATIENCE = 10;

type Write = typeof process.stdout.write;

/** As Ctrl-C does; where nobody listens, nothing is under way that could be stopped. */
const stop = (): void => {
  if (process.listenerCount('SIGINT') > 0) process.emit('SIGINT', 'SIGINT');
};

/**
 * Runs the command line in this process with its output caught. One that serves is told to stop once it listens, and
 * one that takes long is, as a user would: what trains for an hour is no mistake.
 *
 * @param patience seconds until then
 */
export async function runHere(args: readonly string[], patience = PATIENCE): Promise<Ended> {
  let stderr = '';
  const started = performance.now();
  const { stdout, stderr: errors } = process;
  const before = { out: stdout.write, error: errors.write, console: console.error, warn: console.warn };
  stdout.write = ((text: string | Uint8Array) => {
    if (String(text).includes('/v2/models/')) setImmediate(stop);
    return true;
  }) as Write;
  errors.write = ((text: string | Uint8Array, ...more: unknown[]) => {
    stderr += String(text);
    const told = more.find((each) => typeof each === 'function');
    if (told) setImmediate(told as () => void);
    return true;
  }) as Write;
  console.error = (...parts: unknown[]) => {
    stderr += `${parts.map(String).join(' ')}\n`;
  };
  console.warn = console.error;
  const late = setInterval(stop, patience * 1000);
  try {
    const code = await runProgram(args);
    // Rejections that nobody awaits come up before the next turn.
    await new Promise((resolve) => setImmediate(resolve));
    return { code, stderr, seconds: (performance.now() - started) / 1000 };
  } finally {
    clearInterval(late);
    stdout.write = before.out;
    errors.write = before.error;
    console.error = before.console;
    console.warn = before.warn;
  }
}

/** Characters that a terminal takes for orders, or for the end of a line. */
// oxlint-disable-next-line no-control-regex -- these are what is looked for
const control = /[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u2028\u2029]/;

/** A line longer than this says nothing clearly. */
const LONGEST = 2000;

/** What is wrong with the way in which a command ended; undefined where it is as it should be. */
export function faultOf({ code, stderr }: Pick<Ended, 'code' | 'stderr'>): string | undefined {
  const lines = stderr === '' ? [] : stderr.replace(/\n$/, '').split('\n');
  const odd = lines.find((line) => !line.startsWith('bitspike: '));
  if (odd !== undefined) return `standard error holds ${JSON.stringify(odd.slice(0, 200))}`;
  const wild = lines.find((line) => control.test(line));
  if (wild !== undefined) return `a line holds control characters: ${JSON.stringify(wild.slice(0, 300))}`;
  const long = lines.find((line) => line.length > LONGEST);
  if (long !== undefined) return `a line of ${long.length} characters: ${long.slice(0, 200)}…`;
  const told = lines.filter((line) => !line.startsWith('bitspike: warning: '));
  if (code === 0) return told.length === 0 ? undefined : `done, and yet it says ${told[0]}`;
  // 130: it took long, and was told to stop.
  if (code !== 1 && code !== 2 && code !== 130) return `exit code ${code}: ${lines[0] ?? ''}`;
  return told.length === 1 ? undefined : `exit code ${code} with ${told.length} lines`;
}

/** All that is in a folder but for one folder of it: names, sizes and times, to be compared. */
export function listingOf(folder: string, except: string): string {
  const lines: string[] = [];
  const visit = (path: string): void => {
    for (const name of readdirSync(path).sort()) {
      const inside = join(path, name);
      if (inside === except) continue;
      const { size, mtimeMs, ino, mode } = lstatSync(inside);
      const isFolder = (mode & 0o170000) === 0o040000;
      lines.push(isFolder ? `${inside}/` : `${inside} ${size} ${mtimeMs} ${ino}`);
      if (isFolder) visit(inside);
    }
  };
  visit(folder);
  return lines.join('\n');
}

/** Temporary files and folders that a command left in the folder it writes into. */
export const leftoversIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
    /(^|[/\\])\.[^/\\]*tmp|\.tmp-|training\.lock$/.test(path),
  );
