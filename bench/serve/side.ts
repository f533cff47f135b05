import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { LoadResult } from './load.ts';

/** A server in a process of its own. */
export interface Side {
  /** Address of its model. */
  readonly address: string;
  /** Seconds of the processor that it has used so far; undefined where the system does not tell. */
  processorTime(): Promise<number | undefined>;
  close(): Promise<void>;
}

/** Starts a server, and waits until it says where it listens. */
export async function start(script: string, args: readonly string[]): Promise<Side> {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    address: await addressOf(child),
    async processorTime() {
      const stat = await readFile(`/proc/${child.pid}/stat`, 'utf8').catch(() => undefined);
      // After the name in brackets: user and system time of all threads, in hundredths of a second.
      const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
      return fields && (Number(fields[11]) + Number(fields[12])) / 100;
    },
    async close() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

const addressOf = (child: ChildProcess): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const [found] = /http:\S+\/v2\/models\/\w+/.exec(text) ?? [];
      if (found !== undefined) resolve(found);
    });
    child.once('exit', (code) => reject(new Error(`a server ended with code ${code} before it listened`)));
  });

/** Runs a program of this folder in a process of its own. @returns the JSON that it prints */
export async function resultOf<Result>(program: 'load' | 'abuse', args: readonly string[]): Promise<Result> {
  const path = fileURLToPath(new URL(`./${program}.js`, import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [path, ...args]);
  return JSON.parse(stdout) as Result;
}

export interface Measured extends LoadResult {
  /** Microseconds of the processor per request. */
  readonly processorTime: number;
}

/** Asks over so many connections, for so long. */
export async function loadOn(side: Side, connections: number, seconds: number): Promise<Measured> {
  const before = await side.processorTime();
  const result = await resultOf<LoadResult>('load', [side.address, String(connections), String(seconds)]);
  const used = ((await side.processorTime()) ?? Number.NaN) - (before ?? Number.NaN);
  return { ...result, processorTime: (1e6 * used) / result.requests };
}
