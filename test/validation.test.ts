import '@tensorflow/tfjs-backend-cpu';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freeze, runOracle } from '../export/index.ts';
import {
  decodePosterior,
  encodePosterior,
  loadCheckpoint,
  loadPosterior,
  saveCheckpoint,
} from '../schemas/checkpoint/index.ts';
import { onnxEngine } from '../train/engine/onnx.ts';
import {
  loadTraining,
  resumeTraining,
  splitData,
  train,
  trainInFolder,
  type TrainingState,
  type ValidationProgress,
} from '../train/index.ts';
import { Judge } from '../train/judge.ts';
import { standingOf, type StoppingRule } from '../train/validation.ts';
import { networkFor, noiseData, patternData } from './support/data.ts';
import { lineOf } from './support/error-line.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'bitspike-validation-'));
});
afterAll(() => {
  rmSync(root, { recursive: true });
});

describe('splitData', () => {
  const data = patternData(203);
  const rowsOf = ({ inputs, labels, count }: typeof data): string[] =>
    Array.from({ length: count }, (_, row) => `${inputs.subarray(16 * row, 16 * row + 16)} ${labels[row]}`);
  const countsOf = ({ labels }: typeof data): number[] =>
    Array.from({ length: 4 }, (_, label) => labels.filter((each) => each === label).length);

  test('parts the examples, each with its label, in the order they had', () => {
    const { training, validation } = splitData(data, 0.3, 7);
    expect(validation.count).toBe(61);
    expect(training.count).toBe(142);
    const [all, learned, held] = [data, training, validation].map(rowsOf) as [string[], string[], string[]];
    expect([...learned, ...held].sort()).toEqual([...all].sort());
    expect(new Set(all).size).toBe(203);
    const places = [learned, held].map((rows) => rows.map((row) => all.indexOf(row)));
    for (const part of places) expect(part).toEqual([...part].sort((a, b) => a - b));
  });

  test('holds out the same part of every class', () => {
    const held = countsOf(splitData(data, 0.3, 7).validation);
    countsOf(data).forEach((count, label) => {
      expect(Math.abs(held[label]! - (count * 61) / 203)).toBeLessThan(1);
    });
  });

  test('is chosen by the seed', () => {
    const [rows, again, other] = [7, 7, 8].map((seed) => rowsOf(splitData(data, 0.3, seed).validation));
    expect(again).toEqual(rows);
    expect(other).not.toEqual(rows);
  });

  test('refuses to leave nothing', async () => {
    expect(await lineOf(() => splitData(data, 0.001, 1))).toContain('leaves none to be judged on; raise it');
    expect(await lineOf(() => splitData(data, 0.999, 1))).toContain('leaves none to learn from; lower it');
  });
});

const losses = (...values: number[]) => values.map((loss) => ({ loss, accuracy: loss / 10 }));

describe('the rule of early stopping', () => {
  const rule: StoppingRule = { patience: 2, minimumDelta: 0.1, on: 'loss' };
  test.each([
    [[3], 0, false],
    [[3, 2], 1, false],
    // Better by less than the minimum is no better, and the first stays what others are held against.
    [[3, 2.95], 0, false],
    [[3, 2.95, 2.92], 0, true],
    [[3, 2.95, 2.85], 2, false],
    [[3, 4, 1, 2], 2, false],
    [[3, 4, 1, 2, 5], 2, true],
  ])('of losses %j the best is %i, stop: %s', (values, best, stop) => {
    expect(standingOf(losses(...values), rule)).toEqual({ best, stop });
  });

  test('on accuracy more is better', () => {
    const on = { ...rule, minimumDelta: 0, on: 'accuracy' } as const;
    expect(standingOf(losses(3, 4, 4, 2), on)).toEqual({ best: 1, stop: true });
  });
});

const data = patternData(240);
const model = networkFor(data, 10);
/** Three epochs of six steps. */
const options = { epochs: 3, batchSize: 30, seed: 3, threads: 1 } as const;

/** Trains and keeps what is told of the validation. */
async function watched(...[definition, examples, given = {}]: Parameters<typeof train>) {
  const told: ValidationProgress[] = [];
  const states: TrainingState[] = [];
  const posterior = await train(definition, examples, {
    ...given,
    onValidation: (figures) => told.push(figures),
    onState: async (state) => void states.push(state),
  });
  return { told, states, posterior };
}

const softmax = (logits: readonly number[]): number[] => {
  const largest = Math.max(...logits);
  const powers = logits.map((value) => Math.exp(value - largest));
  return powers.map((power) => power / powers.reduce((sum, each) => sum + each, 0));
};

/** What a validation should have found, from the mean probabilities of each example. */
function figuresOf(probabilities: readonly number[][], labels: Uint8Array) {
  const right = probabilities.filter((row, at) => row.indexOf(Math.max(...row)) === labels[at]).length;
  const loss = probabilities.reduce((sum, row, at) => sum - Math.log(row[labels[at]!]!), 0);
  return { accuracy: right / labels.length, loss: loss / labels.length };
}

describe('validation', () => {
  const parts = splitData(data, 0.25, options.seed);

  test('is on examples that are not learned from, and changes nothing of what is learned', async () => {
    const held = await watched(model, data, { ...options, validation: 0.25 });
    const given = await watched(model, parts.training, { ...options, validationData: parts.validation });
    const alone = await train(model, parts.training, options);
    expect(held.posterior.learned).toEqual(alone.learned);
    expect(given.posterior.learned).toEqual(alone.learned);
    expect(held.told).toEqual(given.told);
    expect(held.told.map(({ epoch, epochs, best }) => [epoch, epochs, best])).toEqual([
      [0, 3, undefined],
      [1, 3, undefined],
      [2, 3, undefined],
    ]);
  });

  test('sees that a network learns what holds for other examples too', async () => {
    const { told } = await watched(model, data, { ...options, validation: 0.25, epochs: 30 });
    expect(told.at(-1)!.accuracy).toBeGreaterThan(0.9);
    expect(told.at(-1)!.loss).toBeLessThan(0.5 * told[0]!.loss);
  });

  test('gives the same bits on any number of threads', async () => {
    const one = await watched(model, data, { ...options, validation: 0.25 });
    const two = await watched(model, data, { ...options, validation: 0.25, threads: 2 });
    expect(two.told).toEqual(one.told);
  });

  test('of the noisy network averages probabilities over draws, at the temperature of the epoch', async () => {
    const temperature = { shape: 'exponential', from: 1, to: 0.2 } as const;
    const { told, states } = await watched(model, parts.training, {
      ...options,
      temperature,
      validationData: parts.validation,
      validationSamples: 3,
    });
    const judge = await Judge.prepare(
      { model, family: { family: 'bernoulli' }, batchSize: 30, noise: 'gaussian' },
      onnxEngine({ threads: 1 }),
    );
    for (const [epoch, { tensors }] of states.entries()) {
      const sums = Array.from(parts.validation.labels, () => [0, 0, 0, 0]);
      const learned = Object.fromEntries(Object.entries(tensors).filter(([name]) => !/adam/.test(name)));
      const judgement = {
        learned,
        temperature: 0.2 ** ((epoch + 1) / 3),
        draws: 3,
        seed: options.seed,
        stream: `validation ${epoch}`,
      };
      for await (const { start, count, logits } of judge.answers(parts.validation, judgement)) {
        for (let row = 0; row < count; row++) {
          const probabilities = softmax([...logits.subarray(4 * row, 4 * row + 4)]);
          probabilities.forEach((each, label) => (sums[start + row]![label]! += each / 3));
        }
      }
      const expected = figuresOf(sums, parts.validation.labels);
      expect(told[epoch]!.accuracy).toBe(expected.accuracy);
      expect(told[epoch]!.loss).toBeCloseTo(expected.loss, 6);
    }
    await judge.close();
  });

  test('of the mode judges what freezing leaves', async () => {
    const { told, posterior } = await watched(model, parts.training, {
      ...options,
      validationData: parts.validation,
      validationNetwork: 'mode',
    });
    const network = freeze(posterior, { weights: 'mean' });
    const { logits } = runOracle(network, network.members[0]!, parts.validation.inputs);
    const rows = Array.from(parts.validation.labels, (_, row) =>
      softmax([...logits.subarray(4 * row, 4 * row + 4)]),
    );
    const expected = figuresOf(rows, parts.validation.labels);
    expect(told[2]!.accuracy).toBe(expected.accuracy);
    expect(told[2]!.loss).toBeCloseTo(expected.loss, 5);
  });

  test('is refused in one line where it cannot be', async () => {
    const refused = (given: object) => lineOf(() => train(model, data, { ...options, ...given }));
    expect(await refused({ earlyStopping: { patience: 1 } })).toBe(
      'train: earlyStopping needs examples to judge the network on; set validation, such as 0.1',
    );
    expect(await refused({ validation: 0.1, validationData: data })).toContain('leave out one of them');
    expect(await refused({ validation: 1 })).toContain('validation');
    expect(await refused({ validation: 0.9 })).toContain('fewer than batchSize 30');
    expect(await refused({ validationData: noiseData(10) })).toContain("the model's input is [16]");
  });
});

describe('early stopping', () => {
  // Nothing is to be learned here but the examples themselves, so the validation soon gets worse.
  const noise = noiseData(96);
  const network = networkFor(noise, 8);
  const stopping = {
    epochs: 40,
    batchSize: 16,
    seed: 4,
    threads: 1,
    learningRate: 0.2,
    validation: 1 / 3,
    temperature: { shape: 'exponential', from: 1, to: 0.3 },
    earlyStopping: { patience: 3 },
  } as const;

  test('ends so many epochs after the best, and returns that', async () => {
    const { told, states, posterior } = await watched(network, noise, stopping);
    const lost = told.map(({ loss }) => loss);
    const best = lost.indexOf(Math.min(...lost));
    expect(told.length).toBeLessThan(40);
    expect(told.length).toBe(best + 1 + 3);
    expect(best).toBeGreaterThan(0);
    expect(told[best]!.best).toBe(true);
    expect(told.slice(best + 1).map((figures) => figures.best)).toEqual([false, false, false]);
    for (const [name, { data }] of Object.entries(posterior.learned)) {
      expect(data).toEqual(states[best]!.tensors[name]!.data);
      expect(data).not.toEqual(states.at(-1)!.tensors[name]!.data);
    }
    expect(posterior).toMatchObject({ temperature: expect.closeTo(0.3 ** ((best + 1) / 40), 6) });
  });

  test('returns the best epoch too where the training comes to its end', async () => {
    const few = { ...stopping, earlyStopping: { patience: 30 }, epochs: 12 };
    const { told, states, posterior } = await watched(network, noise, few);
    const lost = told.map(({ loss }) => loss);
    const best = lost.indexOf(Math.min(...lost));
    expect(told).toHaveLength(12);
    expect(best).toBeLessThan(11);
    expect(posterior.learned['0.dense.weight.lambda']).toEqual(
      states[best]!.tensors['0.dense.weight.lambda'],
    );
  });

  test('in a folder ends at the same bytes, wherever it was interrupted', async () => {
    const straight = join(root, 'straight');
    const { told } = await watched(network, noise, stopping);
    const posterior = await trainInFolder(straight, network, noise, stopping);
    expect(posterior).toEqual(await train(network, noise, stopping));
    expect(await loadPosterior(straight)).toEqual(posterior);
    const expected = await loadCheckpoint(straight);
    expect(expected.step).toBe(4 * told.length);

    // In the first epoch, in the middle of the patience, and when nothing is left.
    for (const step of [2, 4 * told.length - 5, 4 * told.length - 4]) {
      const run = join(root, `stopped ${step}`);
      const controller = new AbortController();
      const reason = new Error('stopped by the test');
      const stopped = trainInFolder(run, network, noise, {
        ...stopping,
        signal: controller.signal,
        onProgress: (progress) => {
          if (progress.step === step) controller.abort(reason);
        },
      });
      await expect(stopped).rejects.toBe(reason);
      expect((await loadCheckpoint(run)).step).toBe(step);
      expect(await resumeTraining(run, noise, { threads: 2 })).toEqual(posterior);
      expect((await loadCheckpoint(run)).files).toEqual(expected.files);
      // Once more: it has ended.
      expect(await resumeTraining(run, noise)).toEqual(posterior);
      expect((await loadCheckpoint(run)).step).toBe(expected.step);
    }
  });

  test('keeps the history where the training is saved', async () => {
    const run = join(root, 'history');
    const told: ValidationProgress[] = [];
    await trainInFolder(run, network, noise, {
      ...stopping,
      onValidation: (figures) => told.push(figures),
    });
    const { state } = await loadTraining(run);
    expect(state.history).toEqual(told.map(({ loss, accuracy }) => ({ loss, accuracy })));

    const { files } = await loadCheckpoint(run);
    const { posterior, training } = decodePosterior(files, 'here');
    expect(encodePosterior(posterior, training)).toEqual(files);
  });

  test('is refused where its history does not fit its steps', async () => {
    const run = join(root, 'whole');
    await trainInFolder(run, network, noise, { ...stopping, epochs: 2 });
    const { files, step } = await loadCheckpoint(run);
    const json = JSON.parse(new TextDecoder().decode(files['model.json'])) as {
      training: { history?: unknown[] };
    };
    json.training.history!.pop();
    const damaged = join(root, 'damaged');
    const text = new TextEncoder().encode(JSON.stringify(json));
    await saveCheckpoint(damaged, step, { ...files, 'model.json': text });
    expect(await lineOf(() => loadTraining(damaged))).toContain(
      'its history has 1 epochs, step 8 ends 2; start anew in another folder',
    );
  });

  test('resumes only with the validation it was given', async () => {
    const run = join(root, 'given');
    const { training, validation } = splitData(noise, 0.3, 1);
    const { validation: _, ...rest } = stopping;
    const given = { ...rest, epochs: 2, validationData: validation };
    const posterior = await trainInFolder(run, network, training, given);
    expect(await resumeTraining(run, training, { validationData: validation })).toEqual(posterior);
    expect(await lineOf(() => resumeTraining(run, training))).toContain('holds other examples');
  });
});
