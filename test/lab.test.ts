import '@tensorflow/tfjs-backend-cpu';
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { binary, defineModel, dense, readout } from '../schemas/index.ts';
import { sizeOf } from '../schemas/layer.ts';
import { type LearnedTensor, learnedShapes, type Posterior } from '../schemas/posterior.ts';
import { Random } from '../schemas/random.ts';
import { registerGradients } from '../train/engine/gradients.ts';
import {
  analyticalGumbelRao,
  type Estimator,
  gumbelSoftmax,
  importanceWeighted,
  straightThrough,
  straightThroughGumbelSoftmax,
  surrogate,
} from '../train/index.ts';
import { exactGradient } from '../train/lab/exact-gradient.ts';
import { expectedGradients } from '../train/lab/expected-gradient.ts';
import { figuresOf } from '../train/lab/figures.ts';
import { flippedGradient } from '../train/lab/flipped-gradient.ts';
import {
  type Examples,
  examplesOf,
  labData,
  labPosterior,
  measureEstimators,
  runLab,
} from '../train/lab/index.ts';
import { losses } from '../train/lab/losses.ts';
import { plainNetwork, slotsOf } from '../train/lab/plain-network.ts';
import { gaussHermite, type NoiseName, plainNoises } from '../train/lab/plain-noise.ts';
import { type Group, sampledGradient } from '../train/lab/sampled-gradient.ts';
import { statesOf } from '../train/lab/states.ts';
import { lineOf } from './support/error-line.ts';
import { gaussians, relativeDifference } from './support/numbers.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
  registerGradients();
});

/** A network with a random posterior; weights far from certain make every path count. */
function randomPosterior(
  widths: readonly number[],
  seed: number,
  family: 'bernoulli' | 'gaussian' = 'bernoulli',
) {
  const hidden = widths.flatMap((units, index) => [dense({ units }), binary({ threshold: 0.2 * index })]);
  const model = defineModel({ input: [3], layers: [...hidden, dense({ units: 2 }), readout()] });
  const of = family === 'gaussian' ? ({ family, scale: 'weight' } as const) : ({ family } as const);
  const random = Random.fromSeed(seed, 'posterior');
  const learned: Record<string, LearnedTensor> = {};
  for (const [name, shape] of Object.entries(learnedShapes(model, of))) {
    const data = gaussians(
      shape.reduce((size, axis) => size * axis, 1),
      random,
    );
    learned[name] = { shape, data: name.endsWith('gain.value') ? data.map((value) => 1 + value / 4) : data };
  }
  return { ...of, model, learned, classNames: ['a', 'b'] } satisfies Posterior;
}

const examples: Examples = {
  inputs: [Float64Array.of(1, 0.5, 0.25), Float64Array.of(0, 1, 0.75), Float64Array.of(0.5, 0, 1)],
  labels: [0, 1, 0],
};

const exactOf = (posterior: Posterior, noise: NoiseName, loss: keyof typeof losses = 'crossEntropy') =>
  exactGradient(statesOf(plainNetwork(posterior), examples, noise), examples, noise, losses[loss]);

/** What the lab says training's code gives on average. */
function expectedOf(posterior: Posterior, estimator: Estimator, on = examples) {
  const chain = statesOf(plainNetwork(posterior), on, estimator.noise);
  const code = { posterior, throughVariances: false };
  return expectedGradients(code, chain.at(-1)!, on, losses.crossEntropy)(chain, estimator);
}

/** The weights and biases of the layers with neurons, in the order of the reference. */
function ofHidden(posterior: Posterior, gradient: Float64Array): number[] {
  const wanted = ['0.dense.weight.mu', '0.dense.bias.value', '2.dense.weight.mu', '2.dense.bias.value'];
  const slots = wanted.map((name) => slotsOf(posterior).find((slot) => slot.name === name)!);
  return slots.flatMap(({ from, shape }) => Array.from(gradient.subarray(from, from + sizeOf(shape))));
}

describe('against a reference that was computed elsewhere', () => {
  interface Gradients {
    readonly W1: number[][];
    readonly b1: number[];
    readonly W2: number[][];
    readonly b2: number[];
  }
  interface NetworkCase extends Gradients {
    readonly x: number[];
    readonly readout: number[][];
    readonly target: number;
    readonly exact_gradient: Gradients;
    readonly estimators: { mix: number; expected_gradient: Gradients }[];
  }
  const file = new URL('fixtures/enumeration.json', import.meta.url);
  const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: NetworkCase[] };

  /** Certain weights and biases with noise of scale 1: the network of the reference. */
  function posteriorOf({ W1, b1, W2, b2, readout: R, x }: NetworkCase): Posterior {
    const layers = [
      dense({ units: 3 }),
      binary(),
      dense({ units: 2 }),
      binary(),
      dense({ units: 3 }),
      readout(),
    ];
    const learned: Record<string, LearnedTensor> = {};
    const add = (name: string, W: number[][], b: number[], noise: number) => {
      const shape = [W.length, b.length];
      learned[`${name}.weight.mu`] = { shape, data: Float32Array.from(W.flat()) };
      learned[`${name}.weight.rho`] = { shape, data: new Float32Array(W.flat().length).fill(-30) };
      learned[`${name}.gain.value`] = { shape: [b.length], data: new Float32Array(b.length).fill(1) };
      learned[`${name}.bias.value`] = { shape: [b.length], data: Float32Array.from(b) };
      learned[`${name}.bias.rho`] = { shape: [1], data: Float32Array.of(Math.log(Math.expm1(noise))) };
    };
    add('0.dense', W1, b1, 1);
    add('2.dense', W2, b2, 1);
    add('4.dense', R, [0, 0, 0], 1e-6);
    const model = defineModel({ input: [x.length], layers });
    return { family: 'gaussian', scale: 'weight', model, learned, classNames: ['a', 'b', 'c'] };
  }

  const flat = ({ W1, b1, W2, b2 }: Gradients): number[] => [W1, b1, W2, b2].flat(2);

  test.each(cases.map((network, index) => ({ network, index })))('network $index', ({ network }) => {
    const posterior = posteriorOf(network);
    const one = { inputs: [Float64Array.from(network.x)], labels: [network.target] };
    const chain = statesOf(plainNetwork(posterior), one, 'gaussian');
    const exact = exactGradient(chain, one, 'gaussian', losses.crossEntropy);
    expect(relativeDifference(ofHidden(posterior, exact), flat(network.exact_gradient))).toBeLessThan(1e-5);
    for (const { mix, expected_gradient } of network.estimators) {
      const { mean } = expectedOf(posterior, importanceWeighted({ mix }), one)!;
      expect(relativeDifference(ofHidden(posterior, mean), flat(expected_gradient))).toBeLessThan(1e-5);
    }
  });
});

/** F of the Gaussian by the trapezoid rule. */
function normalCumulative(x: number): number {
  const count = 4000;
  const width = (x + 9) / count;
  let sum = 0;
  for (let at = 0; at <= count; at++) {
    const value = Math.exp(-((at * width - 9) ** 2) / 2);
    sum += at === 0 || at === count ? value / 2 : value;
  }
  return (sum * width) / Math.sqrt(2 * Math.PI);
}

/** The expected loss by listing every pattern of every layer, and the readout's noise on a fine grid. */
function expectedLoss(posterior: Posterior, noise: NoiseName): number {
  const F = noise === 'gaussian' ? normalCumulative : (x: number) => 1 / (1 + Math.exp(-x));
  const layers = plainNetwork(posterior);
  const from = (index: number, x: readonly number[], label: number): number => {
    const layer = layers[index]!;
    const of = (part: string) => posterior.learned[`${layer.name}.${part}`]!.data;
    const scale = Math.log1p(Math.exp(of('bias.rho')[0]!));
    const units = Array.from({ length: layer.units }, (_, unit) => {
      let [mean, variance] = [0, 0];
      x.forEach((value, input) => {
        const weight = Math.tanh(of('weight.lambda')[input * layer.units + unit]!);
        mean += value * weight;
        variance += value * value * (1 - weight * weight);
      });
      const gain = of('gain.value')[unit]!;
      return {
        mean: gain * mean + of('bias.value')[unit]!,
        deviation: Math.hypot(gain * Math.sqrt(variance), scale),
      };
    });
    if (layer.threshold === undefined) {
      // The loss of two classes depends on the difference of their logits, which is normal too.
      const [a, b] = units as [(typeof units)[0], (typeof units)[0]];
      const away = (label === 0 ? 1 : -1) * (b.mean - a.mean);
      const spread = Math.hypot(a.deviation, b.deviation);
      let sum = 0;
      for (let e = -8; e <= 8; e += 0.01)
        sum += 0.01 * Math.exp((-e * e) / 2) * Math.log1p(Math.exp(away + spread * e));
      return sum / Math.sqrt(2 * Math.PI);
    }
    const P = units.map(({ mean, deviation }) => F((mean - layer.threshold!) / deviation));
    let total = 0;
    for (let pattern = 0; pattern < 2 ** layer.units; pattern++) {
      const z = P.map((_, unit) => (pattern >> unit) & 1);
      const p = z.reduce((product, on, unit) => product * (on ? P[unit]! : 1 - P[unit]!), 1);
      total += p * from(index + 1, z, label);
    }
    return total;
  };
  return examples.inputs.reduce((sum, x, at) => sum + from(0, [...x], examples.labels[at]!) / 3, 0);
}

describe('the true gradient', () => {
  test.each(['gaussian', 'logistic'] as const)('is the slope of the expected loss, %s noise', (noise) => {
    const posterior = randomPosterior([2, 2], 3);
    const gradient = exactOf(posterior, noise);
    // One number of every learned tensor, the last of it.
    const some = slotsOf(posterior).map(({ name, from }) => {
      const { data } = posterior.learned[name]!;
      const last = data.length - 1;
      const [value, h] = [data[last]!, 2 ** -8];
      const losses = [h, -h].map((moved) => {
        data[last] = value + moved;
        const loss = expectedLoss(posterior, noise);
        return { loss, at: data[last] };
      });
      data[last] = value;
      return {
        slope: (losses[0]!.loss - losses[1]!.loss) / (losses[0]!.at - losses[1]!.at),
        found: gradient[from + last]!,
      };
    });
    const slopes = some.map(({ slope }) => slope);
    expect(Math.max(...slopes.map(Math.abs))).toBeGreaterThan(0.01);
    expect(
      relativeDifference(
        some.map(({ found }) => found),
        slopes,
      ),
    ).toBeLessThan(1e-4);
  });

  test.each(['gaussian', 'logistic'] as const)(
    'is what flipping neurons gives on average, %s noise',
    async (noise) => {
      const posterior = randomPosterior([3, 2], 4);
      const layers = plainNetwork(posterior);
      const told = { steps: 150, seed: 2, onGroup: async () => {} };
      const groups = await flippedGradient(layers, examples, noise, losses.crossEntropy, told);
      expect(errorsOfMean(groups, exactOf(posterior, noise))).toBeLessThan(5);
    },
  );

  test('quadrature over normal noise integrates polynomials', () => {
    const { nodes, weights } = gaussHermite(9);
    const moments = [0, 1, 2, 4, 6, 8, 16].map((power) =>
      nodes.reduce((sum, node, index) => sum + weights[index]! * node ** power, 0),
    );
    expect(relativeDifference(moments, [1, 0, 1, 3, 15, 105, 2_027_025])).toBeLessThan(1e-12);
  });
});

/** The largest distance between the mean of groups and what is expected, in standard errors of each number. */
function errorsOfMean(groups: readonly Float64Array[], expected: ArrayLike<number>): number {
  const errors = Array.from(expected, (value, at) => {
    const column = groups.map((group) => group[at]!);
    const mean = column.reduce((sum, each) => sum + each, 0) / column.length;
    const spread = column.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (column.length - 1);
    return Math.abs(mean - value) / (Math.sqrt(spread / column.length) + 1e-9);
  });
  return Math.max(...errors);
}

/** Gradients as training's code gives them. */
const draw = (posterior: Posterior, estimator: Estimator, steps = 100): Promise<Group[]> => {
  const code = { posterior, throughVariances: false };
  const network = { code, layers: plainNetwork(posterior), examples };
  return sampledGradient(network, estimator, losses.crossEntropy, {
    steps,
    seed: 6,
    onGroup: async () => {},
  });
};

describe('what an estimator gives', () => {
  test.each([
    straightThrough(),
    importanceWeighted({ mix: 0.7 }),
    importanceWeighted({ mix: 1, noise: 'logistic' }),
    analyticalGumbelRao({ temperature: 0.8 }),
    surrogate(),
  ])('sums over patterns are the means of draws: $name', async (estimator) => {
    const posterior = randomPosterior([3, 2], 5);
    const groups = await draw(posterior, estimator);
    const { mean, variance } = expectedOf(posterior, estimator)!;
    const means = groups.map((group) => group.mean);
    expect(errorsOfMean(means, mean)).toBeLessThan(5);
    plainNetwork(posterior).forEach(({ from, to }, layer) => {
      const square = groups.reduce((sum, { squares }) => sum + squares[layer]! / groups.length, 0);
      const own = mean.slice(from, to).reduce((sum, value) => sum + value * value, 0);
      expect(Math.abs(square - own - variance[layer]!)).toBeLessThan(0.25 * variance[layer]! + 1e-9);
    });
  });

  test('the same seed draws the same', async () => {
    const posterior = randomPosterior([2], 1);
    const [first, again] = [
      await draw(posterior, gumbelSoftmax(), 2),
      await draw(posterior, gumbelSoftmax(), 2),
    ];
    expect(first).toEqual(again);
  });

  test('what depends on more than the spikes is drawn, and one that someone made is summed', async () => {
    const flatSlope: Estimator = {
      name: 'flat',
      options: {},
      noise: 'gaussian',
      spike: tf.customGrad((...given) => {
        const [drive, deviation, noise] = given as tf.Tensor[];
        const value = tf.cast(tf.greater(tf.add(drive!, tf.mul(deviation!, noise!)), 0), 'float32');
        return {
          value,
          gradFunc: (gradient: tf.Tensor) => [gradient, tf.zerosLike(gradient), tf.zerosLike(gradient)],
        };
      }) as Estimator['spike'],
    };
    const estimators = [straightThroughGumbelSoftmax(), gumbelSoftmax(), flatSlope];
    const { estimators: found } = await measureEstimators(randomPosterior([2], 1), examples, {
      estimators,
      loss: 'crossEntropy',
      samples: 40,
      seed: 1,
    });
    expect(found.map(({ exact }) => exact)).toEqual([false, false, true]);
    expect(found.map(({ hidden }) => 'error' in hidden.variance)).toEqual([true, true, false]);
  });
});

const rising = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b);

describe('findings', () => {
  const mixes = [0, 0.25, 0.5, 0.75, 1].map((mix) => importanceWeighted({ mix }));

  test('bias falls and variance rises with the mix', async () => {
    const [network] = await runLab(mixes, { networks: [[3, 3]], steps: 0, penalty: 'none', repeats: 1 });
    const biases = network!.estimators.map(({ hidden }) => hidden.bias.value);
    const variances = network!.estimators.map(({ hidden }) => hidden.variance.value);
    expect(biases.toReversed()).toEqual(rising(biases));
    expect(variances).toEqual(rising(variances));
    expect(biases.at(-1)! / biases[0]!).toBeLessThan(0.3);
    expect(network!.estimators.every(({ layers }) => layers.at(-1)!.bias.value < 1e-4)).toBe(true);
  });

  test('mix 1 is exact for a quadratic loss over one layer', async () => {
    const options = { networks: [[3]], steps: 0, penalty: 'none', repeats: 1, loss: 'squaredError' } as const;
    const [network] = await runLab(mixes, options);
    const biases = network!.estimators.map(({ hidden }) => hidden.bias.value);
    expect(biases[0]).toBeGreaterThan(0.02);
    expect(biases[4]).toBeLessThan(1e-5);
  });

  test('the penalty brings neurons to their thresholds and the bias of straight-through down', async () => {
    const options = {
      networks: [[4, 4]],
      repeats: 1,
      penalty: 'bias',
      penaltyWeight: 0.003,
      steps: 100,
    } as const;
    const [without, withPenalty] = await runLab([straightThrough()], options);
    expect([without!.penalty, withPenalty!.penalty]).toEqual(['none', 'bias']);
    expect(withPenalty!.meanSquareRatio).toBeLessThan(0.5 * without!.meanSquareRatio!);
    const [before, after] = [without, withPenalty].map((each) => each!.estimators[0]!.hidden.bias.value);
    expect(after).toBeLessThan(0.5 * before!);
  });

  test('of binary weights the variance that no gradient enters is most of the bias that mix 1 leaves', async () => {
    const options = {
      networks: [[3, 3]],
      weights: 'bernoulli',
      steps: 0,
      penalty: 'none',
      repeats: 1,
    } as const;
    const [closed] = await runLab(mixes.slice(-1), options);
    const [open] = await runLab(mixes.slice(-1), { ...options, throughVariances: true });
    const [before, after] = [closed, open].map((each) => each!.estimators[0]!.hidden.bias.value);
    expect(after).toBeLessThan(0.5 * before!);
  });
});

describe('figures', () => {
  const random = Random.fromSeed(4, 'figures');
  const truth = Float64Array.of(3, 0, 4);
  const around = (centre: Float64Array, spread: number) =>
    Array.from({ length: 20 }, () => {
      const noise = gaussians(centre.length, random);
      return centre.map((value, at) => value + spread * noise[at]!);
    });
  const squares = Array.from({ length: 20 }, () => 50);

  test('of exact gradients', () => {
    const { bias, variance, cosine, alignment } = figuresOf([Float64Array.of(3, 4, 0)], [50], [truth]);
    expect(bias).toEqual({ value: Math.sqrt(32) / 5, resolved: true });
    expect(variance.value).toBe(1);
    expect(cosine.value).toBeCloseTo(9 / 25, 12);
    expect(alignment.value).toBeCloseTo(9 / (5 * Math.sqrt(50)), 12);
  });

  test('noise is not taken for bias, whichever side it is on', () => {
    // In so many numbers the square of a mean is some of it noise, reliably.
    const wide = new Float64Array(300).fill(1);
    for (const [estimate, reference] of [
      [around(wide, 1), [wide]],
      [[wide], around(wide, 1)],
      [around(wide, 1), around(wide, 1)],
    ] as const) {
      const { bias } = figuresOf(estimate, squares.slice(0, estimate.length), reference);
      expect(bias.resolved).toBe(false);
    }
  });

  test('a bias beyond the noise is found, within its error', () => {
    const { bias } = figuresOf(around(Float64Array.of(3, 1, 4), 0.1), squares, around(truth, 0.1));
    expect(bias.resolved).toBe(true);
    expect(Math.abs(bias.value - 0.2)).toBeLessThan(4 * bias.error!);
    expect(bias.error).toBeLessThan(0.02);
  });
});

test('networks too wide to sum over are drawn, their true gradient too', async () => {
  const data = labData(2);
  const settings = {
    weights: 'certain',
    penalty: 'none',
    penaltyWeight: 1,
    steps: 0,
    learningRate: 1,
    seed: 2,
  } as const;
  const posterior = await labPosterior(data, { widths: [11], ...settings });
  const { exactTruth, estimators } = await measureEstimators(posterior, examplesOf(data), {
    estimators: [straightThrough()],
    loss: 'crossEntropy',
    samples: 400,
    seed: 2,
  });
  expect(exactTruth).toBe(false);
  expect(estimators[0]).toMatchObject({ name: 'straightThrough', exact: false });
  const { cosine } = estimators[0]!.hidden;
  expect(Math.abs(cosine.value - 1)).toBeLessThan(0.1 + 4 * cosine.error!);
});

test('what cannot be measured is named', async () => {
  const posterior = randomPosterior([2], 1, 'gaussian');
  const shared = { ...posterior, scale: 'layer' } as const;
  expect(await lineOf(() => plainNetwork(shared))).toContain('a deviation per layer cannot be measured');
  expect(await lineOf(() => runLab([], { networks: [] }))).toMatch(/^lab: networks/);
  expect(await lineOf(() => plainNetwork(randomPosterior([], 1)))).toContain('has no neurons');
});

test('the noise of the reference is the distribution it says', () => {
  for (const { cumulative, density } of Object.values(plainNoises)) {
    for (const x of [-6, -1.5, -0.1, 0, 0.7, 3]) {
      expect(cumulative(x) + cumulative(-x)).toBeCloseTo(1, 12);
      expect((cumulative(x + 1e-4) - cumulative(x - 1e-4)) / 2e-4).toBeCloseTo(density(x), 7);
    }
  }
});
