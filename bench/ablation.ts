/**
 * What each choice of training does: every gradient estimator, with and without the membrane penalty, for both
 * kinds of posterior, over several seeds on the digits of MNIST. Rows are of quality, not of time.
 */
import { parseArgs } from 'node:util';
import { UserError } from '../schemas/errors.ts';
import { mnist } from '../train/index.ts';
import { type Cell, cellsOf, nameOf } from './ablation/cells.ts';
import { type Finished, keep, readKept } from './ablation/kept.ts';
import { type Data, measureCell, type Settings } from './ablation/measure.ts';
import { type AblationRow, markdownTable, rowsOf } from './ablation/summary.ts';
import type { Findings } from './harness.ts';
import { integers } from './options.ts';

export interface AblationFindings extends Findings {
  readonly rows: AblationRow[];
  readonly table: string;
}

export interface Ablation {
  readonly settings: Settings;
  readonly seeds: readonly number[];
  readonly data: Data;
  readonly threads: number;
  /** A file of JSON lines that keeps finished cells; those in it are not trained again. */
  readonly file?: string | undefined;
  /** Told of every cell when it is finished. */
  readonly onFinished?: ((finished: Finished, done: number, cells: number) => void) | undefined;
}

const keyOf = (cell: Cell): string => `${nameOf(cell)}/${cell.seed}`;

/** Trains the cells that no file has, and sums up all of them. */
export const ablate = async ({ settings, seeds, data, threads, file, onFinished }: Ablation) => {
  const kept = file === undefined ? [] : await readKept(file, settings);
  const known = new Map(kept.map((finished) => [keyOf(finished.cell), finished]));
  const cells = cellsOf(seeds);
  const all: Finished[] = [];
  for (const cell of cells) {
    const before = known.get(keyOf(cell));
    const finished = before ?? { cell, outcome: await measureCell(cell, settings, data, threads) };
    all.push(finished);
    if (before) continue;
    if (file !== undefined) await keep(file, settings, finished);
    onFinished?.(finished, all.length, cells.length);
  }
  return rowsOf(all);
};

/** `--seeds 1,2,3 --hidden 128,128 --epochs 4 --penalty-weight 1e-5 --members 8 --threads 1 --cells FILE`. */
export const run = async (options: string[]): Promise<AblationFindings> => {
  const { values } = parseArgs({
    args: options,
    options: {
      seeds: { type: 'string', default: '1,2,3' },
      hidden: { type: 'string', default: '128,128' },
      epochs: { type: 'string', default: '4' },
      'penalty-weight': { type: 'string', default: '1e-5' },
      members: { type: 'string', default: '8' },
      threads: { type: 'string', default: '1' },
      cells: { type: 'string' },
    },
  });
  const penaltyWeight = Number(values['penalty-weight']);
  if (!(penaltyWeight > 0 && Number.isFinite(penaltyWeight))) {
    throw new UserError(`--penalty-weight is '${values['penalty-weight']}'; give a number above 0.`);
  }
  const settings: Settings = {
    hidden: integers('hidden', values.hidden),
    epochs: integers('epochs', values.epochs)[0]!,
    penaltyWeight,
    members: integers('members', values.members)[0]!,
  };
  const rows = await ablate({
    settings,
    seeds: integers('seeds', values.seeds),
    data: { train: await mnist('train'), test: await mnist('test') },
    threads: integers('threads', values.threads)[0]!,
    file: values.cells,
    onFinished: ({ cell, outcome }, done, cells) => {
      const accuracy = (100 * outcome.ensemble.accuracy).toFixed(2);
      console.error(
        `${done} of ${cells}: ${nameOf(cell)}, seed ${cell.seed}: ${accuracy} %, ${outcome.seconds.toFixed(0)} s`,
      );
    },
  });
  const seconds = rows.reduce((sum, row) => sum + row.seconds * row.seeds.length, 0);
  return {
    rows,
    table: markdownTable(rows),
    notes: [
      `${JSON.stringify(settings)}; mean ± standard deviation over the seeds; the ensembles' errors are ours, those of straight-through theirs`,
      `training took ${seconds.toFixed(0)} s in all`,
    ],
  };
};
