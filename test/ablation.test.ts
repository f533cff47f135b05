import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ablate } from '../bench/ablation.ts';
import { type Cell, cellsOf, nameOf, settingsOf } from '../bench/ablation/cells.ts';
import { keep, readKept } from '../bench/ablation/kept.ts';
import type { Outcome, Settings } from '../bench/ablation/measure.ts';
import { markdownTable, rowsOf, spreadOf } from '../bench/ablation/summary.ts';
import { estimators } from '../train/index.ts';
import { patternData } from './support/data.ts';
import { lineOf } from './support/error-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'bitspike-ablation-'));
afterAll(() => rmSync(folder, { recursive: true }));

const settings: Settings = { hidden: [12], epochs: 40, penaltyWeight: 1e-6, members: 2 };
const cells = cellsOf([4]);

const outcomeOf = (accuracy: number): Outcome => ({
  mean: { accuracy: accuracy - 0.1, nll: 0.5, ece: 0.02 },
  ensemble: { accuracy, nll: 0.4, ece: 0.01 },
  seconds: 2,
});
const straight = { estimator: 'straightThrough', penalty: 'none', posterior: 'gaussian' } as const;

describe('the cells', () => {
  test('every estimator of the library, with each penalty, posterior and seed once', () => {
    const used = new Set(
      cells.map((cell) => settingsOf(cell).estimator).map((made) => (made as { name: string }).name),
    );
    expect([...used].toSorted()).toEqual(Object.keys(estimators).toSorted());
    const all = cellsOf([4, 5]).map((cell) => `${nameOf(cell)}/${cell.seed}`);
    expect(new Set(all).size).toBe(7 * 2 * 2 * 2);
    expect(all).toHaveLength(7 * 2 * 2 * 2);
  });
});

describe('what is kept', () => {
  const [first, second] = cells as [Cell, Cell];

  test('comes back, without a line that was cut off', async () => {
    const file = join(folder, 'cut.jsonl');
    expect(await readKept(file, settings)).toEqual([]);
    await keep(file, settings, { cell: first, outcome: outcomeOf(0.9) });
    const whole = readFileSync(file, 'utf8');
    writeFileSync(file, `${whole}{"cell":{"estim`);
    const kept = [{ cell: first, outcome: outcomeOf(0.9) }];
    expect(await readKept(file, settings)).toEqual(kept);
    await keep(file, settings, { cell: second, outcome: outcomeOf(0.8) });
    expect(await readKept(file, settings)).toEqual([...kept, { cell: second, outcome: outcomeOf(0.8) }]);
  });

  test('is refused where it is of other settings, or something else', async () => {
    const file = join(folder, 'other.jsonl');
    await keep(file, settings, { cell: first, outcome: outcomeOf(0.9) });
    expect(await lineOf(() => readKept(file, { ...settings, epochs: 3 }))).toMatch(/line 1 .*"epochs":40/);
    writeFileSync(file, '{"cell":1}\n');
    expect(await lineOf(() => readKept(file, settings))).toMatch(/line 1 is no cell/);
    writeFileSync(file, 'nonsense\n');
    expect(await lineOf(() => readKept(file, settings))).toMatch(/line 1 is not JSON/);
  });

  test('is not trained again, and what is missing is', { timeout: 30_000 }, async () => {
    const file = join(folder, 'resumed.jsonl');
    const missing = cells.at(-3)!;
    for (const cell of cells) {
      if (cell !== missing) await keep(file, settings, { cell, outcome: outcomeOf(0.125) });
    }
    const told: Cell[] = [];
    const data = { train: patternData(512), test: patternData(64) };
    const onFinished = ({ cell }: { cell: Cell }) => told.push(cell);
    const rows = await ablate({ settings, seeds: [4], data, threads: 1, file, onFinished });
    expect(told).toEqual([missing]);
    expect(rows.map(({ name }) => name)).toEqual(cells.map(nameOf));
    const accuracies = new Map(rows.map(({ name, ensemble }) => [name, ensemble.accuracy.mean]));
    expect(accuracies.get(nameOf(missing))).toBeGreaterThan(0.5);
    accuracies.delete(nameOf(missing));
    expect(new Set(accuracies.values())).toEqual(new Set([0.125]));
    expect(await readKept(file, settings)).toHaveLength(cells.length);
  });
});

describe('the summary', () => {
  test('has the mean and the standard deviation with n − 1', () => {
    expect(spreadOf([1, 2, 6])).toEqual({ mean: 3, deviation: 2.6458 });
    expect(spreadOf([0.25])).toEqual({ mean: 0.25, deviation: null });
  });

  test('compares the errors of ensembles with those of straight-through', () => {
    const penalised = { ...straight, estimator: 'surrogate', penalty: 'membrane' } as const;
    const rows = rowsOf([
      { cell: { ...straight, seed: 1 }, outcome: outcomeOf(0.9) },
      { cell: { ...penalised, seed: 1 }, outcome: outcomeOf(0.95) },
      { cell: { ...straight, seed: 2 }, outcome: outcomeOf(0.8) },
    ]);
    expect(rows).toMatchObject([
      { name: 'straightThrough/none/gaussian', ours: 15, theirs: 15, ratio: 1, seeds: [1, 2] },
      {
        name: 'surrogate/membrane/gaussian',
        peer: 'straightThrough/none/gaussian',
        ours: 5,
        theirs: 15,
        unit: '%',
        ratio: 0.33333,
      },
    ]);
    expect(rows[0]).toMatchObject({
      ensemble: { accuracy: { mean: 0.85, deviation: 0.070711 } },
      mean: { accuracy: { mean: 0.75 }, nll: { mean: 0.5, deviation: 0 } },
      seconds: 2,
    });
    const [, , line] = markdownTable(rows).split('\n');
    expect(line).toMatch(
      /^\| straightThrough\/none\/gaussian +\| 75\.00 ± 7\.07 +\| 0\.5000 ± 0\.0000 +\| 2\.00 ± 0\.00/,
    );
  });
});
