import '@tensorflow/tfjs-backend-cpu';
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../schemas/random.ts';
import { registerGradients } from '../train/engine/gradients.ts';
import {
  analyticalGumbelRao,
  type Estimator,
  importanceWeighted,
  type Spike,
  straightThroughGumbelSoftmax,
} from '../train/index.ts';
import { fillLogistic } from '../train/noise/logistic.ts';
import { crossEntropy } from '../train/objective.ts';
import { gaussians, relativeDifference } from './support/numbers.ts';

const { cases } = JSON.parse(readFileSync(new URL('fixtures/enumeration.json', import.meta.url), 'utf8')) as {
  cases: NetworkCase[];
};

beforeAll(async () => {
  await tf.setBackend('cpu');
  registerGradients();
});

/** F′(x) of the Gaussian. */
const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

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

const cumulatives = { gaussian: cumulative, logistic: (x: number) => 1 / (1 + Math.exp(-x)) };
type Link = keyof typeof cumulatives;

/** b + Σ xᵢ Wᵢ */
const currents = (x: readonly number[], W: readonly number[][], b: readonly number[]): number[] =>
  b.map((bias, unit) => x.reduce((sum, value, input) => sum + value * W[input]![unit]!, bias));

const probability = (link: Link, drives: readonly number[], spikes: readonly number[]): number =>
  drives.reduce((product, u, unit) => product * cumulatives[link](spikes[unit] ? u : -u), 1);

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

/** The expectations over all states of the gradient, its square, and the loss. */
function expectation(
  network: NetworkCase,
  { spike, noise }: Estimator,
): { gradient: number[]; squares: number[]; loss: number } {
  const { x, W1, b1, W2, b2, readout, target } = network;
  const link = noise as Link;
  const gradient = flat(network).fill(0);
  const squares = [...gradient];
  let expectedLoss = 0;
  for (const { first, second } of states) {
    const weight =
      probability(link, currents(x, W1, b1), first) * probability(link, currents(first, W2, b2), second);
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
          squares[index]! += weight * slope * slope;
        });
    });
  }
  return { gradient, squares, loss: expectedLoss };
}

const norm = (numbers: readonly number[]): number => Math.hypot(...numbers);

describe('a network of two stochastic layers, summed over its 32 states', () => {
  test.each(cases.map((network, index) => ({ network, index })))(
    'network $index gives the expected gradients, less biased the higher the mix',
    ({ network }) => {
      const exact = flat(network.exact_gradient);
      const biases = network.estimators.map(({ mix, expected_gradient, bias_norm }) => {
        const { gradient, loss } = expectation(network, importanceWeighted({ mix }));
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

const DRAWS = 20_000;

/** The gradients of b1, W2 and b2 that `DRAWS` passes with noise of their own give; one row per pass. */
function sampledGradients(network: NetworkCase, { spike, noise }: Estimator, seed: number): number[][] {
  const { x, W1, b1, W2, b2, readout, target } = network;
  const random = Random.fromSeed(seed, 'draws');
  const draw = (units: number): tf.Tensor => {
    let numbers = new Float32Array(DRAWS * units);
    if (noise === 'logistic') fillLogistic(numbers, random);
    else numbers = gaussians(numbers.length, random) as typeof numbers;
    return tf.tensor(numbers, [DRAWS, units]);
  };
  return tf.tidy(() => {
    const [below, above] = [draw(b1.length), draw(b2.length)];
    const first = (bias: tf.Tensor) =>
      spike(tf.add(tf.matMul(tf.tensor([x]), tf.tensor(W1)), bias), tf.ones(bias.shape), below);
    // A row of biases for each pass keeps their gradients apart.
    const biases = [b1, b2].map((bias) => tf.mul(tf.ones([DRAWS, 1]), tf.tensor([bias])));
    const [by1, by2] = tf
      .grads((bias1, bias2) => {
        const drive = tf.add(tf.matMul(first(bias1!), tf.tensor(W2)), bias2!);
        const logits = tf.matMul(spike(drive, tf.ones(drive.shape), above), tf.tensor(readout));
        const targets = tf.cast(tf.oneHot(tf.tensor1d([target], 'int32'), 3), 'float32');
        return tf.neg(tf.sum(tf.mul(targets, tf.logSoftmax(logits))));
      })(biases)
      .map((gradient) => gradient.arraySync() as number[][]);
    const spikes = first(biases[0]!).arraySync() as number[][];
    return by1!.map((row, pass) =>
      row.concat(
        spikes[pass]!.flatMap((spiked) => by2![pass]!.map((slope) => spiked * slope)),
        by2![pass]!,
      ),
    );
  });
}

const mean = (numbers: readonly number[]): number =>
  numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
const variance = (numbers: readonly number[]): number => {
  const middle = mean(numbers);
  return mean(numbers.map((each) => (each - middle) ** 2));
};
const columns = (rows: readonly (readonly number[])[]): number[][] =>
  rows[0]!.map((_, column) => rows.map((row) => row[column]!));

describe('sampled gradients', () => {
  const temperature = 0.7;
  /** Each noisy estimator of hard spikes, and the one whose expectation over the states is its own. */
  const sampled: readonly { name: string; estimator: Estimator; averaged?: Estimator }[] = [
    { name: 'straight-through', estimator: importanceWeighted() },
    { name: 'IW-ST of mix 0.5', estimator: importanceWeighted({ mix: 0.5 }) },
    { name: 'the trapezoid rule', estimator: importanceWeighted({ mix: 1 }) },
    {
      name: 'IW-ST of mix 0.5, logistic',
      estimator: importanceWeighted({ mix: 0.5, noise: 'logistic' }),
    },
    { name: 'analytical Gumbel-Rao', estimator: analyticalGumbelRao({ temperature }) },
    {
      // Its slopes depend on the noise too; averaged over it, given the spikes, they are those of Gumbel-Rao.
      name: 'straight-through Gumbel-softmax',
      estimator: straightThroughGumbelSoftmax({ temperature }),
      averaged: analyticalGumbelRao({ temperature }),
    },
  ];

  test.each(sampled)('$name has the expectation over the states', ({ estimator, averaged = estimator }) => {
    for (const [seed, network] of cases.entries()) {
      const { gradient, squares } = expectation(network, averaged);
      const expected = gradient.slice(-11);
      const sampled = columns(sampledGradients(network, estimator, seed));
      const errors = sampled.map((numbers, index) => {
        // Draws may miss a spike that is rare and weighs much; the states tell what variance it adds.
        const overStates = squares.slice(-11)[index]! - expected[index]! ** 2;
        const spread = Math.max(variance(numbers), overStates);
        return Math.abs(mean(numbers) - expected[index]!) / Math.sqrt(spread / DRAWS);
      });
      expect(errors).toHaveLength(11);
      expect(Math.max(...errors)).toBeLessThan(4);
    }
  });

  test('averaging over the noise leaves less variance', () => {
    const [averaged, single] = [analyticalGumbelRao, straightThroughGumbelSoftmax].map((make) =>
      mean(columns(sampledGradients(cases[0]!, make({ temperature }), 1)).map(variance)),
    );
    expect(averaged).toBeLessThan(0.95 * single!);
  });
});
