import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { reportOnnx, toNoisyOnnx } from '../export/index.ts';
import { describe as describeModel, type NoiseDescription } from '../schemas/description.ts';
import {
  conv2d,
  defineModel,
  dense,
  binary,
  type Model,
  type ModelDefinition,
  readout,
} from '../schemas/index.ts';
import { sizeOf } from '../schemas/layer.ts';
import { classesOf, parametersOf, placesOf, stepsOf } from '../schemas/model.ts';
import { readModel } from '../schemas/onnx/index.ts';
import { type Family, learnedShapes, type Posterior } from '../schemas/posterior.ts';
import type { HostTensor } from '../runtime/runner.ts';
import { choiceSchema } from '../train/families/index.ts';
import { predictNoisy } from '../train/index.ts';
import { samplingEstimator } from '../train/judge.ts';
import { fillLogistic } from '../train/noise/logistic.ts';
import { NoiseSource } from '../train/noise/noise-source.ts';
import { noisyForward } from '../train/noisy-forward.ts';
import { cooled } from '../train/posterior.ts';
import { Random } from '../schemas/random.ts';
import { patternData } from './support/data.ts';
import { lineOf } from './support/error-line.ts';
import { randomBytes } from './support/networks.ts';
import { openPlain, type Where } from './support/plain-sessions.ts';
import { timeNetworks } from './support/time-networks.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const networks: Readonly<Record<string, ModelDefinition>> = {
  'dense layers': {
    input: { type: 'uint8', shape: [20], scale: 1 / 255 },
    layers: [
      dense({ units: 12 }),
      binary({ threshold: 0.2 }),
      dense({ units: 8 }),
      binary(),
      dense({ units: 4 }),
      readout(),
    ],
  },
  'convolutions in groups': {
    input: { type: 'uint8', shape: [6, 5, 4], scale: 1 / 255 },
    layers: [
      conv2d({ filters: 6, size: 3, groups: 2 }),
      binary(),
      conv2d({ filters: 4, size: 2, stride: 2 }),
      binary(),
      { kind: 'flatten' },
      dense({ units: 3 }),
      readout(),
    ] as ModelDefinition['layers'],
  },
  ...timeNetworks,
};

const families: Readonly<Record<string, Family>> = {
  'signs, cooled': { family: 'bernoulli', temperature: 0.7 },
  'Gaussian of one scale per layer': { family: 'gaussian', scale: 'layer' },
  'Gaussian per channel': { family: 'gaussian', scale: 'channel' },
  'Gaussian per weight': { family: 'gaussian', scale: 'weight' },
};

/** A posterior of random numbers, of currents that neurons are unsure about. */
function randomPosterior(model: Model, family: Family, seed: number): Posterior {
  const parameters = parametersOf(model);
  const learned = Object.fromEntries(
    Object.entries(learnedShapes(model, family)).map(([name, shape]) => {
      const data = new Float32Array(sizeOf(shape));
      NoiseSource.fromSeed(seed, name).fillGaussian(data);
      const { fanIn, role } = parameters[name.slice(0, name.lastIndexOf('.'))]!;
      const isGain = role === 'gain';
      const scale = isGain ? 0.3 : 0.5;
      return [
        name,
        { shape, data: data.map((value) => value * scale + (isGain ? 1.5 / Math.sqrt(fanIn) : 0)) },
      ];
    }),
  );
  const classNames = Array.from({ length: classesOf(model) }, (_, index) => `class ${index}`);
  return { ...family, model, learned, classNames };
}

const drawn = (
  { distribution, input }: NoiseDescription,
  dims: readonly number[],
  seed: number,
): HostTensor => {
  const data = new Float32Array(sizeOf(dims));
  if (distribution === 'gaussian') NoiseSource.fromSeed(seed, input).fillGaussian(data);
  else fillLogistic(data, Random.fromSeed(seed, input));
  return { type: 'float32', dims, data };
};

/** The answers of the exported network and of the engine of training to the same inputs and noise. */
async function answers(
  posterior: Posterior,
  where: Where,
  {
    noise = 'gaussian',
    noiseScale = 1,
  }: { noise?: 'gaussian' | 'logistic' | 'none'; noiseScale?: number } = {},
) {
  const { model, learned } = posterior;
  const bytes = toNoisyOnnx(posterior, { noise, noiseScale });
  const { noise: inputs = [] } = describeModel(readModel(bytes), 'file');
  const [steps, batch] = [stepsOf(model), 5];
  const { shape } = model.input;
  const input = model.input as { type: 'uint8'; scale: number };
  const dims = steps > 1 ? [steps, batch, ...shape] : [batch, ...shape];
  const pixels = randomBytes(sizeOf(dims), 3, input.scale === 1 ? 2 : 255);
  const noises = inputs.map((described) =>
    drawn(
      described,
      described.dims.map((size) => (size === 'time' ? steps : size === 'batch' ? batch : Number(size))),
      9,
    ),
  );
  const session = await openPlain(bytes, where);
  const found = await session.run({
    input: { type: 'uint8', dims, data: pixels },
    ...Object.fromEntries(inputs.map((described, index) => [described.input, noises[index]!])),
  });
  await session.release();

  const expected = tf.tidy(() => {
    const tensors = Object.fromEntries(
      Object.entries(learned).map(([name, { shape: of, data }]) => [name, tf.tensor(data, [...of])]),
    );
    const fed: Record<string, tf.Tensor> = {
      inputs: tf.tensor(
        Float32Array.from(pixels, (byte) => byte * input.scale),
        [steps * batch, ...shape],
      ),
      noiseScale: tf.scalar(noiseScale),
    };
    // Training draws in the order of the layers: of loops for all steps, of others for all rows.
    const looped = new Set(loopsOf(model));
    noises.forEach(({ data, dims: sizes }, index) => {
      const isLoop = looped.has(inputs[index]!.input);
      const rows = steps > 1 && !isLoop ? [steps * batch, ...sizes.slice(2)] : [...sizes];
      fed[`noise.${index}`] = tf.tensor(data as Float32Array, rows);
    });
    const temperature = posterior.family === 'bernoulli' ? (posterior.temperature ?? 1) : 1;
    const choice = choiceSchema.parse(
      posterior.family === 'gaussian'
        ? { family: 'gaussian', scale: posterior.scale }
        : { family: 'bernoulli' },
    );
    const { logits } = noisyForward(
      { model, estimator: samplingEstimator(noise), posterior: choice, annealing: true },
      cooled(tensors, tf.scalar(temperature)),
      fed,
    );
    return logits.dataSync();
  });
  return { found: found.logits!.data as Float32Array, expected: expected as Float32Array, inputs };
}

/** The noise inputs of layers with a state. */
const loopsOf = (model: Model): string[] =>
  placesOf(model)
    .filter(({ layer, spec, input }) => Object.keys(layer.state(spec, input)).length > 0)
    .map(({ name }) => `noise.${name}`);

/** The largest difference, beside the largest number. */
function farthest(found: Float32Array, expected: Float32Array): number {
  expect(found.length).toBe(expected.length);
  const size = Math.max(1, ...expected.map(Math.abs));
  return Math.max(...expected.map((value, at) => Math.abs(found[at]! - value))) / size;
}

describe('a network with noise inputs answers as training does to the same noise', () => {
  test.each(Object.entries(networks))('%s', async (_name, definition) => {
    const model = defineModel(definition);
    for (const family of Object.values(families)) {
      const { found, expected } = await answers(randomPosterior(model, family, 4), 'cpu');
      expect(farthest(found, expected)).toBeLessThan(1e-4);
      expect(new Set(expected).size).toBeGreaterThan(3);
    }
  });

  test.each(['logistic', 'none'] as const)('with %s noise and another scale', async (noise) => {
    for (const name of ['dense layers', 'recurrent layers']) {
      const posterior = randomPosterior(defineModel(networks[name]!), families['signs, cooled']!, 5);
      const { found, expected, inputs } = await answers(posterior, 'cpu', { noise, noiseScale: 0.4 });
      expect(farthest(found, expected)).toBeLessThan(1e-4);
      const neurons = inputs.filter(({ input }) => !input.endsWith('readout'));
      const kinds = [...new Set(neurons.map(({ distribution }) => distribution))];
      expect(kinds).toEqual(noise === 'none' ? [] : [noise]);
    }
  });

  test('on wasm', async () => {
    for (const name of ['dense layers', 'recurrent layers', 'convolutions in groups']) {
      const posterior = randomPosterior(defineModel(networks[name]!), families['signs, cooled']!, 6);
      const { found, expected } = await answers(posterior, 'wasm');
      expect(farthest(found, expected)).toBeLessThan(1e-4);
    }
  });
});

const tiny = defineModel({
  input: { type: 'uint8', shape: [2], scale: 1 / 255 },
  layers: [dense({ units: 3 }), binary(), dense({ units: 2 }), readout()],
});

const softplus = (x: number) => Math.log1p(Math.exp(x));

const row = (data: readonly number[]): HostTensor => ({
  type: 'float32',
  dims: [1, data.length],
  data: Float32Array.from(data),
});

test('is the arithmetic of local reparameterisation, in float64', async () => {
  const posterior = randomPosterior(tiny, { family: 'bernoulli', temperature: 0.5 }, 8);
  const part = (name: string) => posterior.learned[name]!.data;
  const epsilon = { neurons: [0.3, -1.2, 0.8], readout: [1.1, -0.4] };
  const bytes = [200, 35];
  /** Means and deviations of one dense layer. */
  const currents = (layer: string, x: readonly number[], units: number) =>
    Array.from({ length: units }, (_, unit) => {
      const weights = x.map((_value, input) =>
        Math.tanh(part(`${layer}.weight.lambda`)[input * units + unit]! / 0.5),
      );
      const gain = part(`${layer}.gain.value`)[unit]!;
      const sum = weights.reduce((total, weight, input) => total + weight * x[input]!, 0);
      const variance = weights.reduce(
        (total, weight, input) => total + (1 - weight ** 2) * x[input]! ** 2,
        0,
      );
      return {
        mean: gain * sum + part(`${layer}.bias.value`)[unit]!,
        deviation: Math.sqrt(gain ** 2 * variance + softplus(part(`${layer}.bias.rho`)[0]!) ** 2),
      };
    });
  const spikes = currents(
    '0.dense',
    bytes.map((byte) => byte / 255),
    3,
  ).map(({ mean, deviation }, unit) => (mean / deviation + epsilon.neurons[unit]! > 0 ? 1 : 0));
  const logits = currents('2.dense', spikes, 2).map(
    ({ mean, deviation }, unit) => mean + deviation * epsilon.readout[unit]!,
  );
  const session = await openPlain(toNoisyOnnx(posterior), 'cpu');
  const found = await session.run({
    input: { type: 'uint8', dims: [1, 2], data: Uint8Array.from(bytes) },
    'noise.1.binary': row(epsilon.neurons),
    'noise.3.readout': row(epsilon.readout),
  });
  await session.release();
  logits.forEach((logit, at) => expect(found.logits!.data[at]).toBeCloseTo(logit, 5));
});

test('its mean over draws is what predictNoisy says', async () => {
  const posterior = randomPosterior(tiny, { family: 'bernoulli' }, 9);
  const copies = 20_000;
  const inputs = Uint8Array.from({ length: 2 * copies }, (_, at) => (at % 2 === 0 ? 180 : 60));
  const session = await openPlain(toNoisyOnnx(posterior), 'cpu');
  const noise = (input: string, units: number) =>
    drawn({ input, dims: [], distribution: 'gaussian' }, [copies, units], 2);
  const found = await session.run({
    input: { type: 'uint8', dims: [copies, 2], data: inputs },
    'noise.1.binary': noise('noise.1.binary', 3),
    'noise.3.readout': noise('noise.3.readout', 2),
  });
  await session.release();
  const data = { ...patternData(1), inputs, shape: [2], labels: new Uint8Array(copies), count: copies };
  const expected = await predictNoisy(posterior, data, { draws: 4, batchSize: 5000, threads: 1 });
  const mean = (values: Float32Array) =>
    values.reduce((sum, value, at) => (at % 2 === 0 ? sum + value : sum), 0) / copies;
  // A probability deviates by at most ½: five standard errors.
  const error = 0.5 * Math.sqrt(1 / copies + 1 / (4 * copies));
  const apart = mean(found.probabilities!.data as Float32Array) - mean(expected);
  expect(Math.abs(apart)).toBeLessThan(5 * error);
});

test('tells what it is fed, and how large it is', () => {
  const model = defineModel(networks['recurrent layers']!);
  const bytes = toNoisyOnnx(randomPosterior(model, { family: 'bernoulli' }, 1), { noise: 'logistic' });
  expect(describeModel(readModel(bytes), 'file').noise).toEqual([
    { input: 'noise.0.recurrent', dims: ['time', 'batch', 9], distribution: 'logistic' },
    { input: 'noise.1.recurrent', dims: ['time', 'batch', 7], distribution: 'logistic' },
    { input: 'noise.3.readout', dims: ['time', 'batch', 5], distribution: 'gaussian' },
  ]);
  const { realWeights, binaryWeights, bytes: parts } = reportOnnx(bytes, 'file');
  expect([binaryWeights, parts.realWeights]).toEqual([0, 4 * realWeights]);
});

test('says in one line what does not fit', async () => {
  const posterior = randomPosterior(tiny, { family: 'bernoulli' }, 1);
  expect(await lineOf(() => toNoisyOnnx(posterior, { noiseScale: 0 }))).toContain('export: noiseScale');
});
