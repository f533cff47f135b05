import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freeze, type FreezeOptions, runOracle } from '../export/index.ts';
import { decodePosterior, encodePosterior, loadPosterior } from '../schemas/checkpoint/index.ts';
import { type Posterior } from '../schemas/index.ts';
import { resumeTraining, train, trainInFolder, type TrainingSettings } from '../train/index.ts';
import { scheduled } from '../train/schedule.ts';
import { lineOf } from './support/error-line.ts';
import { networkFor, patternData } from './support/data.ts';

const COUNT = 480;
const WIDTH = 16;

const data = patternData(COUNT);
const model = networkFor(data, 24);

const options = { epochs: 12, batchSize: 48, seed: 3, threads: 1 } as const;
const temperature = { shape: 'exponential', from: 1, to: 0.05, start: 0.4, end: 0.9 } as const;

function accuracyOf(posterior: Posterior, choice: FreezeOptions): number {
  const network = freeze(posterior, choice);
  const { logits } = runOracle(network, network.members[0]!, data.inputs);
  const right = Array.from(data.labels).filter((label, example) => {
    const row = logits.subarray(example * 4, example * 4 + 4);
    return row.indexOf(Math.max(...row)) === label;
  });
  return right.length / COUNT;
}

describe('learning', () => {
  test('a cooled posterior: its mean and its samples are one network', async () => {
    const posterior = await train(model, data, { ...options, temperature });
    expect(posterior).toMatchObject({ family: 'bernoulli', temperature: 0.05 });
    const mean = accuracyOf(posterior, { weights: 'mean' });
    expect(mean).toBeGreaterThan(0.95);
    const sample = accuracyOf(posterior, { weights: 'sample', seed: 1 });
    expect(Math.abs(sample - mean)).toBeLessThan(0.03);
  });

  test.each(['layer', 'channel', 'weight'] as const)(
    'a Gaussian posterior, a scale per %s',
    async (scale) => {
      const posterior = await train(model, data, {
        ...options,
        posterior: { family: 'gaussian', scale },
        otherRates: 1,
        scaleRates: 1,
        divergenceWeight: 0.01,
        noiseScale: { shape: 'exponential', from: 1, to: 0.1, start: 0.5, end: 1 },
      });
      expect(posterior).toMatchObject({ family: 'gaussian', scale });
      expect(accuracyOf(posterior, { weights: 'real' })).toBeGreaterThan(0.95);
    },
  );

  test('a rate of its own for every ρ', async () => {
    const settings: TrainingSettings = { posterior: { family: 'gaussian' }, epochs: 1, learningRate: 0.01 };
    const slow = await train(model, data, { ...options, ...settings, scaleRates: 1e-9 });
    const fast = await train(model, data, { ...options, ...settings, scaleRates: 10 });
    const start = Math.log(Math.expm1(0.5 / Math.sqrt(WIDTH)));
    expect(slow.learned['0.dense.weight.rho']!.data[0]).toBeCloseTo(start, 6);
    expect(fast.learned['0.dense.weight.rho']!.data[0]).not.toBeCloseTo(start, 2);
  });
});

describe('schedules', () => {
  test('an exponential way takes equal factors in equal times', () => {
    const values = [0, 0.4, 0.65, 0.9, 1].map((progress) =>
      scheduled({ ...temperature, to: 0.01 }, progress),
    );
    expect(values).toEqual([1, 1, expect.closeTo(0.1, 12), 0.01, 0.01]);
  });

  test.each([
    [{ temperature: 0 }, /^train: temperature: expected numbers above 0$/],
    [{ temperature: { shape: 'linear', from: 1, to: 0 } }, /^train: temperature: expected numbers above 0$/],
    [{ noiseScale: -1 }, /^train: noiseScale: expected numbers above 0$/],
    [{ learningRate: { shape: 'exponential', from: 1, to: 0 } }, /^train: learningRate: /],
    [{ posterior: { family: 'gaussian' }, temperature }, /^train: temperature: cools a Bernoulli posterior/],
    [{ posterior: { family: 'laplace' } }, /^train: posterior/],
    [{ posterior: { family: 'gaussian', scale: 'row' } }, /^train: posterior\.scale/],
    [{ posterior: { family: 'gaussian', prior: 0 } }, /^train: posterior\.prior/],
    [{ posterior: { family: 'bernoulli', prior: 1 } }, /^train: unknown option 'prior' in posterior/],
    [{ scaleRates: 0 }, /^train: scaleRates/],
  ] as const)('%j is refused in one line', async (settings, line) => {
    expect(await lineOf(() => train(model, data, settings as TrainingSettings))).toMatch(line);
  });
});

describe('in a folder', () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'bitspike-posterior-'));
  });
  afterAll(() => {
    rmSync(root, { recursive: true });
  });

  /** With what the checkpoint after step 17 of 30 says of its weights. */
  const ways: readonly (TrainingSettings & { readonly name: string; readonly halfway: object })[] = [
    {
      name: 'cooled',
      temperature,
      halfway: { family: 'bernoulli', temperature: scheduled(temperature, 17 / 30) },
    },
    {
      name: 'gaussian',
      posterior: { family: 'gaussian', scale: 'channel' },
      noiseScale: 0.5,
      halfway: { family: 'gaussian', scale: 'channel' },
    },
  ];

  test.each(ways)('a $name training goes on to the same bits', async ({ name, halfway, ...settings }) => {
    const all = { ...options, ...settings, epochs: 3 };
    const run = join(root, name);
    const controller = new AbortController();
    const reason = new Error('stopped by the test');
    const stopped = trainInFolder(run, model, data, {
      ...all,
      signal: controller.signal,
      onProgress: ({ step }) => {
        if (step === 17) controller.abort(reason);
      },
    });
    await expect(stopped).rejects.toBe(reason);
    const middle = await loadPosterior(run);
    expect(middle).toMatchObject(halfway);
    const resumed = await resumeTraining(run, data, { threads: 1 });
    expect(resumed).toEqual(await train(model, data, all));
    expect(await loadPosterior(run)).toEqual(resumed);
    expect(decodePosterior(encodePosterior(resumed), 'files').posterior).toEqual(resumed);
  });

  test('what a file says of a family it lacks, or lacks of it, is refused', async () => {
    const posterior = await train(model, data, { ...options, epochs: 1 });
    const files = encodePosterior(posterior);
    const told = JSON.parse(new TextDecoder().decode(files['model.json'])) as Record<string, unknown>;
    const decode = (changed: Record<string, unknown>) => () =>
      decodePosterior(
        { ...files, 'model.json': new TextEncoder().encode(JSON.stringify({ ...told, ...changed })) },
        'run',
      );
    expect(told).not.toHaveProperty('temperature');
    expect(await lineOf(decode({ family: 'laplace' }))).toMatch(/^run\/model\.json: family/);
    expect(await lineOf(decode({ family: 'gaussian' }))).toMatch(/^run\/model\.json: scale/);
    expect(await lineOf(decode({ family: 'gaussian', scale: 'layer' }))).toMatch(
      /0\.dense\.weight\.mu is missing/,
    );
    expect(await lineOf(decode({ temperature: 0 }))).toMatch(/^run\/model\.json: temperature/);
  });
});
