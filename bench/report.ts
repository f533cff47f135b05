import { availableParallelism, cpus } from 'node:os';
import type { Findings, Row } from './harness.ts';

/** What the figures were measured on, in one line. */
export const machineLine = (): string => {
  const model = cpus()[0]?.model ?? process.arch;
  const date = new Date().toISOString().slice(0, 10);
  return `${model}, ${availableParallelism()} cores, Node ${process.versions.node}, ${date}`;
};

/** The rows as a plain text table, words to the left and numbers to the right. */
export const table = (rows: readonly Row[]): string => {
  const cells = rows.map((row) => [
    row.name,
    row.peer,
    ...[row.ours, row.theirs].map((value) => (value === null ? '–' : `${value} ${row.unit}`)),
    row.ratio === null ? '–' : String(row.ratio),
  ]);
  const lines = [['name', 'peer', 'ours', 'theirs', 'ours / theirs'], ...cells];
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const align = (cell: string, column: number) =>
    column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!);
  return lines.map((line) => line.map(align).join('  ').trimEnd()).join('\n');
};

/** All that a bench prints; its last line is JSON for programs. */
export const report = (bench: string, { rows, notes, table: own }: Findings): string =>
  [
    machineLine(),
    '',
    own ?? table(rows),
    ...(notes.length > 0 ? ['', ...notes] : []),
    '',
    JSON.stringify({ bench, rows }),
  ].join('\n');
