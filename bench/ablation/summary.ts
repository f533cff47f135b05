import type { Row } from '../harness.ts';
import { nameOf } from './cells.ts';
import type { Finished } from './kept.ts';
import type { Scores } from './measure.ts';

/** Over seeds; of a single one no deviation is known. */
export interface Spread {
  readonly mean: number;
  /** Standard deviation, with n − 1. */
  readonly deviation: number | null;
}

export type SpreadScores = Readonly<Record<keyof Scores, Spread>>;

/** A combination over its seeds. `ours` and `theirs` are the errors of the ensembles, in percent. */
export interface AblationRow extends Row {
  readonly seeds: readonly number[];
  readonly mean: SpreadScores;
  readonly ensemble: SpreadScores;
  /** That a training took, on average. */
  readonly seconds: number;
}

export const spreadOf = (values: readonly number[]): Spread => {
  const mean = averageOf(values);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    mean: rounded(mean),
    deviation: values.length > 1 ? rounded(Math.sqrt(squares / (values.length - 1))) : null,
  };
};

/** A row for each combination, in the order in which the cells come; the peer is plain straight-through. */
export const rowsOf = (finished: readonly Finished[]): AblationRow[] => {
  const groups = new Map<string, Finished[]>();
  for (const one of finished) {
    const name = nameOf(one.cell);
    groups.set(name, [...(groups.get(name) ?? []), one]);
  }
  const errorOf = (name: string): number | null => {
    const found = groups.get(name);
    return found
      ? rounded(100 * (1 - averageOf(found.map(({ outcome }) => outcome.ensemble.accuracy))))
      : null;
  };
  return [...groups].map(([name, group]) => {
    const peer = nameOf({ ...group[0]!.cell, estimator: 'straightThrough', penalty: 'none' });
    const [ours, theirs] = [errorOf(name), errorOf(peer)];
    return {
      name,
      peer,
      ours,
      theirs,
      unit: '%',
      ratio: ours !== null && theirs ? rounded(ours / theirs) : null,
      seeds: group.map(({ cell }) => cell.seed),
      mean: spreadScores(group.map(({ outcome }) => outcome.mean)),
      ensemble: spreadScores(group.map(({ outcome }) => outcome.ensemble)),
      seconds: rounded(averageOf(group.map(({ outcome }) => outcome.seconds))),
    };
  });
};

const spreadScores = (scores: readonly Scores[]): SpreadScores => ({
  accuracy: spreadOf(scores.map(({ accuracy }) => accuracy)),
  nll: spreadOf(scores.map(({ nll }) => nll)),
  ece: spreadOf(scores.map(({ ece }) => ece)),
});

const averageOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Five digits: of an accuracy that is one more than the test set can tell. */
const rounded = (value: number): number => Number(value.toPrecision(5));

const columns: readonly {
  readonly title: string;
  readonly of: (row: AblationRow) => Spread;
  readonly scale: number;
  readonly digits: number;
}[] = (['mean', 'ensemble'] as const).flatMap((way) => [
  { title: `${way}: accuracy %`, of: (row: AblationRow) => row[way].accuracy, scale: 100, digits: 2 },
  { title: 'NLL', of: (row: AblationRow) => row[way].nll, scale: 1, digits: 4 },
  { title: 'ECE %', of: (row: AblationRow) => row[way].ece, scale: 100, digits: 2 },
]);

/** The rows as a Markdown table, each figure as mean ± standard deviation over the seeds. */
export const markdownTable = (rows: readonly AblationRow[]): string => {
  const cells = rows.map((row) => [
    row.name,
    ...columns.map(({ of, scale, digits }) => {
      const { mean, deviation } = of(row);
      const shown = (value: number) => (value * scale).toFixed(digits);
      return deviation === null ? shown(mean) : `${shown(mean)} ± ${shown(deviation)}`;
    }),
  ]);
  const all = [['estimator/penalty/posterior', ...columns.map(({ title }) => title)], ...cells];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((line) => line[column]!.length)));
  const line = (texts: readonly string[]) =>
    `| ${texts.map((text, column) => text.padEnd(widths[column]!)).join(' | ')} |`;
  const [head, ...body] = all;
  return [line(head!), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
};
