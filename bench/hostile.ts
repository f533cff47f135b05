/**
 * Hostile files of every format for every command that reads files: each must be taken or refused in one line, in bounded
 * time and memory, and nothing but the folder to write into may change. Rows count inputs, not time.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { UserError } from '../schemas/errors.ts';
import type { Findings, Row } from './harness.ts';
import type { Judged } from './hostile/case.ts';
import { prepare, runCases, runProcess } from './hostile/watch.ts';

/** How often inputs of one kind, or for one command, were refused, taken or did harm. */
export interface HostileRow extends Row {
  readonly inputs: number;
  readonly refused: number;
  readonly taken: number;
  readonly faults: number;
}

/** Of inputs by processes of their own: every so many. */
const WHOLE = 1e9;

function integer(name: string, text: string, least: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= WHOLE) return value;
  throw new UserError(`--${name} is '${text}'; give an integer from ${least} to ${WHOLE}.`);
}

/** `--runs 20000 --seed 1 --from 0 --processes 200 --seconds 60 --megabytes 1500`. */
export const run = async (options: string[]): Promise<Findings> => {
  const { values } = parseArgs({
    args: options,
    options: {
      runs: { type: 'string', default: '20000' },
      seed: { type: 'string', default: '1' },
      from: { type: 'string', default: '0' },
      processes: { type: 'string', default: '200' },
      seconds: { type: 'string', default: '60' },
      megabytes: { type: 'string', default: '1500' },
    },
  });
  const runs = integer('runs', values.runs, 1);
  const seed = integer('seed', values.seed, 0);
  const from = integer('from', values.from, 0);
  const processes = integer('processes', values.processes, 0);
  const seconds = integer('seconds', values.seconds, 1);
  const limits = { seconds, bytes: integer('megabytes', values.megabytes, 1) * 1e6 };
  const folder = await mkdtemp(join(tmpdir(), 'bitspike-hostile-'));
  const all: Judged[] = [];
  const tell = (judged: Judged): void => {
    all.push(judged);
    if (judged.fault !== undefined) console.error(faultText(judged));
    if (all.length % 500 === 0)
      console.error(`${all.length} of ${runs + processes}; --from ${judged.number + 1} goes on here`);
  };
  const started = performance.now();
  try {
    await prepare(folder);
    const numbers = Array.from({ length: runs }, (_, index) => from + index);
    await runCases(seed, numbers, folder, limits, tell);
    for (let index = 0; index < processes; index++) {
      const number = from + Math.floor((index * runs) / processes);
      const judged = await runProcess(seed, number, folder, seconds);
      tell(judged);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const took = (performance.now() - started) / 1000;
  const rows = [
    ...counted('kind', all, ({ kind }) => kind),
    ...counted('command', all, ({ args }) => args[0] ?? ''),
  ];
  const slowest = all.reduce((slow, each) => (each.seconds > slow.seconds ? each : slow), all[0] as Judged);
  const faults = all.filter(({ fault }) => fault !== undefined);
  if (faults.length > 0) process.exitCode = 1;
  return {
    rows,
    table: tableOf(rows),
    notes: [
      `${all.length} inputs, ${processes} of them again by processes of their own: ${faults.length} faults, in ${took.toFixed(0)} s`,
      `the slowest took ${slowest.seconds.toFixed(1)} s: ${slowest.kind}, ${slowest.args[0]}, number ${slowest.number}`,
      ...faults.slice(0, 50).map(faultText),
    ],
  };
};

const faultText = ({ number, kind, args, fault }: Judged): string =>
  `number ${number}, ${kind}: ${fault} (bitspike ${args.join(' ')})`;

function counted(of: string, all: readonly Judged[], nameOf: (judged: Judged) => string): HostileRow[] {
  const names = [...new Set(all.map(nameOf))].sort();
  return names.map((name) => {
    const mine = all.filter((judged) => nameOf(judged) === name);
    const faults = mine.filter(({ fault }) => fault !== undefined).length;
    const taken = mine.filter(({ code, fault }) => code === 0 && fault === undefined).length;
    return {
      name,
      peer: of,
      ours: mine.length,
      theirs: null,
      unit: 'inputs',
      ratio: null,
      inputs: mine.length,
      refused: mine.length - faults - taken,
      taken,
      faults,
    };
  });
}

function tableOf(rows: readonly HostileRow[]): string {
  const cells = [
    ['', 'inputs', 'refused', 'taken', 'faults'],
    ...rows.map((row) => [
      `${row.peer} ${row.name}`,
      ...[row.inputs, row.refused, row.taken, row.faults].map(String),
    ]),
  ];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)));
  return cells
    .map((line) =>
      line
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
        .join('  '),
    )
    .join('\n');
}
