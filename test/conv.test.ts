import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { oracleOps, type Plain } from '../export/oracle.ts';
import {
  averagePool,
  binary,
  conv2d,
  defineModel,
  dense,
  flatten,
  globalAveragePool,
  lif,
  maxPool,
  type Model,
  type ModelDefinition,
  parametersOf,
  placesOf,
  readout,
  residual,
  stepsOf,
} from '../schemas/index.ts';
import { sizeOf } from '../schemas/layer.ts';
import { forward } from '../schemas/model.ts';
import type { Convolution } from '../schemas/ops.ts';
import { Random } from '../schemas/random.ts';
import { registerGradients } from '../train/engine/gradients.ts';
import type { Spike } from '../train/estimators/index.ts';
import type { PosteriorChoice } from '../train/families/index.ts';
import { importanceWeighted } from '../train/index.ts';
import { type Moments, type MomentsOptions, momentsOps } from '../train/moments.ts';
import { drawsOf } from '../train/noisy-forward.ts';
import { defaultOptimiser } from '../train/optimisers/index.ts';
import { initialPosterior, parameterMoments } from '../train/posterior.ts';
import { buildStep, type StepOptions } from '../train/step.ts';
import { lineOf } from './support/error-line.ts';
import { gaussians, numberOf, numbersOf, relativeDifference, slopesOf } from './support/numbers.ts';
import { randomFeeds, runEagerly, runTraced, smallState } from './support/training.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
  registerGradients();
});

type Four = readonly [number, number, number, number];

/** How many zeros `same` puts before an axis, by TensorFlow's definition. */
const zerosBefore = (length: number, size: number, stride: number): number =>
  Math.floor(Math.max((Math.ceil(length / stride) - 1) * stride + size - length, 0) / 2);

/** A convolution as its definition says, output by output. */
function plainConvolution(
  x: ArrayLike<number>,
  [batch, height, width, channels]: Four,
  weight: ArrayLike<number>,
  [rows, columns, seen, filters]: Four,
  { stride: [down, across], padding, groups }: Convolution,
): number[] {
  const same = padding === 'same';
  const outHeight = same ? Math.ceil(height / down) : Math.floor((height - rows) / down) + 1;
  const outWidth = same ? Math.ceil(width / across) : Math.floor((width - columns) / across) + 1;
  const [top, left] = same ? [zerosBefore(height, rows, down), zerosBefore(width, columns, across)] : [0, 0];
  const found: number[] = [];
  for (let n = 0; n < batch; n++) {
    for (let i = 0; i < outHeight; i++) {
      for (let j = 0; j < outWidth; j++) {
        for (let f = 0; f < filters; f++) {
          const first = Math.floor(f / (filters / groups)) * seen;
          let sum = 0;
          for (let a = 0; a < rows; a++) {
            for (let b = 0; b < columns; b++) {
              const [y, z] = [i * down + a - top, j * across + b - left];
              if (y < 0 || z < 0 || y >= height || z >= width) continue;
              for (let c = 0; c < seen; c++) {
                const at = ((n * height + y) * width + z) * channels + first + c;
                sum += x[at]! * weight[((a * columns + b) * seen + c) * filters + f]!;
              }
            }
          }
          found.push(sum);
        }
      }
    }
  }
  return found;
}

interface Case {
  readonly x: Four;
  readonly weight: Four;
  readonly how: Convolution;
}

const cases: Case[] = [
  { x: [2, 3, 4, 1], weight: [2, 2, 1, 2], how: { stride: [1, 1], padding: 'same', groups: 1 } },
  { x: [1, 4, 3, 2], weight: [2, 1, 2, 2], how: { stride: [2, 1], padding: 'valid', groups: 1 } },
  { x: [1, 5, 3, 4], weight: [1, 2, 2, 2], how: { stride: [2, 2], padding: 'same', groups: 2 } },
];

const named = cases.map((each) => ({ name: JSON.stringify(each), ...each }));
const random = (size: number, seed: number): Float32Array =>
  gaussians(size, Random.fromSeed(seed, 'numbers'));

const tensorOf = (data: Float32Array, shape: readonly number[]): tf.Tensor => tf.tensor(data, [...shape]);

/** A network of one convolution, of which only the parameters matter here. */
const momentsOf = (data: Record<string, tf.Tensor>, weight: Four, choice?: PosteriorChoice): Moments => {
  const [height, width, seen, filters] = weight;
  const model: Model = {
    input: { type: 'float32', shape: [height, width, seen] },
    layers: [conv2d({ filters, size: [height, width] })],
  };
  const rest = {
    '0.conv2d.gain.value': tf.ones([filters]),
    '0.conv2d.bias.value': tf.zeros([filters]),
    '0.conv2d.bias.rho': tf.zeros([1]),
  };
  const learned = Object.fromEntries(
    Object.entries(data).map(([part, tensor]) => [`0.conv2d.weight.${part}`, tensor]),
  );
  return parameterMoments(model, { ...rest, ...learned }, choice)['0.conv2d.weight']!;
};

const silent: MomentsOptions = { spike: (drive) => drive, noise: (shape) => tf.zeros([...shape]) };

describe('the moments of a convolution', () => {
  test.each(named)('are those over all its weights: $name', ({ x, weight, how }) => {
    const input = random(sizeOf(x), 1);
    const lambda = random(sizeOf(weight), 2);
    const mean: number[] = [];
    const square: number[] = [];
    for (let signs = 0; signs < 2 ** lambda.length; signs++) {
      const weights = Array.from(lambda, (_, place): number => ((signs >> place) & 1 ? 1 : -1));
      const probability = weights.reduce(
        (product, sign, place) => product / (1 + Math.exp(-2 * lambda[place]! * sign)),
        1,
      );
      plainConvolution(input, x, weights, weight, how).forEach((sum, place) => {
        mean[place] = (mean[place] ?? 0) + probability * sum;
        square[place] = (square[place] ?? 0) + probability * sum * sum;
      });
    }
    const found = (part: 'mean' | 'variance'): number[] =>
      numbersOf(() => {
        const of = momentsOf({ lambda: tensorOf(lambda, weight) }, weight);
        return momentsOps(silent).conv2d({ mean: tensorOf(input, x) }, of, how)[part]!;
      });
    expect(relativeDifference(found('mean'), mean)).toBeLessThan(1e-5);
    const variance = square.map((value, place) => value - mean[place]! ** 2);
    expect(relativeDifference(found('variance'), variance)).toBeLessThan(1e-5);
  });

  test.each(
    named.flatMap(({ name, x, weight, how }) =>
      (['layer', 'channel', 'weight'] as const).map((scale) => ({ name, x, weight, how, scale })),
    ),
  )('are Σ x² σ² of Gaussian weights, σ of each $scale: $name', ({ x, weight, how, scale }) => {
    const input = random(sizeOf(x), 3);
    const filters = weight[3];
    const rho = random({ layer: 1, channel: filters, weight: sizeOf(weight) }[scale], 4);
    const variances = Array.from({ length: sizeOf(weight) }, (_, index) => {
      const own = rho[index % rho.length]!;
      return Math.log1p(Math.exp(own)) ** 2;
    });
    const expected = plainConvolution(
      input.map((value) => value * value),
      x,
      variances,
      weight,
      how,
    );
    const found = numbersOf(() => {
      const shape = scale === 'weight' ? weight : [rho.length];
      const parts = { mu: tf.zeros([...weight]), rho: tensorOf(rho, shape) };
      const of = momentsOf(parts, weight, { family: 'gaussian', scale, prior: 1 });
      const { variance } = momentsOps(silent).conv2d({ mean: tensorOf(input, x) }, of, how);
      // One for all filters broadcasts over them.
      return tf.mul(variance!, tf.ones([variance!.shape.at(-1) === 1 ? filters : 1]));
    });
    expect(relativeDifference(found, expected)).toBeLessThan(1e-5);
  });

  test.each(named)('one draw for a sequence is the same at all times, its signs apart: $name', (of) => {
    const { x, weight, how } = of;
    const steps = 2;
    const batch = x[0];
    const input = random(steps * sizeOf(x), 5);
    const lambda = random(sizeOf(weight), 6);
    const noises: Float32Array[] = [];
    const noise = (shape: readonly number[]): tf.Tensor => {
      noises.push(random(sizeOf(shape), 7 + noises.length));
      return tensorOf(noises.at(-1)!, shape);
    };
    const found = numbersOf(() => {
      const whole = [steps * batch, ...x.slice(1)];
      const ops = momentsOps({ ...silent, noise, steps, span: 'sequence' });
      const parameter = momentsOf({ lambda: tensorOf(lambda, weight) }, weight);
      return ops.conv2d({ mean: tensorOf(input, whole) }, parameter, how).deviation!;
    });
    const [draw, ofInputs, ofOutputs] = noises as [Float32Array, Float32Array, Float32Array];
    const [channels, filters] = [x[3], weight[3]];
    const deviations = draw.map((each, index) => each * Math.sqrt(1 - Math.tanh(lambda[index]!) ** 2));
    const expected = Array.from({ length: steps * batch }, (_, row) => {
      const example = row % batch;
      const one = input.slice((row * sizeOf(x)) / batch, ((row + 1) * sizeOf(x)) / batch);
      const flipped = one.map(
        (value, index) => value * Math.sign(ofInputs[example * channels + (index % channels)]!),
      );
      return plainConvolution(flipped, [1, x[1], x[2], x[3]], deviations, weight, how).map(
        (sum, index) => sum * Math.sign(ofOutputs[example * filters + (index % filters)]!),
      );
    }).flat();
    expect(relativeDifference(found, expected)).toBeLessThan(1e-5);
  });

  test('no gradient flows to the input through a variance', () => {
    const { x, weight, how } = cases[2]!;
    const gradient = numbersOf(() => {
      const of = momentsOf({ lambda: tensorOf(random(sizeOf(weight), 2), weight) }, weight);
      const variance = (mean: tf.Tensor) => momentsOps(silent).conv2d({ mean }, of, how).variance!;
      // Of the sum of both, 1 is left for the input by itself.
      return tf.grad((mean) => tf.add(tf.sum(variance(mean)), tf.sum(mean)))(
        tensorOf(random(sizeOf(x), 1), x),
      );
    });
    expect(gradient.every((value) => value === 1)).toBe(true);
  });
});

const neuron = () => lif({ threshold: 0.6 });

const residualNetwork: ModelDefinition = {
  input: [6, 4, 2],
  layers: [
    conv2d({ filters: 4, size: 3 }),
    binary(),
    residual({
      layers: [
        conv2d({ filters: 6, size: 3, stride: 2, groups: 2 }),
        binary(),
        residual({ layers: [conv2d({ filters: 6, size: [1, 2] }), binary()] }),
      ],
    }),
    maxPool({ size: [2, 1], stride: 1 }),
    averagePool({ size: [1, 2] }),
    conv2d({ filters: 3, size: 1, padding: 'valid' }),
    binary(),
    flatten(),
    dense({ units: 3 }),
    readout(),
  ],
};

const spikingNetwork: ModelDefinition = {
  input: [4, 4, 1],
  steps: 3,
  layers: [
    conv2d({ filters: 2, size: 3 }),
    neuron(),
    residual({
      layers: [
        conv2d({ filters: 3, size: 3, stride: 2 }),
        neuron(),
        conv2d({ filters: 3, size: 2 }),
        neuron(),
      ],
    }),
    globalAveragePool(),
    dense({ units: 3 }),
    readout(),
  ],
};

describe('a traced training step computes what tfjs computes', () => {
  const networks = { 'without time': residualNetwork, 'over time': spikingNetwork };
  const gaussian: PosteriorChoice = { family: 'gaussian', scale: 'channel', prior: 1 };
  const settings: readonly (readonly [string, Partial<StepOptions>])[] = [
    ['Bernoulli', { penalty: 'membrane', divergence: true }],
    ['Gaussian', { posterior: gaussian }],
    ['one draw for a sequence', { noise: 'sequence' }],
  ];
  const all = Object.entries(networks).flatMap(([of, definition]) =>
    settings.map(([setting, choices]) => ({ name: `${of}, ${setting}`, definition, choices })),
  );

  test.each(all)('$name', async ({ definition, choices }) => {
    const model = defineModel(definition);
    const { posterior = { family: 'bernoulli' } } = choices;
    const step = buildStep({
      model,
      batchSize: 2,
      estimator: importanceWeighted({ mix: 0.5 }),
      optimiser: defaultOptimiser,
      divergence: false,
      penalty: 'none',
      posterior,
      cooling: false,
      annealing: false,
      noise: 'step',
      ...choices,
    });
    const state = smallState(posterior, model);
    const feeds = randomFeeds(step, 1);
    const expected = await runEagerly(step, state, feeds);
    const actual = await runTraced(step, state, feeds, { reports: ['loss'], gradients: true });
    expect(relativeDifference(actual.reports.loss!, expected.reports.loss!)).toBeLessThan(1e-5);
    const apart = Object.entries(expected.gradients)
      .map(([name, gradient]) => [name, relativeDifference(actual.gradients[name]!, gradient)] as const)
      .filter(([, difference]) => !(difference < 2e-4));
    expect(apart).toEqual([]);
    // Every parameter counts, those inside the blocks too.
    const idle = Object.entries(expected.gradients).filter(([, gradient]) => gradient.every((x) => x === 0));
    expect(idle.map(([name]) => name)).toEqual([]);
  });

  test('the noise that it is fed is all that it draws, layer by layer', () => {
    const draws = drawsOf(defineModel(spikingNetwork), 2, { noise: 'gaussian' });
    expect(draws.map(({ shape }) => shape)).toEqual([
      [3, 2, 4, 4, 2],
      [3, 2, 2, 2, 3],
      [3, 2, 2, 2, 3],
      [6, 3],
    ]);
  });
});

/** The loss of a network whose neurons do something smooth. */
function lossOf(definition: ModelDefinition, spike: Spike) {
  const model = defineModel(definition);
  const names = initialPosterior(model, { spread: 0.5, biasRho: -1, inputPower: 1, seed: 3 });
  const ops = momentsOps({ steps: stepsOf(model), spike, noise: (shape) => tf.zeros([...shape]) });
  const inputs = random(2 * stepsOf(model) * sizeOf(model.input.shape), 8);
  const readoutWeights = random(2 * 3, 9);
  const loss = (learned: Record<string, tf.Tensor>): tf.Tensor => {
    const shape = [2 * stepsOf(model), ...model.input.shape];
    const logits = forward(ops, model, parameterMoments(model, learned), { mean: tensorOf(inputs, shape) });
    return tf.sum(tf.mul(logits.mean, tensorOf(readoutWeights, [2, 3])));
  };
  return { loss, learned: names };
}

/** The learned tensors of that name by which the gradient is not that of finite differences, or is none. */
function wrongOf(definition: ModelDefinition, spike: Spike, wanted: RegExp): string[] {
  const { loss, learned } = lossOf(definition, spike);
  const entries = Object.entries(learned).filter(([name]) => wanted.test(name));
  expect(entries.length).toBeGreaterThan(1);
  const tensors = (moved: Record<string, Float32Array> = {}): tf.Tensor[] =>
    entries.map(([name, { shape, data }]) => tensorOf(moved[name] ?? data, shape));
  const others = () =>
    Object.fromEntries(
      Object.entries(learned).map(([name, { shape, data }]) => [name, tensorOf(data, shape)]),
    );
  const lossAt = (list: readonly tf.Tensor[]): tf.Tensor =>
    loss({ ...others(), ...Object.fromEntries(entries.map(([name], index) => [name, list[index]!])) });
  const gradients = tf.tidy(() =>
    tf
      .grads((...list: tf.Tensor[]) => lossAt(list))(tensors())
      .map((each) => Array.from(each.dataSync())),
  );
  return entries.flatMap(([name, { data }], index) => {
    const at = (moved: Float32Array): number => numberOf(() => lossAt(tensors({ [name]: moved })));
    const expected = slopesOf(at, data, 1e-2);
    const isThere = Math.max(...expected.map(Math.abs)) > 1e-3;
    return isThere && relativeDifference(gradients[index]!, expected) < 5e-3 ? [] : [name];
  });
}

describe('gradients through convolutions, pools and blocks', () => {
  const smooth: ModelDefinition = {
    input: [4, 4, 2],
    layers: [
      residual({
        layers: [
          conv2d({ filters: 4, size: 2, stride: 2, groups: 2 }),
          binary(),
          residual({ layers: [conv2d({ filters: 4, size: [2, 1] }), binary()] }),
        ],
      }),
      averagePool({ size: [2, 1], stride: 1 }),
      maxPool({ size: [1, 2] }),
      flatten(),
      dense({ units: 3 }),
      readout(),
    ],
  };

  test('are those of finite differences where neurons do not look at variances', () => {
    expect(wrongOf(smooth, (drive) => tf.tanh(drive), /\.(lambda|value)$/)).toEqual([]);
  });

  test('are those of finite differences through a variance', () => {
    // The readout's input is then uncertain only by the first layer's weights, which no detached input is made of.
    const one: ModelDefinition = {
      input: [4, 4, 2],
      layers: [
        conv2d({ filters: 2, size: 3, stride: 2, groups: 2 }),
        binary(),
        flatten(),
        dense({ units: 3 }),
        readout(),
      ],
    };
    expect(wrongOf(one, (drive, deviation) => tf.add(tf.tanh(drive), deviation), /^0\./)).toEqual([]);
  });
});

const plain = (shape: number[], ...numbers: number[]): Plain => ({ shape, data: Float64Array.from(numbers) });
const count = (size: number): number[] => Array.from({ length: size }, (_, index) => index + 1);

describe('the reference interpreter', () => {
  const ops = oracleOps();

  test.each(named)('convolves as the definition says: $name', ({ x, weight, how }) => {
    const [input, weights] = [random(sizeOf(x), 1), random(sizeOf(weight), 2)];
    const { data } = ops.conv2d(plain([...x], ...input), plain([...weight], ...weights), how);
    expect(relativeDifference(data, plainConvolution(input, x, weights, weight, how))).toBeLessThan(1e-12);
  });

  test('same padding puts the odd zero at the end', () => {
    // Windows of two, two apart, over 1 2 3: (1 2), (3 0); one apart: (1 2), (2 3), (3 0).
    const x = plain([1, 1, 3, 1], 1, 2, 3);
    const weight = plain([1, 2, 1, 1], 1, 10);
    const sums = (across: number): number[] => [
      ...ops.conv2d(x, weight, { stride: [1, across], padding: 'same', groups: 1 }).data,
    ];
    expect(sums(2)).toEqual([21, 3]);
    expect(sums(1)).toEqual([21, 32, 3]);
  });

  test('an average of whole numbers is their sum in a smaller unit', () => {
    const x = plain([1, 2, 4, 1], ...count(8));
    const found = ops.pool(x, 'average', { size: [2, 2], stride: [2, 2] });
    expect(found).toEqual({ shape: [1, 1, 2, 1], data: Float64Array.of(14, 22), unit: 1 / 4 });
    const added = ops.add(found, plain([1, 1, 2, 1], 1, 0));
    expect(added).toEqual({ shape: [1, 1, 2, 1], data: Float64Array.of(18, 22), unit: 1 / 4 });
    const third = ops.add({ ...found, unit: 0.3 }, plain([1, 1, 2, 1], 1, 0));
    expect(third.unit).toBeUndefined();
    expect([...third.data]).toEqual([14 * 0.3 + 1, 22 * 0.3]);
  });

  test('maxima, channels of zeros and flat features', () => {
    const x = plain([1, 2, 3, 2], ...count(12));
    expect(ops.pool(x, 'maximum', { size: [2, 2], stride: [1, 1] })).toEqual(
      plain([1, 1, 2, 2], 9, 10, 11, 12),
    );
    expect(ops.pool(x, 'maximum')).toEqual(plain([1, 1, 1, 2], 11, 12));
    expect(ops.padChannels(plain([2, 1, 1, 2], 1, 2, 3, 4), 1)).toEqual(
      plain([2, 1, 1, 3], 1, 2, 0, 3, 4, 0),
    );
    expect(ops.flatten(x)).toEqual(plain([1, 12], ...count(12)));
  });

  test('a residual block adds what came in, pooled and with zeros, to what its layers give', () => {
    const model = defineModel({
      input: [2, 2, 1],
      layers: [
        residual({ layers: [conv2d({ filters: 2, size: 1, stride: 2 }), binary()] }),
        flatten(),
        dense({ units: 2 }),
        readout(),
      ],
    });
    const seen: Record<string, number[]> = {};
    const parameters = {
      '0.residual.0.conv2d.weight': plain([1, 1, 1, 2], 1, -1),
      '0.residual.0.conv2d.gain': plain([2], 1, 1),
      '0.residual.0.conv2d.bias': plain([2], 0, 4),
      '2.dense.weight': plain([2, 2], 1, 1, 1, -1),
      '2.dense.gain': plain([2], 1, 1),
      '2.dense.bias': plain([2], 0, 0),
    };
    const x = plain([1, 2, 2, 1], 3, 1, 1, 2);
    const logits = forward(ops, model, parameters, x, {
      after: ({ name }, { data, unit = 1 }) => {
        seen[name] = [...data].map((value) => value * unit);
      },
    });
    expect(seen).toMatchObject({
      '0.residual.0.conv2d': [3, 1],
      '0.residual.1.binary': [1, 1],
      // The mean of the plane is 7/4; the second channel has no shortcut.
      '0.residual': [2.75, 1],
    });
    expect([...logits.data]).toEqual([3.75, 1.75]);
  });
});

const line = (...layers: unknown[]): Promise<string> =>
  lineOf(() => defineModel({ input: [4, 4, 3], layers } as ModelDefinition));
const end = [flatten(), dense({ units: 2 }), readout()];
const block = (...layers: unknown[]): object => ({ kind: 'residual', layers });

describe('a network of planes as plain data', () => {
  const model = defineModel(residualNetwork);

  test('comes back from JSON the same', () => {
    expect(defineModel(JSON.parse(JSON.stringify(model)) as ModelDefinition)).toEqual(model);
    const short = defineModel({
      input: [4, 4, 3],
      layers: [conv2d({ filters: 2, size: 3 }), binary(), ...end],
    });
    expect(short.layers[0]).toEqual({
      kind: 'conv2d',
      filters: 2,
      size: [3, 3],
      stride: [1, 1],
      padding: 'same',
      groups: 1,
    });
  });

  test('names its places inside out, and the parameters of layers in layers', () => {
    expect(placesOf(model).map(({ name, output }) => `${name} ${output.join('×')}`)).toEqual([
      '0.conv2d 6×4×4',
      '1.binary 6×4×4',
      '2.residual.0.conv2d 3×2×6',
      '2.residual.1.binary 3×2×6',
      '2.residual.2.residual.0.conv2d 3×2×6',
      '2.residual.2.residual.1.binary 3×2×6',
      '2.residual.2.residual 3×2×6',
      '2.residual 3×2×6',
      '3.maxPool 2×2×6',
      '4.averagePool 2×1×6',
      '5.conv2d 2×1×3',
      '6.binary 2×1×3',
      '7.flatten 6',
      '8.dense 3',
      '9.readout 3',
    ]);
    expect(parametersOf(model)['2.residual.0.conv2d.weight']).toEqual({
      shape: [3, 3, 2, 6],
      role: 'weight',
      fanIn: 18,
    });
  });

  test('is refused in one line where an input has no plane, or groups do not divide', async () => {
    const dull = { input: [12], layers: [conv2d({ filters: 2, size: 3 }), binary(), ...end] };
    expect(await lineOf(() => defineModel(dull))).toBe(
      'conv2d: expected an input of three axes [height, width, channels], got [12]',
    );
    for (const layer of [averagePool({ size: 2 }), maxPool({ size: 2 }), globalAveragePool()]) {
      const message = await lineOf(() => defineModel({ input: [12], layers: [layer, ...end] }));
      expect(message).toContain(`${layer.kind}: expected an input of three axes`);
    }
    expect(await line(conv2d({ filters: 4, size: 3, groups: 2 }), binary(), ...end)).toBe(
      'conv2d: 2 groups do not divide 3 input channels and 4 filters; both must be multiples of groups',
    );
    expect(await line(conv2d({ filters: 4, size: 3, groups: 3 }), binary(), ...end)).toContain('3 groups');
    expect(await line(conv2d({ filters: 4, size: 5, padding: 'valid' }), binary(), ...end)).toBe(
      "conv2d: a window of 5 × 5 is larger than its input's plane of 4 × 4; take a smaller size",
    );
    expect(await line(averagePool({ size: [5, 1] }), ...end)).toContain('averagePool: a window of 5 × 1');
    expect(await line(conv2d({ filters: 4, size: 3 }), readout())).toBe(
      'model: the readout reports [4, 4, 4]; expected one axis, of classes: put flatten() or globalAveragePool() before the last dense()',
    );
  });

  test('is refused where an option is wrong', async () => {
    expect(await lineOf(() => conv2d({ filters: 2, size: [3] as never }))).toMatch(/^conv2d\(\): size: /);
    expect(await lineOf(() => conv2d({ filters: 2, size: 0 }))).toMatch(/^conv2d\(\): size: /);
    expect(await lineOf(() => maxPool({ size: 2, stride: 1.5 }))).toMatch(/^maxPool\(\): stride: /);
    expect(await lineOf(() => residual({ layers: [] }))).toMatch(/^residual\(\): layers: /);
  });

  test('is refused where layers inside a block are wrong, with their place', async () => {
    const good = conv2d({ filters: 3, size: 3 });
    expect(await line(block({ kind: 'conv2d', filters: 3 }, binary()), ...end)).toMatch(
      /^model layer 0 \(residual\) layer 0 \(conv2d\): size: /,
    );
    expect(await line(block(good, { kind: 'neuron' }), ...end)).toContain(
      'model layer 0 (residual) layer 1: unknown kind "neuron"',
    );
    expect(await line(block(good, block({ kind: 'binary', high: 1 })), ...end)).toContain(
      "model layer 0 (residual) layer 1 (residual) layer 0 (binary): unknown option 'high'",
    );
    expect(await line(block(binary()), ...end)).toBe(
      "model layer 0 (residual) layer 0 (binary): expected a current, got the signal of the residual's input; put a synapse such as dense() between them",
    );
    expect(await line(block(good, binary(), good), ...end)).toBe(
      'model layer 0 (residual): the last layer gives a current; end its layers with a neuron such as binary()',
    );
    expect(await line(block(good, readout()), ...end)).toContain(
      'model layer 0 (residual): the last layer gives logits; end its layers',
    );
  });

  test('is refused where no shortcut fits', async () => {
    const narrow = await line(block(conv2d({ filters: 2, size: 3 }), binary()), ...end);
    expect(narrow).toMatch(
      /^residual: its layers make \[4, 4, 2\] of \[4, 4, 3\]; expected the same shape, or /,
    );
    expect(await line(block(conv2d({ filters: 3, size: 3, stride: 4 }), binary()), ...end)).toContain(
      'its layers make [1, 1, 3] of [4, 4, 3]',
    );
    const odd = [block(conv2d({ filters: 3, size: 3, stride: 2 }), binary()), ...end];
    expect(await lineOf(() => defineModel({ input: [5, 5, 3], layers: odd } as ModelDefinition))).toContain(
      'of half of even sides',
    );
  });
});
