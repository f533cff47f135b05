/** A training in a thread of its own against the same in the thread that calls: its steps, and how long the latter waits. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { type Findings, median, type Row, rounded } from './harness.ts';
import { type NetName, nets } from './nets.ts';
import { integers, severalOf } from './options.ts';
import type { SideResult } from './train-thread/side.ts';

const side = fileURLToPath(new URL('./train-thread/side.js', import.meta.url));

async function resultOf(...args: readonly string[]): Promise<SideResult> {
  const { stdout } = await promisify(execFile)(process.execPath, [side, ...args]);
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as SideResult;
}

const titles = [
  ['wall', 'a step'],
  ['processor', 'processor time of a step'],
  ['first', 'to the end of the first epoch'],
  ['lag', 'longest wait of the thread that calls'],
] as const satisfies [keyof SideResult, string][];

/** They take turns, each time in a process of its own. */
async function compare(net: NetName, threads: number, epochs: string, rounds: number): Promise<Row[]> {
  const results: [SideResult[], SideResult[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    for (const [index, where] of (['thread', 'here'] as const).entries())
      results[index]!.push(await resultOf(net, where, String(threads), epochs));
  }
  return titles.map(([key, title]) => {
    const [ours, theirs] = results.map((each) => median(each.map((result) => result[key])));
    return {
      name: `${net}/${threads}: ${title}`,
      peer: 'same thread',
      ours: rounded(ours!),
      theirs: rounded(theirs!),
      unit: 'ms',
      ratio: rounded(ours! / theirs!),
    };
  });
}

export const run = async (given: string[]): Promise<Findings> => {
  const { values } = parseArgs({
    args: given,
    options: {
      nets: { type: 'string', default: 'A,B' },
      threads: { type: 'string', default: '1' },
      rounds: { type: 'string', default: '5' },
      epochs: { type: 'string', default: '6' },
    },
  });
  const [rounds, epochs] = [integers('rounds', values.rounds)[0]!, integers('epochs', values.epochs)[0]!];
  const rows: Row[] = [];
  for (const net of severalOf('nets', values.nets, Object.keys(nets) as NetName[])) {
    for (const threads of integers('threads', values.threads))
      rows.push(...(await compare(net, threads, String(epochs), rounds)));
  }
  return { rows, notes: ['ours: trainInWorker, theirs: trainInFolder, each in a process of its own'] };
};
