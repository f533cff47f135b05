import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import {
  adaptiveLif,
  averagePool,
  binary,
  conv2d,
  defineModel,
  dense,
  flatten,
  leakyIntegrator,
  lif,
  type ModelDefinition,
  parametersOf,
  Random,
  readout,
  recurrent,
  residual,
} from '../schemas/index.ts';
import { sizeOf } from '../schemas/layer.ts';
import { placesOf, stepsOf } from '../schemas/model.ts';
import { learnedShapes } from '../schemas/posterior.ts';
import { tfjsEngine } from '../train/engine/tfjs.ts';
import { onnxEngine } from '../train/engine/onnx.ts';
import { type Dataset, train, type TrainingSettings } from '../train/index.ts';
import { gainsFromData } from '../train/initial-gain.ts';
import { samplingEstimator } from '../train/judge.ts';
import { drawsOf, noisyForward } from '../train/noisy-forward.ts';
import { type TrainingOptions, trainingOptionsSchema } from '../train/options.ts';
import type { TrainingState } from '../train/progress.ts';
import { startingState } from '../train/start.ts';
import { batchesOf } from '../train/train.ts';
import { lineOf } from './support/error-line.ts';
import { gaussians } from './support/numbers.ts';

const SIDE = 8;

/** Four patterns of bright and dark places under noise, as images of bytes. */
function images(count: number): Dataset {
  const random = Random.fromSeed(8, 'images');
  const size = SIDE * SIDE;
  const patterns = Array.from({ length: 4 }, () => Array.from({ length: size }, () => random.nextBelow(2)));
  const labels = Uint8Array.from({ length: count }, () => random.nextBelow(4));
  const inputs = Uint8Array.from(
    { length: count * size },
    (_, at) => 128 * patterns[labels[Math.floor(at / size)]!]![at % size]! + random.nextBelow(128),
  );
  const classNames = ['a', 'b', 'c', 'd'];
  return {
    name: 'images',
    inputs,
    shape: [SIDE, SIDE, 1],
    scale: 1 / 255,
    labels,
    count,
    classes: 4,
    classNames,
  };
}

const data = images(160);
const input = { type: 'uint8', shape: [SIDE, SIDE, 1], scale: 1 / 255 } as const;
const encoder = { kind: 'direct', steps: 5 } as const;
const gaussian = { family: 'gaussian', scale: 'layer', prior: 1 } as const;

const softplus = (x: number): number => Math.log1p(Math.exp(x));

/** The noise of biases is no part of currents. */
const settings = { batchSize: 64, seed: 3, initialBiasRho: -20 } as const;

async function start(
  definition: ModelDefinition,
  given: TrainingSettings,
  engine = onnxEngine({ threads: 1 }),
) {
  const model = defineModel(definition);
  const options = trainingOptionsSchema.parse({ ...settings, ...given });
  const { tensors } = startingState(model, data, options);
  const learned = Object.fromEntries(
    Object.keys(learnedShapes(model, options.posterior)).map((name) => [name, tensors[name]!]),
  );
  const batches = batchesOf(model, data, options);
  const currents =
    typeof options.initialGain === 'object' ? options.initialGain : { scale: 1, centre: false };
  const found = await gainsFromData(
    { model, options, noise: 'gaussian' },
    learned,
    batches,
    engine,
    currents,
  );
  return { model, options, learned, found };
}

/**
 * The standard deviations of what neurons are driven by, each over the current's own samples: its mean and a draw of its
 * noise, of other examples and other noise than the gains were set by.
 */
async function deviations(
  { model, options, found }: Awaited<ReturnType<typeof start>>,
  told: (samples: tf.Tensor) => number = (samples) => Math.sqrt(tf.moments(samples).variance.dataSync()[0]!),
): Promise<number[]> {
  await tf.setBackend('cpu');
  const batches = batchesOf(model, data, options);
  const inputs = new Float32Array(stepsOf(model) * options.batchSize * sizeOf(model.input.shape));
  await batches.fill(0, 1, inputs, new Float32Array(options.batchSize * 4));
  const random = Random.fromSeed(77, 'noise');
  const estimator = samplingEstimator('gaussian');
  const noises = drawsOf(model, options.batchSize, estimator).map(({ name, shape }) => [
    name,
    tf.tensor(gaussians(sizeOf(shape), random), [...shape]),
  ]);
  return tf.tidy(() => {
    const learned = Object.fromEntries(
      Object.entries(found).map(([name, { data: values, shape }]) => [name, tf.tensor(values, [...shape])]),
    );
    const fed = {
      inputs: tf.tensor(inputs, [stepsOf(model) * options.batchSize, ...model.input.shape]),
      ...Object.fromEntries(noises),
    };
    let seed = 0;
    const { measured } = noisyForward(
      { model, estimator, posterior: options.posterior, annealing: false },
      learned,
      fed,
      ({ current, currentDeviation }) =>
        tf.add(current, tf.mul(currentDeviation, tf.randomNormal(current.shape, 0, 1, 'float32', ++seed))),
    );
    return measured.map(told);
  });
}

const plane = [conv2d({ filters: 4, size: 3 }), binary({ threshold: 1 })];

const networks: readonly [string, ModelDefinition, TrainingSettings, number[]][] = [
  [
    'convolutions, a block and a pool',
    {
      input,
      layers: [
        ...plane,
        residual({ layers: [...plane, ...plane] }),
        averagePool({ size: 2 }),
        conv2d({ filters: 6, size: 3 }),
        binary(),
        flatten(),
        dense({ units: 4 }),
        readout(),
      ],
    },
    {},
    [1, 1, 1, 1],
  ],
  [
    'neurons with a memory, in thresholds of theirs',
    {
      input,
      encoder,
      layers: [
        flatten(),
        dense({ units: 20 }),
        lif({ threshold: 2 }),
        recurrent({ units: 30, neuron: lif({ threshold: 0.5, learnThreshold: true }) }),
        recurrent({ units: 30, neuron: adaptiveLif() }),
        dense({ units: 4 }),
        leakyIntegrator(),
        readout(),
      ],
    },
    { initialGain: { kind: 'data', scale: 0.8 } },
    [1.6, 0.4, 0.8],
  ],
  [
    'Gaussian weights',
    {
      input,
      encoder,
      layers: [
        ...plane,
        flatten(),
        dense({ units: 20 }),
        lif(),
        recurrent({ units: 20 }),
        dense({ units: 4 }),
        readout(),
      ],
    },
    { posterior: gaussian },
    [1, 1, 1],
  ],
];

/** The means of the channels of samples, and the deviation around them. */
const channels = (samples: tf.Tensor) => {
  const { mean, variance } = tf.moments(samples, [...samples.shape.keys()].slice(0, -1));
  return { means: mean.dataSync(), deviation: Math.sqrt(tf.mean(variance).dataSync()[0]!) };
};

/** How far a channel is from a threshold of 1, at most. */
const farthest = (samples: tf.Tensor) =>
  Math.max(...channels(samples).means.map((mean) => Math.abs(mean - 1)));

const left = (samples: tf.Tensor) => channels(samples).deviation;

describe('gains from the data', () => {
  test.each(networks)(
    'give currents their scale on other examples too: %s',
    async (_name, definition, given, expected) => {
      const found = await deviations(await start(definition, given));
      expect(found).toHaveLength(expected.length);
      found.forEach((deviation, layer) => {
        expect(Math.abs(deviation / expected[layer]! - 1), `layer ${layer}: ${deviation}`).toBeLessThan(0.1);
      });
    },
  );

  test('come with biases that bring every channel to the threshold, where asked', async () => {
    const [, definition] = networks[0]!;
    const centred = await start(definition, { initialGain: { kind: 'data', scale: 1, centre: true } });
    const plain = await start(definition, { initialGain: 'data' });
    // The three convolutions at thresholds of 1; the noise of a mean of 4,096 places and their neighbours.
    const [found, before] = [await deviations(centred, farthest), await deviations(plain, farthest)];
    for (const layer of [0, 1, 2]) {
      expect(found[layer]).toBeLessThan(0.15);
      expect(before[layer]).toBeGreaterThan(0.5);
    }
    for (const deviation of (await deviations(centred, left)).slice(0, 3))
      expect(Math.abs(deviation - 1)).toBeLessThan(0.1);
  });

  test('change nothing but gains, each layer by one factor, and the σ of Gaussian weights by the same', async () => {
    const [, definition] = networks[2]!;
    const { model, learned, found } = await start(definition, { posterior: gaussian });
    const factors: Record<string, number> = {};
    for (const [name, { role }] of Object.entries(parametersOf(model))) {
      if (role !== 'gain') continue;
      const [before, after] = [learned, found].map((of) => of[`${name}.value`]!.data);
      const factor = after![0]! / before![0]!;
      expect(Math.abs(Math.log(factor))).toBeGreaterThan(0.05);
      after!.forEach((value, at) => expect(value / before![at]!).toBeCloseTo(factor, 5));
      factors[name.slice(0, -'.gain'.length)] = factor;
    }
    expect(Object.keys(factors)).toHaveLength(4);
    const layerOf = (name: string) => Object.keys(factors).find((layer) => name.startsWith(`${layer}.`))!;
    const sigmas = Object.keys(found).filter((name) => name.endsWith('.rho') && !name.includes('.bias.'));
    expect(sigmas.length).toBeGreaterThan(4);
    for (const name of sigmas) {
      const [before, after] = [learned, found].map((of) => softplus(of[name]!.data[0]!));
      expect(after! / before!).toBeCloseTo(factors[layerOf(name)]!, 4);
    }
    const rest = Object.keys(found).filter((name) => !sigmas.includes(name) && !name.endsWith('.gain.value'));
    expect(rest.map((name) => found[name])).toEqual(rest.map((name) => learned[name]));
  });

  test('are nearly the same from both engines', async () => {
    const definition: ModelDefinition = {
      input,
      encoder,
      layers: [
        flatten(),
        dense({ units: 6 }),
        lif(),
        recurrent({ units: 5 }),
        dense({ units: 4 }),
        readout(),
      ],
    };
    const traced = await start(definition, {});
    const eager = await start(definition, {}, tfjsEngine('cpu'));
    for (const { name } of placesOf(traced.model)) {
      const [a, b] = [traced, eager].map(({ found }) => found[`${name}.gain.value`]?.data[0] ?? 1);
      // A neuron at its threshold may fire in one and not in the other.
      expect(Math.abs(a! / b! - 1)).toBeLessThan(0.02);
    }
  });

  test('leave a layer as it is that nothing comes into', async () => {
    const silent = { ...data, inputs: new Uint8Array(data.inputs.length) };
    const model = defineModel({ input, layers: [flatten(), dense({ units: 4 }), readout()] });
    const { learned } = await train(model, silent, {
      epochs: 1,
      batchSize: 160,
      learningRate: 1e-30,
      initialGain: 'data',
      threads: 1,
    });
    expect(learned['1.dense.gain.value']!.data.every((gain) => gain > 0 && gain < 1)).toBe(true);
  });
});

describe('a deep narrow network of neurons that nothing would reach', () => {
  const stage = [conv2d({ filters: 4, size: 3 }), lif({ threshold: 2 })];
  const model = defineModel({
    input,
    encoder,
    layers: [...stage, ...stage, ...stage, ...stage, flatten(), dense({ units: 4 }), readout()],
  });
  const options = {
    epochs: 8,
    batchSize: 32,
    seed: 1,
    learningRate: 0.05,
    initialSpread: 1,
    validation: 0.2,
    threads: 1,
  } as const;

  const accuracyOf = async (initialGain: TrainingOptions['initialGain']): Promise<number> => {
    let last = Number.NaN;
    await train(model, data, { ...options, initialGain, onValidation: ({ accuracy }) => (last = accuracy!) });
    return last;
  };

  test('learns with gains from the data, and not without', async () => {
    expect(await accuracyOf('data')).toBeGreaterThan(0.85);
    expect(await accuracyOf(1)).toBeLessThan(0.5);
  });

  test('starts from the same bits on any number of threads, and goes on to them after a stop', async () => {
    const short = { ...options, validation: 0, epochs: 2, initialGain: 'data' } as const;
    const states: TrainingState[] = [];
    const whole = await train(model, data, { ...short, onState: async (state) => void states.push(state) });
    expect((await train(model, data, { ...short, threads: 2 })).learned).toEqual(whole.learned);
    expect((await train(model, data, { ...short, resume: states[0] })).learned).toEqual(whole.learned);
    expect((await train(model, data, { ...short, initialGain: 1 })).learned).not.toEqual(whole.learned);
  });
});

test.each(['datum', { kind: 'data', scale: 0 }, 0, { kind: 'data', scales: 1 }])(
  'a start that is none is refused: %j',
  async (initialGain) => {
    const model = defineModel({ input, layers: [flatten(), dense({ units: 4 }), readout()] });
    const line = await lineOf(() => train(model, data, { initialGain: initialGain as 'data' }));
    expect(line).toMatch(/^train: .*initialGain/);
  },
);
