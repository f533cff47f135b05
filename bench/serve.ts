/**
 * `bitspike serve` against the least that answers the same requests, node:http and onnxruntime-node. Both serve the
 * ensemble of `examples/web`, one digit in a request; a process of its own asks, over connections that are kept alive.
 */
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Findings, median, type Row, rounded } from './harness.ts';
import { integers } from './options.ts';
import type { AbuseResult } from './serve/abuse.ts';
import { loadOn, type Measured, resultOf, type Side, start } from './serve/side.ts';

/** Compiled, this file is in `dist/bench`. */
const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const model = join(dirname(at('..')), 'examples/web/public/models/digits.onnx');

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

const rowsOf = (name: string, peer: string, ours: Figures, theirs: Figures): Row[] =>
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
      name: `${name}: ${title}`,
      peer,
      ours: rounded(ours[key]),
      theirs: rounded(theirs[key]),
      unit,
      ratio: rounded(ours[key] / theirs[key]),
    }));

/** Seconds. */
const warmUp = 6;

/** Takes turns: ours, theirs, ours, theirs, … */
async function compare(connections: readonly number[], seconds: number, rounds: number): Promise<Findings> {
  const ours = await start(at('../cli/main.js'), ['serve', model, '--port', '0', '--threads', '1']);
  const theirs = await start(at('./serve/bare-server.js'), [model]);
  const rows: Row[] = [];
  const notes: string[] = [];
  try {
    // One at a time goes another way than many, and either takes thousands of requests until V8 has compiled it well.
    for (const side of [ours, theirs]) for (const count of [8, 1]) await loadOn(side, count, warmUp);
    for (const count of connections) {
      const results: [Measured[], Measured[]] = [[], []];
      for (let round = 0; round < rounds; round++) {
        results[0].push(await loadOn(ours, count, seconds));
        results[1].push(await loadOn(theirs, count, seconds));
      }
      const [own, other] = results.map(figuresOf) as [Figures, Figures];
      rows.push(...rowsOf(`${count} connections`, 'node:http', own, other));
      if (own.refused > 0) notes.push(`${count} connections: ${own.refused} requests were refused by ours`);
    }
    const abused = await abuse(ours, seconds, rounds);
    rows.push(...abused.rows);
    notes.push(...abused.notes);
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

const told = (counts: Readonly<Record<string, number>> = {}): string =>
  Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');

/** What those who ask properly notice of others who do not: they take turns being alone. */
async function abuse(side: Side, seconds: number, rounds: number): Promise<Findings> {
  const connections = 8;
  const results: [Measured[], Measured[]] = [[], []];
  let last: AbuseResult | undefined;
  for (let round = 0; round < rounds; round++) {
    const abused = resultOf<AbuseResult>('abuse', [side.address, String(seconds + 1)]);
    // Slow connections have gathered by then.
    await delay(500);
    results[0].push(await loadOn(side, connections, seconds));
    last = await abused;
    results[1].push(await loadOn(side, connections, seconds));
  }
  const [abused, alone] = results.map(figuresOf) as [Figures, Figures];
  return {
    rows: rowsOf(`${connections} connections, with abuse`, 'without', abused, alone),
    notes: [
      `abuse in ${seconds + 1} s: ${told(last?.done)}; answered: ${told(last?.answers)}`,
      `with abuse: ${abused.refused} proper requests were refused; processor time: with that of the abuse`,
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
