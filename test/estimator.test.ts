import '@tensorflow/tfjs-backend-cpu';
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { registerGradients } from '../train/engine/gradients.ts';
import { type Estimator, importanceWeighted, type Spike, straightThrough } from '../train/index.ts';
import { crossEntropy } from '../train/objective.ts';
import { lineOf } from './support/error-line.ts';
import { numbersOf, relativeDifference } from './support/numbers.ts';

const fixture = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8')) as T;

beforeAll(async () => {
  await tf.setBackend('cpu');
  registerGradients();
});

/** F′(x) of the Gaussian. */
const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** How far each number is from the one expected, relative to that one. */
const worst = (actual: readonly number[], expected: readonly number[]): number =>
  Math.max(...actual.map((value, index) => relativeDifference([value], [expected[index] as number])));

interface NeuronCase {
  readonly mix: number;
  readonly u: number[];
  readonly sd: number[];
  readonly eps: number[];
  readonly spike: number[];
  readonly dspike_du: number[];
  readonly dspike_dsd: number[];
}

/** The gradients of two neurons, of which the second fires. */
const slopesOf = ({ spike }: Estimator): number[] =>
  numbersOf(() =>
    tf.grad((drive) => spike(drive, tf.tensor([0.5, 2]), tf.tensor([-1, 1])))(tf.tensor([0.3, -0.2])),
  );

describe('one noisy neuron', () => {
  const { cases } = fixture<{ cases: NeuronCase[] }>('neuron');

  test.each(cases)('reproduces the reference at mix $mix', ({ mix, u, sd, eps, ...expected }) => {
    const { spike } = importanceWeighted({ mix });
    expect(numbersOf(() => spike(tf.tensor(u), tf.tensor(sd), tf.tensor(eps)))).toEqual(expected.spike);
    const [byDrive, byDeviation, byNoise] = tf.tidy(() =>
      tf
        .grads((drive, deviation, noise) => spike(drive!, deviation!, noise!))([
          tf.tensor(u),
          tf.tensor(sd),
          tf.tensor(eps),
        ])
        .map((gradient) => Array.from(gradient.dataSync())),
    );
    expect(worst(byDrive!, expected.dspike_du)).toBeLessThan(1e-5);
    expect(worst(byDeviation!, expected.dspike_dsd)).toBeLessThan(1e-5);
    expect(byNoise).toEqual(u.map(() => 0));
  });

  test('straightThrough is the estimator of mix 0', () => {
    expect(slopesOf(straightThrough())).toEqual(slopesOf(importanceWeighted()));
    expect(slopesOf(straightThrough())).not.toEqual(slopesOf(importanceWeighted({ mix: 0.25 })));
  });

  test('a membrane at exactly the threshold does not fire', () => {
    const zero = tf.tensor([0, 0.5]);
    expect(numbersOf(() => straightThrough().spike(zero, tf.ones([2]), tf.tensor([0, -0.5])))).toEqual([
      0, 0,
    ]);
  });

  test('an event that has almost no probability has a bounded weight', () => {
    const { spike } = importanceWeighted({ mix: 1 });
    const slopeAt = (u: number): number =>
      numbersOf(() =>
        tf.grad((drive) => spike(drive, tf.ones([1]), tf.tensor([100])))(tf.tensor([u])),
      )[0] as number;
    expect(slopeAt(-6) / density(6)).toBeCloseTo(0.5 / 1e-6, -2);
  });

  test.each([-0.1, 1.5, Number.NaN])('a mix of %d is refused', async (mix) => {
    expect(await lineOf(() => importanceWeighted({ mix }))).toBe(
      `importanceWeighted: mix: expected a number in [0, 1], got ${mix}`,
    );
  });
});

/** Weights and biases of two layers. */
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
  readonly expected_loss: number;
  readonly exact_gradient: Gradients;
  readonly estimators: { mix: number; expected_gradient: Gradients; bias_norm: number }[];
}

/** F(x) of the Gaussian in float64: ½ + φ(x) (x + x³/3 + x⁵/(3·5) + …). */
function cumulative(x: number): number {
  let term = x;
  let sum = x;
  for (let odd = 3; Math.abs(term) > 1e-18; odd += 2) {
    term *= (x * x) / odd;
    sum += term;
  }
  return 0.5 + density(x) * sum;
}

/** b + Σ xᵢ Wᵢ */
const currents = (x: readonly number[], W: readonly number[][], b: readonly number[]): number[] =>
  b.map((bias, unit) => x.reduce((sum, value, input) => sum + value * W[input]![unit]!, bias));

const probability = (drives: readonly number[], spikes: readonly number[]): number =>
  drives.reduce((product, u, unit) => product * cumulative(spikes[unit] ? u : -u), 1);

/** Every state of five neurons: three in the first layer, two in the second. */
const states = Array.from({ length: 32 }, (_, state) => {
  const bits = Array.from({ length: 5 }, (_, bit) => (state >> bit) & 1);
  return { first: bits.slice(0, 3), second: bits.slice(3) };
});

/** Noise so strong that it decides the spike. */
const forcing = (spikes: readonly number[]): tf.Tensor => tf.tensor([spikes.map((on) => (on ? 1e3 : -1e3))]);

const flat = ({ W1, b1, W2, b2 }: Gradients): number[] => [W1, b1, W2, b2].flat(2);

/** A layer of neurons with noise of scale 1, made to fire as told. */
const fire = (
  spike: Spike,
  input: tf.Tensor,
  W: tf.Tensor,
  b: tf.Tensor,
  spikes: readonly number[],
): tf.Tensor => spike(tf.add(tf.matMul(input, W), b), tf.ones([1, spikes.length]), forcing(spikes));

/** The gradient's expectation over all states, and the loss's. */
function expectation(network: NetworkCase, mix: number): { gradient: number[]; loss: number } {
  const { x, W1, b1, W2, b2, readout, target } = network;
  const { spike } = importanceWeighted({ mix });
  const gradient = flat(network).fill(0);
  let expectedLoss = 0;
  for (const { first, second } of states) {
    const weight = probability(currents(x, W1, b1), first) * probability(currents(first, W2, b2), second);
    tf.tidy(() => {
      const { value, grads } = tf.valueAndGrads((W1, b1, W2, b2) => {
        const below = fire(spike, tf.tensor([x]), W1!, b1!, first);
        const hidden = fire(spike, below, W2!, b2!, second);
        const targets = tf.oneHot(tf.tensor1d([target], 'int32'), 3);
        return crossEntropy(tf.cast(targets, 'float32'), tf.matMul(hidden, tf.tensor(readout))) as tf.Scalar;
      })([tf.tensor(W1), tf.tensor(b1), tf.tensor(W2), tf.tensor(b2)]);
      expectedLoss += weight * (value.dataSync()[0] as number);
      grads
        .flatMap((each) => Array.from(each.dataSync()))
        .forEach((slope, index) => {
          gradient[index]! += weight * slope;
        });
    });
  }
  return { gradient, loss: expectedLoss };
}

const norm = (numbers: readonly number[]): number => Math.hypot(...numbers);

describe('a network of two stochastic layers, summed over its 32 states', () => {
  const { cases } = fixture<{ cases: NetworkCase[] }>('enumeration');

  test.each(cases.map((network, index) => ({ network, index })))(
    'network $index gives the expected gradients, less biased the higher the mix',
    ({ network }) => {
      const exact = flat(network.exact_gradient);
      const biases = network.estimators.map(({ mix, expected_gradient, bias_norm }) => {
        const { gradient, loss } = expectation(network, mix);
        expect(loss).toBeCloseTo(network.expected_loss, 6);
        expect(relativeDifference(gradient, flat(expected_gradient))).toBeLessThan(1e-5);
        const bias = norm(gradient.map((slope, index) => slope - exact[index]!));
        expect(bias).toBeCloseTo(bias_norm, 6);
        return bias;
      });
      expect(biases).toEqual([...biases].sort((a, b) => b - a));
      expect(biases.at(-1)! / biases[0]!).toBeLessThan(0.5);
    },
  );
});
