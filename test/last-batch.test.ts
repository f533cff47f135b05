import '@tensorflow/tfjs-backend-cpu';
import { describe, expect, test } from 'vitest';
import { sizeOf, type Shape } from '../schemas/layer.ts';
import {
  binary,
  conv2d,
  defineModel,
  dense,
  flatten,
  lif,
  type Model,
  readout,
  recurrent,
} from '../schemas/index.ts';
import { Random } from '../schemas/random.ts';
import { onnxEngine } from '../train/engine/onnx.ts';
import type { PreparedStep } from '../train/engine/engine.ts';
import { type Estimator, straightThrough } from '../train/estimators/index.ts';
import { train, type TrainingSettings } from '../train/index.ts';
import { Loop } from '../train/loop.ts';
import { Monitor } from '../train/monitor.ts';
import { defaultOptimiser } from '../train/optimisers/index.ts';
import { trainingOptionsSchema } from '../train/options.ts';
import { bernoulliChoice } from '../train/families/index.ts';
import type { Progress, TrainingState } from '../train/progress.ts';
import { buildStep, exampleWeights, type StepOptions } from '../train/step.ts';
import { startingState } from '../train/start.ts';
import { batchesOf, stepOf } from '../train/train.ts';
import { networkFor, patternData } from './support/data.ts';
import { gaussians, relativeDifference } from './support/numbers.ts';
import { randomFeeds, runEagerly, runTraced, smallState } from './support/training.ts';

const EXAMPLES = 2;
const ROWS = 5;

/** The examples' numbers, and others in the rows that fill the batch up. */
function filledUp(values: Float32Array, from: Shape, to: Shape, random: Random): Float32Array {
  const axis = from.findIndex((size, index) => size !== to[index]);
  if (axis < 0) return values;
  // An axis may hold time × batch, time outermost.
  const [times, size] = [to[axis]! / ROWS, sizeOf(from.slice(axis + 1))];
  const filled = gaussians(sizeOf(to), random);
  const blocks = sizeOf(from.slice(0, axis)) * times;
  for (let block = 0; block < blocks; block++) {
    const own = values.subarray(block * EXAMPLES * size, (block + 1) * EXAMPLES * size);
    filled.set(own, block * ROWS * size);
  }
  return filled;
}

const options = (model: Model, choices: Partial<StepOptions>): StepOptions => ({
  model,
  batchSize: EXAMPLES,
  estimator: straightThrough() satisfies Estimator,
  optimiser: defaultOptimiser,
  divergence: false,
  penalty: 'none',
  posterior: bernoulliChoice,
  cooling: false,
  annealing: false,
  noise: 'step',
  ...choices,
});

/** The step of two examples, that of a larger batch of which only they count, and what both are fed. */
function both(model: Model, choices: Partial<StepOptions>) {
  const alone = options(model, choices);
  const among = { ...alone, batchSize: ROWS, weighsExamples: true };
  const [small, large] = [buildStep(alone), buildStep(among)];
  const feeds = randomFeeds(small, 4);
  const random = Random.fromSeed(9, 'rows that fill up');
  const filled = Object.fromEntries(
    Object.entries(feeds).map(([name, values]) => [
      name,
      small.feeds[name] ? filledUp(values, small.feeds[name], large.feeds[name]!, random) : values,
    ]),
  );
  filled[exampleWeights] = Float32Array.from({ length: ROWS }, (_, row) => (row < EXAMPLES ? 1 : 0));
  return { alone, among, small, large, feeds, filled };
}

const flat = defineModel({
  input: [6],
  layers: [dense({ units: 7 }), binary(), dense({ units: 4 }), readout()],
});
const plane = defineModel({
  input: [4, 4, 2],
  layers: [conv2d({ filters: 3, size: 3 }), binary(), flatten(), dense({ units: 4 }), readout()],
});
const spiking = defineModel({
  input: [5],
  steps: 3,
  layers: [
    dense({ units: 6 }),
    lif({ threshold: 0.4 }),
    recurrent({ units: 5, neuron: lif({ threshold: 0.4 }) }),
    dense({ units: 4 }),
    readout(),
  ],
});

const steps: readonly [string, Model, Partial<StepOptions>][] = [
  ['dense, with divergence and penalty', flat, { divergence: true, penalty: 'bias' }],
  ['convolution', plane, { penalty: 'membrane' }],
  ['regression', flat, { likelihood: { kind: 'gaussian', deviation: 0.7 } }],
  ['through time', spiking, { penalty: 'current', divergence: true }],
  ['one draw of the weights for a sequence', spiking, { noise: 'sequence', penalty: 'membrane' }],
];

describe('a batch that is filled up', () => {
  test.each(steps)('is to the step what its examples alone are: %s', async (_name, model, choices) => {
    const { small, large, feeds, filled } = both(model, choices);
    const state = smallState(bernoulliChoice, model);
    const expected = await runEagerly(small, state, feeds);
    const eager = await runEagerly(large, state, filled);
    const reports = Object.keys(expected.reports);
    const traced = await runTraced(large, state, filled, { reports, gradients: true, state: true });
    for (const [found, limit] of [
      [eager, 1e-5],
      [traced, 5e-5],
    ] as const) {
      for (const kind of ['reports', 'gradients'] as const) {
        for (const [name, values] of Object.entries(expected[kind]))
          expect(relativeDifference(found[kind][name]!, values), `${kind} ${name}`).toBeLessThan(limit);
      }
    }
  });

  test('counts every row where all are examples', async () => {
    const { large, filled } = both(spiking, { penalty: 'bias' });
    const plain = buildStep(options(spiking, { penalty: 'bias', batchSize: ROWS }));
    const state = smallState(bernoulliChoice, spiking);
    const whole = { ...filled, [exampleWeights]: new Float32Array(ROWS).fill(1) };
    const [expected, found] = [await runEagerly(plain, state, filled), await runEagerly(large, state, whole)];
    for (const [name, values] of Object.entries(expected.gradients))
      expect(relativeDifference(found.gradients[name]!, values), name).toBeLessThan(1e-5);
  });

  test.each([flat, spiking])('is to the monitor what its examples alone are: %#', async (model) => {
    const { alone, among, small, large, feeds, filled } = both(model, {});
    const learned = smallState(bernoulliChoice, model);
    const looks = [];
    for (const [of, step, fed] of [
      [alone, small, feeds],
      [among, large, filled],
    ] as const) {
      const monitor = await Monitor.prepare(of, step, onnxEngine({ threads: 1 }));
      looks.push((await monitor.look(1, learned, fed)).layers);
      await monitor.close();
    }
    const numbers = looks.map((layers) =>
      layers.flatMap(({ firing, gradients }) => [
        ...Object.values(firing ?? {}),
        ...Object.values(gradients ?? {}),
      ]),
    );
    expect(numbers[0]!.some((value) => value > 0 && value < 1)).toBe(true);
    expect(relativeDifference(numbers[1]!, numbers[0]!)).toBeLessThan(1e-4);
  });
});

// 22 examples in batches of 8: two whole ones, and one of 6.
const data = patternData(22);
const model = networkFor(data, 5);
const SETTINGS = { epochs: 3, batchSize: 8, seed: 2 } as const;

const openMonitor = () => Promise.reject(new Error('no step fails'));

/** What a training feeds its steps, and what it tells of them, where step number n reports n. */
async function fedBy(settings: TrainingSettings) {
  const parsed = trainingOptionsSchema.parse(settings);
  const batches = batchesOf(model, data, parsed);
  const weighsExamples = batches.examplesIn(batches.batches - 1) < parsed.batchSize;
  const step = weighsExamples
    ? buildStep({ ...options(model, {}), batchSize: parsed.batchSize * parsed.noiseSamples, weighsExamples })
    : stepOf(model, parsed);
  const feeds = Object.fromEntries(
    Object.entries(step.feeds).map(([name, shape]) => [name, new Float32Array(sizeOf(shape))]),
  );
  const fed: Record<string, Float32Array>[] = [];
  const start = startingState(model, data, parsed);
  const prepared: PreparedStep = {
    feeds,
    run: async () => {
      fed.push(Object.fromEntries(Object.entries(feeds).map(([name, values]) => [name, values.slice()])));
      return { loss: fed.length };
    },
    state: async () => start.tensors,
    close: async () => {},
  };
  const told: Progress[] = [];
  const loop = new Loop({ options: parsed, data, batches, step, prepared, start, openMonitor });
  await loop.run({ onProgress: (progress) => told.push(progress) });
  return { fed, told };
}

describe('an epoch', () => {
  test('shows every example once', async () => {
    const { fed } = await fedBy(SETTINGS);
    expect(fed).toHaveLength(9);
    const images = Array.from({ length: data.count }, (_, example) =>
      data.inputs.subarray(example * 16, (example + 1) * 16).join(),
    );
    for (let epoch = 0; epoch < 3; epoch++) {
      const seen = fed.slice(3 * epoch, 3 * epoch + 3).flatMap(({ inputs, [exampleWeights]: weights }) =>
        Array.from(weights!).flatMap((weight, row) =>
          weight === 1
            ? [
                inputs!
                  .subarray(row * 16, (row + 1) * 16)
                  .map((value) => Math.round(value * 255))
                  .join(),
              ]
            : [],
        ),
      );
      expect(seen.toSorted()).toEqual(images.toSorted());
    }
    expect([...fed[2]![exampleWeights]!]).toEqual([1, 1, 1, 1, 1, 1, 0, 0]);
    expect([...fed[3]![exampleWeights]!]).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
  });

  test('of several noise samples counts each copy of an example', async () => {
    const { fed } = await fedBy({ ...SETTINGS, noiseSamples: 2 });
    expect([...fed[2]![exampleWeights]!]).toEqual([1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0]);
  });

  test('leaves examples that fill no batch out where it is told to, and weighs none', async () => {
    const { fed } = await fedBy({ ...SETTINGS, dropLast: true });
    expect(fed).toHaveLength(6);
    expect(fed[0]).not.toHaveProperty(exampleWeights);
  });

  test('reports means over examples, and how many there are a second', async () => {
    const { told } = await fedBy(SETTINGS);
    const last = told[5]!;
    expect(last).toMatchObject({ epoch: 1, step: 6, steps: 9, stepsPerEpoch: 3 });
    expect(last.reports.loss).toBeCloseTo((8 * 4 + 8 * 5 + 6 * 6) / 22, 10);
    // Three steps are left, and 44 examples have been seen.
    expect(last.examplesPerSecond * last.remainingSeconds).toBeCloseTo((44 * 3) / 6, 6);
    expect(told[4]!.examplesPerSecond * told[4]!.remainingSeconds).toBeCloseTo((38 * 4) / 5, 6);
  });
});

describe('a training with a smaller last batch', () => {
  const running = { ...SETTINGS, threads: 1 };

  test.each([2, 3, 5])('goes on after step %i to the same bits', async (step) => {
    const whole = await train(model, data, running);
    const stop = new AbortController();
    let state: TrainingState | undefined;
    const stopped = train(model, data, {
      ...running,
      signal: stop.signal,
      onProgress: (progress) => progress.step === step && stop.abort(new Error('enough')),
      onState: async (saved) => {
        state = saved;
      },
    });
    await expect(stopped).rejects.toThrow('enough');
    expect(state!.step).toBe(step);
    const resumed = await train(model, data, { ...running, resume: state });
    expect(resumed.learned).toEqual(whole.learned);
  });

  test('learns from the examples that it would leave out', async () => {
    const all = await train(model, data, running);
    const fewer = await train(model, data, { ...running, dropLast: true });
    expect(all.learned).not.toEqual(fewer.learned);
  });
});
