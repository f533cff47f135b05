import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { sizeOf } from '../schemas/layer.ts';
import { Random } from '../schemas/random.ts';
import { batchFiller, fillTargets, planBatches } from '../train/data/index.ts';
import type { PreparedStep } from '../train/engine/engine.ts';
import { train, type TrainingSettings } from '../train/index.ts';
import { Loop } from '../train/loop.ts';
import { gaussianLoss } from '../train/objective.ts';
import { trainingOptionsSchema } from '../train/options.ts';
import type { StepFunction } from '../train/step.ts';
import { startingState } from '../train/start.ts';
import { batchesOf, stepOf } from '../train/train.ts';
import { networkFor, patternData } from './support/data.ts';
import { lineOf } from './support/error-line.ts';
import { gaussians, numberOf, relativeDifference, slopesOf } from './support/numbers.ts';
import { type Results, runEagerly, runTraced } from './support/training.ts';

const data = patternData(24);
const model = networkFor(data, 5);

type Fed = Readonly<Record<string, Float32Array>>;

const openMonitor = () => Promise.reject(new Error('every step is sound'));

/** What a training feeds its steps, the steps themselves left out. */
async function feedsOf(settings: TrainingSettings): Promise<{ step: StepFunction; fed: Fed[] }> {
  const options = trainingOptionsSchema.parse(settings);
  const step = stepOf(model, options);
  const feeds = Object.fromEntries(
    Object.entries(step.feeds).map(([name, shape]) => [name, new Float32Array(sizeOf(shape))]),
  );
  const fed: Fed[] = [];
  const start = startingState(model, data, options);
  const prepared: PreparedStep = {
    feeds,
    run: async () => {
      fed.push(Object.fromEntries(Object.entries(feeds).map(([name, values]) => [name, values.slice()])));
      return {};
    },
    state: async () => start.tensors,
    close: async () => {},
  };
  const batches = batchesOf(model, data, options);
  await new Loop({ options, data, batches, step, prepared, start, openMonitor }).run({});
  return { step, fed };
}

describe('the scale of the draw', () => {
  test('multiplies the noise that is fed, step by step, and nothing else', async () => {
    const options = { epochs: 1, batchSize: 6, seed: 1 };
    const { step, fed: plain } = await feedsOf(options);
    const { fed: faded } = await feedsOf({
      ...options,
      drawScale: { shape: 'linear', from: 1, to: 0, start: 0, end: 0.5 },
    });
    expect(step.noises.length).toBeGreaterThan(1);
    // Four steps: at 0, ¼, ½ and ¾ of the training.
    for (const [index, factor] of [1, 0.5, 0, 0].entries()) {
      for (const [name, values] of Object.entries(plain[index]!)) {
        const scaled = step.noises.includes(name) ? values.map((value) => value * factor) : values;
        // −0 is as good as 0.
        expect(
          faded[index]![name]!.map((value) => value + 0),
          name,
        ).toEqual(scaled.map((value) => value + 0));
      }
    }
  });
});

describe('label smoothing', () => {
  test('moves part of every target evenly to all classes', async () => {
    const options = { epochs: 1, batchSize: 6, seed: 1 };
    const { fed: plain } = await feedsOf(options);
    const { fed: smooth } = await feedsOf({ ...options, labelSmoothing: 0.2 });
    expect(plain).toHaveLength(4);
    plain.forEach(({ targets, inputs }, step) => {
      expect(smooth[step]!.inputs).toEqual(inputs);
      expect(targets!.filter((target) => target === 1)).toHaveLength(6);
      const expected = targets!.map((target) => 0.8 * target + 0.2 / 4);
      expect(relativeDifference(smooth[step]!.targets!, expected)).toBeLessThan(1e-7);
    });
  });

  test('keeps a network from being sure', async () => {
    const options = { epochs: 30, batchSize: 8, seed: 1, threads: 1, temperature: 0.3 };
    const lossOf = async (labelSmoothing: number): Promise<number> => {
      let loss = Number.NaN;
      await train(model, data, {
        ...options,
        labelSmoothing,
        onProgress: ({ reports }) => (loss = reports.crossEntropy!),
      });
      return loss;
    };
    // No answer to smoothed targets is better than the entropy of the targets.
    const target = [1 - 0.4 + 0.1, 0.1, 0.1, 0.1];
    const entropy = target.reduce((sum, part) => sum - part * Math.log(part), 0);
    expect(await lossOf(0.4)).toBeGreaterThan(entropy);
    expect(await lossOf(0)).toBeLessThan(entropy);
  });

  test('is refused at 1', async () => {
    expect(await lineOf(() => train(model, data, { batchSize: 8, labelSmoothing: 1 }))).toContain(
      'labelSmoothing',
    );
  });
});

describe('noise samples', () => {
  const options = { epochs: 1, batchSize: 6, seed: 2, penalty: 'membrane', divergenceWeight: 0.1 } as const;
  const COPIES = 3;
  let many: Awaited<ReturnType<typeof feedsOf>>;
  beforeAll(async () => {
    many = await feedsOf({ ...options, shift: 1, noiseSamples: COPIES });
  });

  test('see the same batch, moved alike, each with noise of its own', async () => {
    const { fed: single } = await feedsOf({ ...options, shift: 1 });
    many.fed.forEach((fed, step) => {
      for (const name of ['inputs', 'targets']) {
        const all = fed[name]!;
        const size = all.length / COPIES;
        for (let copy = 0; copy < COPIES; copy++)
          expect(all.subarray(copy * size, (copy + 1) * size)).toEqual(single[step]![name]);
      }
      const noise = fed['noise.0']!;
      expect(noise).toHaveLength(COPIES * single[step]!['noise.0']!.length);
      expect(new Set(noise).size).toBeGreaterThan(0.99 * noise.length);
    });
  });

  test.each(['gaussian', 'logistic'] as const)(
    'of %s noise give the mean of the gradients that single draws give, in both engines',
    async (noise) => {
      const settings = { ...options, estimator: { kind: 'importanceWeighted', mix: 0.5, noise } } as const;
      const { step, fed } = await feedsOf({ ...settings, noiseSamples: COPIES });
      const parsed = trainingOptionsSchema.parse(settings);
      const single = stepOf(model, parsed);
      const state = startingState(model, data, parsed).tensors;
      const together = await runEagerly(step, state, fed[0]!);
      const apart: Results[] = [];
      for (let copy = 0; copy < COPIES; copy++) {
        const part = Object.fromEntries(
          Object.entries(fed[0]!).map(([name, values]) => {
            const size = sizeOf(single.feeds[name]!);
            const isScalar = single.feeds[name]!.length === 0;
            return [name, isScalar ? values : values.slice(copy * size, (copy + 1) * size)];
          }),
        );
        apart.push(await runEagerly(single, state, part));
      }
      const traced = await runTraced(step, state, fed[0]!, { reports: ['loss'], gradients: true });
      for (const [name, gradient] of Object.entries(together.gradients)) {
        const mean = gradient.map(
          (_, at) => apart.reduce((sum, { gradients }) => sum + gradients[name]![at]!, 0) / COPIES,
        );
        expect(relativeDifference(gradient, mean)).toBeLessThan(1e-5);
        expect(relativeDifference(traced.gradients[name]!, mean)).toBeLessThan(1e-4);
        // Draws differ, so that the mean says more than any of them.
        expect(relativeDifference(apart[0]!.gradients[name]!, mean)).toBeGreaterThan(1e-3);
      }
      const loss = apart.reduce((sum, { reports }) => sum + reports.loss![0]!, 0) / COPIES;
      expect(together.reports.loss![0]).toBeCloseTo(loss, 5);
    },
  );

  test('train to the same bits on any number of threads', async () => {
    const settings = { ...options, noiseSamples: COPIES };
    const one = await train(model, data, { ...settings, threads: 1 });
    expect(await train(model, data, { ...settings, threads: 2 })).toEqual(one);
  });
});

describe('batches of sequences', () => {
  // Two examples of three steps of two numbers.
  const sequences = {
    ...patternData(2),
    inputs: Uint8Array.from({ length: 12 }, (_, at) => at),
    shape: [2],
    steps: 3,
    scale: 1,
  };

  test('have all rows of a step before those of the next', () => {
    const inputs = new Float32Array(18);
    const { plan } = planBatches(sequences, { batchSize: 1, seed: 1 });
    batchFiller(plan).fillInputs(0, Uint32Array.of(1, 0, 1), inputs);
    expect([...inputs]).toEqual([6, 7, 0, 1, 6, 7, 8, 9, 2, 3, 8, 9, 10, 11, 4, 5, 10, 11]);
  });

  test('refuse examples that there are not', () => {
    expect(() => fillTargets(sequences, Uint32Array.of(0), new Float32Array(3))).toThrow(RangeError);
  });
});

describe('the Gaussian loss', () => {
  const random = Random.fromSeed(4, 'loss');
  const [targets, predictions] = [gaussians(6, random), gaussians(6, random)];
  const lossOf = (of: Float32Array): number =>
    numberOf(() => gaussianLoss(tf.tensor(targets, [3, 2]), tf.tensor(of, [3, 2]), 0.7));

  test('is the mean over the batch of −log N', () => {
    const expected = targets.reduce((sum, target, at) => {
      const density =
        Math.exp(-((target - predictions[at]!) ** 2) / (2 * 0.7 ** 2)) / (0.7 * Math.sqrt(2 * Math.PI));
      return sum - Math.log(density);
    }, 0);
    expect(lossOf(predictions)).toBeCloseTo(expected / 3, 5);
  });

  test('has the gradient (ŷ − y)/(σ² batch)', () => {
    const slopes = slopesOf(lossOf, predictions, 1e-2);
    const expected = predictions.map((value, at) => (value - targets[at]!) / (0.49 * 3));
    expect(relativeDifference(slopes, expected)).toBeLessThan(1e-3);
  });
});
