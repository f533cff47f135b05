import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { defineModel, dense, readout } from '../schemas/index.ts';
import { registerGradients } from '../train/engine/gradients.ts';
import type { Spike } from '../train/estimators/index.ts';
import { type Firing, type Moments, momentsOps } from '../train/moments.ts';
import { type PenaltyForm, penalty, penaltyTerm } from '../train/objective.ts';
import { parameterMoments, weightDivergence } from '../train/posterior.ts';
import { numberOf, numbersOf, relativeDifference, slopesOf } from './support/numbers.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
  registerGradients();
});

const model = defineModel({ input: [3], layers: [dense({ units: 2 }), readout()] });

const lambda = [0.3, -1.2, 0, 0.8, 2, -0.4];
const gain = [0.7, -1.5];
const bias = [0.2, -0.6];
const rho = -1;
const x = [
  [1, 0, -2],
  [0.5, 3, 1],
];
const softplus = (value: number): number => Math.log1p(Math.exp(value));

interface Layer {
  readonly weight: Moments;
  readonly gain: Moments;
  readonly bias: Moments;
}

/** The layer's parameters as moments. */
function layer(): Layer {
  const moments = parameterMoments(model, {
    '0.dense.weight.lambda': tf.tensor(lambda, [3, 2]),
    '0.dense.gain.value': tf.tensor(gain),
    '0.dense.bias.value': tf.tensor(bias),
    '0.dense.bias.rho': tf.tensor([rho]),
  });
  const of = (name: string): Moments => moments[`0.dense.${name}`] as Moments;
  return { weight: of('weight'), gain: of('gain'), bias: of('bias') };
}

/** Reports the noise that a neuron fires with, in place of its spikes. */
const deviationOnly: Spike = (_drive, deviation) => deviation;

/** Reports how far a membrane is above its threshold. */
const driveOnly: Spike = (drive) => drive;

const ops = momentsOps({ spike: deviationOnly, noise: (shape) => tf.ones([...shape]) });

const current = (input: tf.Tensor = tf.tensor(x)): Moments =>
  dense.layer.step(ops, { units: 2 }, { ...layer() }, {}, { mean: input })[0];

/** The mean and variance of a dense layer's output over all 2⁶ weights, each as probable as the posterior says. */
function overAllWeights(): { mean: number[]; variance: number[] } {
  const mean = [0, 0, 0, 0];
  const square = [0, 0, 0, 0];
  for (let signs = 0; signs < 64; signs++) {
    const weights = lambda.map((_, place) => ((signs >> place) & 1 ? 1 : -1));
    const probability = lambda.reduce(
      (product, value, place) => product / (1 + Math.exp(-2 * value * weights[place]!)),
      1,
    );
    x.forEach((row, example) => {
      gain.forEach((factor, unit) => {
        const sum = row.reduce((sum, value, input) => sum + value * weights[input * 2 + unit]!, 0);
        const output = factor * sum + bias[unit]!;
        mean[example * 2 + unit]! += probability * output;
        square[example * 2 + unit]! += probability * output * output;
      });
    });
  }
  return { mean, variance: square.map((value, index) => value - mean[index]! ** 2) };
}

describe('local reparameterisation', () => {
  test('mean and variance of a layer are those over all its weights', () => {
    const expected = overAllWeights();
    expect(
      relativeDifference(
        numbersOf(() => current().mean),
        expected.mean,
      ),
    ).toBeLessThan(1e-6);
    expect(
      relativeDifference(
        numbersOf(() => current().variance!),
        expected.variance,
      ),
    ).toBeLessThan(1e-6);
  });

  test("a bias's noise adds at the moment of firing, and is not part of the variance", () => {
    const { variance } = overAllWeights();
    const deviations = variance.map((value) => Math.sqrt(value + softplus(rho) ** 2));
    const fired = numbersOf(() => ops.spike(current(), 0).mean);
    expect(relativeDifference(fired, deviations)).toBeLessThan(1e-6);
    expect(numbersOf(() => current().firingVariance!)[0]).toBeCloseTo(softplus(rho) ** 2, 6);

    const { mean } = overAllWeights();
    const read = numbersOf(() => ops.read(current()).mean);
    expect(
      relativeDifference(
        read,
        mean.map((value, index) => value + deviations[index]!),
      ),
    ).toBeLessThan(1e-6);
  });

  test('a factor multiplies a deviation, whichever kind of noise it is', () => {
    const before = current();
    const after = ops.multiply(before, { mean: tf.tensor([3, -2]) });
    const ratio = (part: 'variance' | 'firingVariance'): number[] =>
      numbersOf(() => tf.div(after[part]!, before[part]!));
    expect(relativeDifference(ratio('variance'), [9, 4, 9, 4])).toBeLessThan(1e-6);
    expect(relativeDifference(ratio('firingVariance'), [9, 4])).toBeLessThan(1e-6);
  });

  test('what is certain stays certain: it is read as it is, and no neuron may fire on it', () => {
    const certain: Moments = { mean: tf.tensor([[1, 2]]) };
    expect(numbersOf(() => ops.read(certain).mean)).toEqual([1, 2]);
    expect(() => ops.spike(certain, 0)).toThrow('a neuron fires on a certain current');
    expect(ops.add(certain, certain)).not.toHaveProperty('variance');
  });

  test('a neuron fires on what lies above its threshold', () => {
    const seen: Firing[] = [];
    const measured: tf.Tensor[] = [];
    const watching = momentsOps({
      spike: driveOnly,
      noise: (shape) => tf.zeros([...shape]),
      measure: (firing) => {
        seen.push(firing);
        return firing.deviation;
      },
      measured,
    });
    const drive = watching.spike({ mean: tf.tensor([[1, 2]]), variance: tf.tensor([[4, 9]]) }, 0.5).mean;
    expect(Array.from(drive.dataSync())).toEqual([0.5, 1.5]);
    const [firing] = seen;
    expect(firing!.threshold).toBe(0.5);
    expect(Array.from(firing!.membrane.dataSync())).toEqual([1, 2]);
    expect(Array.from(firing!.deviation.dataSync())).toEqual([2, 3]);
    expect(measured.map((tensor) => Array.from(tensor.dataSync()))).toEqual([[2, 3]]);
  });

  test('a relaxed spike is squared in a variance, as any number between 0 and 1', () => {
    const [ofRelaxed, ofBinary] = [true, false].map((relaxed) => {
      const spiking = momentsOps({ spike: driveOnly, relaxed, noise: (shape) => tf.zeros([...shape]) });
      const spikes = spiking.spike({ mean: tf.tensor([[0.5]]), variance: tf.tensor([[1]]) }, 0);
      const weight: Moments = { mean: tf.tensor([[1]]), variance: tf.tensor([[1]]) };
      return numbersOf(() => spiking.linear(spikes, weight).variance!);
    });
    expect(ofRelaxed).toEqual([0.25]);
    expect(ofBinary).toEqual([0.5]);
  });
});

const totalOfInput = (input: tf.Tensor, withNoise: boolean): tf.Tensor => {
  const moments = current(input);
  return withNoise ? tf.add(tf.sum(moments.mean), tf.sum(tf.sqrt(moments.variance!))) : tf.sum(moments.mean);
};

const slopesOfInput = (withNoise: boolean): number[] =>
  numbersOf(() => tf.grad((input) => totalOfInput(input, withNoise))(tf.tensor(x)));

const totalOfLambda = (weights: tf.Tensor): tf.Tensor => {
  const mean = tf.tanh(weights);
  const weight: Moments = { mean, variance: tf.sub(1, tf.square(mean)) };
  const moments = ops.linear({ mean: tf.tensor(x) }, weight);
  return tf.add(tf.sum(moments.mean), tf.sum(tf.sqrt(moments.variance!)));
};

describe('gradients of moments', () => {
  test('an input gets a gradient through the mean alone', () => {
    expect(slopesOfInput(true)).toEqual(slopesOfInput(false));
    expect(Math.max(...slopesOfInput(true).map(Math.abs))).toBeGreaterThan(0.1);
  });

  test('the posterior gets one through both', () => {
    const at = Float32Array.from(lambda);
    const slopes = numbersOf(() => tf.grad(totalOfLambda)(tf.tensor(at, [3, 2])));
    const differences = slopesOf(
      (moved) => numberOf(() => totalOfLambda(tf.tensor(moved, [3, 2]))),
      at,
      1e-2,
    );
    expect(relativeDifference(slopes, differences)).toBeLessThan(1e-3);
  });
});

const divergence = (values: tf.Tensor): tf.Tensor =>
  weightDivergence(model, { '0.dense.weight.lambda': values });

const entropy = (q: number): number =>
  q === 0 || q === 1 ? 0 : -q * Math.log(q) - (1 - q) * Math.log(1 - q);

/** Σ log 2 − H(q), q = P(+1). */
const direct = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((sum, value) => sum + Math.LN2 - entropy(1 / (1 + Math.exp(-2 * value))), 0);

describe('the divergence from Bernoulli(½)', () => {
  test('is Σ log 2 − H(q)', () => {
    expect(numberOf(() => divergence(tf.tensor(lambda)))).toBeCloseTo(direct(lambda), 5);
    expect(numberOf(() => divergence(tf.zeros([4])))).toBeCloseTo(0, 6);
  });

  test('has the gradient of that formula', () => {
    const slopes = numbersOf(() => tf.grad(divergence)(tf.tensor(lambda)));
    const differences = lambda.map((value) => (direct([value + 1e-5]) - direct([value - 1e-5])) / 2e-5);
    expect(relativeDifference(slopes, differences)).toBeLessThan(1e-5);
  });

  test('is log 2 for a weight beyond doubt', () => {
    const sure = tf.tensor([60, -60, 200]);
    expect(numberOf(() => divergence(sure)) / 3).toBeCloseTo(Math.LN2, 5);
    expect(numbersOf(() => tf.abs(tf.grad(divergence)(sure)))).toEqual([0, 0, 0]);
  });

  test('sums the layers', () => {
    const two = defineModel({
      input: [2],
      layers: [dense({ units: 1 }), { kind: 'binary', threshold: 0 }, dense({ units: 1 }), readout()],
    });
    const value = numberOf(() =>
      weightDivergence(two, {
        '0.dense.weight.lambda': tf.tensor([[0.5], [1]]),
        '2.dense.weight.lambda': tf.tensor([[-2]]),
      }),
    );
    expect(value).toBeCloseTo(direct([0.5, 1, -2]), 5);
  });
});

const firing = (membrane: number[][], deviation: number[][], threshold: number): Firing => ({
  membrane: tf.tensor(membrane),
  deviation: tf.tensor(deviation),
  threshold,
  // What came in at a step is another number, with another deviation.
  current: tf.mul(tf.tensor(membrane), 3),
  currentDeviation: tf.mul(tf.tensor(deviation), 2),
  spikes: tf.zerosLike(tf.tensor(membrane)),
});

const penaltyOf = (form: PenaltyForm, ...firings: Firing[]): tf.Tensor =>
  penalty(firings.map(penaltyTerm(form)), 2);

const first = (): Firing =>
  firing(
    [
      [1, -2],
      [3, 0],
    ],
    [
      [0.5, 1],
      [2, 4],
    ],
    1,
  );
const second = (): Firing => firing([[2], [4]], [[1], [2]], 0);

describe('the penalty', () => {
  test('membrane: mean over the batch of Σ (U/σ)²', () => {
    // (4 + 4 + 2.25 + 0)/2
    expect(numberOf(() => penaltyOf('membrane', first()))).toBeCloseTo(5.125, 6);
    expect(numberOf(() => penaltyOf('membrane', first(), second()))).toBeCloseTo(5.125 + 4, 6);
  });

  test('bias: mean over the batch of Σ ((U − θ)/σ)²', () => {
    // (0 + 9 + 1 + 0.0625)/2
    expect(numberOf(() => penaltyOf('bias', first()))).toBeCloseTo(5.03125, 6);
    expect(numberOf(() => penaltyOf('bias', first(), second()))).toBeCloseTo(5.03125 + 4, 6);
  });

  test('current: mean over the batch of Σ (I/σ_I)²', () => {
    expect(numberOf(() => penaltyOf('current', first(), second()))).toBeCloseTo((5.125 + 4) * 2.25, 5);
  });

  test('is 0 where no neuron fires', () => {
    expect(numberOf(() => penaltyOf('bias'))).toBe(0);
  });
});
