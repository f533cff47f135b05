/**
 * `bitspike serve` against the least that answers the same requests, node:http and onnxruntime-node. Both serve the
 * ensemble of `examples/web`, one digit in a request; a process of its own asks, over connections that are kept alive.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { type Findings, median, type Row, rounded } from './harness.ts';
import { integers } from './options.ts';
import type { LoadResult } from './serve/load.ts';

/** Compiled, this file is in `dist/bench`. */
const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const model = join(dirname(at('..')), 'examples/web/public/models/digits.onnx');

interface Side {
  /** Address of its model. */
  readonly address: string;
  /** Seconds of the processor that it has used so far; undefined where the system does not tell. */
  processorTime(): Promise<number | undefined>;
  close(): Promise<void>;
}

/** Starts a server, and waits until it says where it listens. */
async function start(script: string, args: readonly string[]): Promise<Side> {
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

interface Measured extends LoadResult {
  /** Microseconds of the processor per request. */
  readonly processorTime: number;
}

async function loadOn(side: Side, connections: number, seconds: number): Promise<Measured> {
  const before = await side.processorTime();
  const args = [at('./serve/load.js'), side.address, String(connections), String(seconds)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const result = JSON.parse(stdout) as LoadResult;
  const used = ((await side.processorTime()) ?? Number.NaN) - (before ?? Number.NaN);
  return { ...result, processorTime: (1e6 * used) / result.requests };
}

interface Figures {
  readonly perSecond: number;
  readonly processorTime: number;
  readonly p50: number;
  readonly p99: number;
  readonly refused: number;
}

const figuresOf = (results: readonly Measured[]): Figures => ({
  perSecond: median(results.map(({ requests, seconds }) => requests / seconds)),
  processorTime: median(results.map(({ processorTime }) => processorTime)),
  p50: median(results.map(({ p50 }) => p50)),
  p99: median(results.map(({ p99 }) => p99)),
  refused: results.reduce((sum, { refused }) => sum + refused, 0),
});

const rowsOf = (connections: number, ours: Figures, theirs: Figures): Row[] =>
  (
    [
      ['perSecond', 'requests/s', '/s'],
      ['p50', 'p50', 'ms'],
      ['p99', 'p99', 'ms'],
      ['processorTime', 'processor time', 'µs/request'],
    ] as const
  )
    .filter(([key]) => !Number.isNaN(ours[key]))
    .map(([key, title, unit]) => ({
      name: `${connections} connections: ${title}`,
      peer: 'node:http',
      ours: rounded(ours[key]),
      theirs: rounded(theirs[key]),
      unit,
      ratio: rounded(ours[key] / theirs[key]),
    }));

/** Takes turns: ours, theirs, ours, theirs, … */
async function compare(connections: readonly number[], seconds: number, rounds: number): Promise<Findings> {
  const ours = await start(at('../cli/main.js'), ['serve', model, '--port', '0', '--threads', '1']);
  const theirs = await start(at('./serve/bare-server.js'), [model]);
  const rows: Row[] = [];
  const notes: string[] = [];
  try {
    for (const side of [ours, theirs]) await loadOn(side, 8, 3);
    for (const count of connections) {
      const results: [Measured[], Measured[]] = [[], []];
      for (let round = 0; round < rounds; round++) {
        results[0].push(await loadOn(ours, count, seconds));
        results[1].push(await loadOn(theirs, count, seconds));
      }
      const [own, other] = results.map(figuresOf) as [Figures, Figures];
      rows.push(...rowsOf(count, own, other));
      if (own.refused > 0) notes.push(`${count} connections: ${own.refused} requests were refused by ours`);
    }
  } finally {
    await ours.close();
    await theirs.close();
  }
  return {
    rows,
    notes: [
      ...notes,
      'requests/s: above 1, ours is faster; the others: below 1, ours is faster; processor time: of all threads of the server',
    ],
  };
}

/** Megabytes that a server of ours says it has. */
async function memoryOf({ address }: Side): Promise<number> {
  const text = await (await fetch(new URL('/metrics', address))).text();
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1]) / 1e6;
}

/** Asks for a long time, and looks at the memory ten times: flat, it does not grow. */
async function soak(minutes: number): Promise<Findings> {
  const side = await start(at('../cli/main.js'), ['serve', model, '--port', '0', '--threads', '1']);
  try {
    await loadOn(side, 8, 10);
    const seconds = 60 * minutes;
    const load = loadOn(side, 8, seconds);
    const rows: Row[] = [];
    const first = await memoryOf(side);
    for (let part = 1; part <= 10; part++) {
      await delay((1000 * seconds) / 10);
      const now = await memoryOf(side);
      rows.push({
        name: `after ${((part * minutes) / 10).toFixed(1)} min`,
        peer: 'after 10 s',
        ours: rounded(now),
        theirs: rounded(first),
        unit: 'MB',
        ratio: rounded(now / first),
      });
    }
    const { requests, refused } = await load;
    return { rows, notes: [`${requests} requests, ${refused} of them refused`] };
  } finally {
    await side.close();
  }
}

export const run = async (given: string[]): Promise<Findings> => {
  const { values } = parseArgs({
    args: given,
    options: {
      connections: { type: 'string', default: '1,8,64' },
      seconds: { type: 'string', default: '3' },
      rounds: { type: 'string', default: '3' },
      soak: { type: 'string' },
    },
  });
  if (values.soak !== undefined) return soak(integers('soak', values.soak)[0]!);
  const [seconds, rounds] = [integers('seconds', values.seconds)[0]!, integers('rounds', values.rounds)[0]!];
  return compare(integers('connections', values.connections), seconds, rounds);
};
