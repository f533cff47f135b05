import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { defineModel, dense, type GaussianScale, lif, readout } from '../schemas/index.ts';
import { learnedShapes } from '../schemas/posterior.ts';
import { Random } from '../schemas/random.ts';
import { registerGradients } from '../train/engine/gradients.ts';
import { traceStep } from '../train/engine/trace/trace.ts';
import type { PosteriorChoice } from '../train/families/index.ts';
import { type Moments, momentsOps } from '../train/moments.ts';
import { cooled, initialPosterior, parameterMoments, weightDivergence } from '../train/posterior.ts';
import { numberOf, numbersOf, relativeDifference, slopesOf } from './support/numbers.ts';
import {
  type Numbers,
  randomFeeds,
  runEagerly,
  runTraced,
  scalarsAt,
  smallState,
  smallStep,
} from './support/training.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
  registerGradients();
});

const model = defineModel({ input: [3], layers: [dense({ units: 2 }), readout()] });

const scales: readonly GaussianScale[] = ['layer', 'channel', 'weight'];
const gaussian = (scale: GaussianScale, prior = 1) => ({ family: 'gaussian', scale, prior }) as const;

const softplus = (value: number): number => Math.log1p(Math.exp(value));

const mu = [0.3, -1.2, 0, 0.8, 2, -0.4];
const rho: Record<GaussianScale, number[]> = {
  layer: [-0.5],
  channel: [-0.5, 0.7],
  weight: [-0.5, 0.7, 0.1, -1.5, 0, 1.2],
};
const gain = [0.7, -1.5];
const bias = [0.2, -0.6];
const x = [
  [1, 0, -2],
  [0.5, 3, 1],
];

/** σ of the weight at that place of [3, 2]. */
const sigmaAt = (scale: GaussianScale, place: number): number =>
  softplus(rho[scale][place % rho[scale].length]!);

/** What flows out of a dense layer of such weights. */
function currentOf(scale: GaussianScale, rhos = tf.tensor(rho[scale])): Moments {
  const shapes = learnedShapes(model, gaussian(scale));
  const moments = parameterMoments(
    model,
    {
      '0.dense.weight.mu': tf.tensor(mu, [3, 2]),
      '0.dense.weight.rho': tf.reshape(rhos, [...shapes['0.dense.weight.rho']!]),
      '0.dense.gain.value': tf.tensor(gain),
      '0.dense.bias.value': tf.tensor(bias),
      '0.dense.bias.rho': tf.tensor([-1]),
    },
    gaussian(scale),
  );
  const of = (name: string): Moments => moments[`0.dense.${name}`] as Moments;
  const parameters = { weight: of('weight'), gain: of('gain'), bias: of('bias') };
  const ops = momentsOps({ spike: (drive) => drive, noise: (shape) => tf.zeros([...shape]) });
  return dense.layer.step(ops, { units: 2 }, parameters, {}, { mean: tf.tensor(x) })[0];
}

describe('Gaussian moments', () => {
  test.each(scales)('with a scale per %s are those of the weighted sum', (scale) => {
    const { mean, variance } = currentOf(scale);
    const found = numbersOf(() => tf.mul(variance!, tf.ones([2, 2])));
    x.forEach((row, example) => {
      gain.forEach((factor, unit) => {
        const at = example * 2 + unit;
        const sum = row.reduce((total, value, input) => total + value * mu[input * 2 + unit]!, 0);
        const square = (value: number, input: number) => (value * sigmaAt(scale, input * 2 + unit)) ** 2;
        expect(mean.dataSync()[at]).toBeCloseTo(factor * sum + bias[unit]!, 5);
        // No gain in it.
        expect(found[at]).toBeCloseTo(
          row.map(square).reduce((a, b) => a + b),
          4,
        );
      });
    });
  });

  test('are those of many draws', () => {
    const random = Random.fromSeed(1, 'draws');
    const normal = () =>
      Math.sqrt(-2 * Math.log(1 - random.nextUniform())) * Math.cos(2 * Math.PI * random.nextUniform());
    const draws = 40_000;
    let sum = 0;
    let squares = 0;
    for (let draw = 0; draw < draws; draw++) {
      // The first example's current of the second unit.
      const noise = x[0]!.reduce((total, value, input) => {
        const place = input * 2 + 1;
        return total + value * sigmaAt('weight', place) * normal();
      }, 0);
      const mean = x[0]!.reduce((total, value, input) => total + value * mu[input * 2 + 1]!, 0);
      const current = gain[1]! * mean + noise + bias[1]!;
      sum += current;
      squares += current * current;
    }
    const { mean, variance } = currentOf('weight');
    expect(Math.abs(sum / draws - mean.dataSync()[1]!)).toBeLessThan(0.05);
    const found = squares / draws - (sum / draws) ** 2;
    expect(Math.abs(found / variance!.dataSync()[1]! - 1)).toBeLessThan(0.03);
  });

  test.each(scales)('give every ρ per %s its gradient', (scale) => {
    const total = (rhos: tf.Tensor): tf.Tensor => tf.sum(tf.sqrt(currentOf(scale, rhos).variance!));
    const slopes = numbersOf(() => tf.grad(total)(tf.tensor(rho[scale])));
    const differences = slopesOf(
      (moved) => numberOf(() => total(tf.tensor(moved))),
      Float32Array.from(rho[scale]),
      1e-2,
    );
    expect(relativeDifference(slopes, differences)).toBeLessThan(1e-3);
  });

  test.each([
    ['layer', 1],
    ['channel', 1],
    ['weight', 2],
  ] as const)('with a scale per %s take %i products with matrices', async (scale, count) => {
    const { kernels } = await tf.profile(() => {
      currentOf(scale);
    });
    const products = kernels.filter(
      ({ name, inputShapes }) => name === 'BatchMatMul' && (inputShapes[0]?.at(-1) ?? 0) > 1,
    );
    expect(products).toHaveLength(count);
  });
});

/** Of a normal distribution. */
const density = (w: number, mean: number, deviation: number): number =>
  Math.exp(-0.5 * ((w - mean) / deviation) ** 2) / (deviation * Math.sqrt(2 * Math.PI));

/** ∫ q log q/p by the trapezoid rule, q = N(m, σ²) and p = N(0, s²). */
function integral(m: number, sigma: number, s: number): number {
  let sum = 0;
  const step = sigma / 200;
  for (let w = m - 9 * sigma; w <= m + 9 * sigma; w += step) {
    const q = density(w, m, sigma);
    sum += q * Math.log(q / density(w, 0, s)) * step;
  }
  return sum;
}

describe('the divergence from N(0, s²)', () => {
  test.each(scales)('with a scale per %s is its integral over every weight', (scale) => {
    const choice = gaussian(scale, 0.6);
    const shape = learnedShapes(model, choice)['0.dense.weight.rho']!;
    const found = numberOf(() =>
      weightDivergence(
        model,
        {
          '0.dense.weight.mu': tf.tensor(mu, [3, 2]),
          '0.dense.weight.rho': tf.tensor(rho[scale], [...shape]),
        },
        choice,
      ),
    );
    const expected = mu.reduce((sum, mean, place) => sum + integral(mean, sigmaAt(scale, place), 0.6), 0);
    expect(found).toBeCloseTo(expected, 3);
  });
});

describe('the start', () => {
  test('is that of the authors: μ within ±1/√fan-in, σ = 0.5/√fan-in, gain 1, bias 0', () => {
    const wide = defineModel({ input: [400], layers: [dense({ units: 30 }), readout()] });
    const initial = { spread: 1, biasRho: -2, inputPower: 1, seed: 3 };
    const learned = initialPosterior(wide, initial, gaussian('channel'));
    const means = learned['0.dense.weight.mu']!.data;
    expect(Math.max(...means)).toBeLessThanOrEqual(Math.fround(0.05));
    expect(Math.max(...means)).toBeGreaterThan(0.0499);
    expect(Math.min(...means)).toBeLessThan(-0.0499);
    expect(learned['0.dense.weight.rho']!.data).toHaveLength(30);
    expect(softplus(learned['0.dense.weight.rho']!.data[0]!)).toBeCloseTo(0.025, 6);
    expect(new Set(learned['0.dense.gain.value']!.data)).toEqual(new Set([1]));
    expect(new Set(learned['0.dense.bias.value']!.data)).toEqual(new Set([0]));
    expect(initialPosterior(wide, initial, gaussian('channel'))).toEqual(learned);
  });
});

describe('cooling', () => {
  const lambda = { '0.dense.weight.lambda': tf.tensor([0.3, -1.2, 0.1, 0.8, 2, -0.4], [3, 2]) };
  const others = {
    '0.dense.gain.value': tf.tensor(gain),
    '0.dense.bias.value': tf.tensor(bias),
    '0.dense.bias.rho': tf.tensor([-1]),
  };
  const weightAt = (temperature: number): Moments => {
    const moments = parameterMoments(model, cooled({ ...lambda, ...others }, tf.scalar(temperature)));
    return moments['0.dense.weight'] as Moments;
  };

  test('is tanh(λ/τ)', () => {
    const numbers = Array.from(lambda['0.dense.weight.lambda'].dataSync());
    const { mean, variance } = weightAt(0.5);
    const expected = numbers.map((value) => Math.tanh(value / 0.5));
    expect(relativeDifference(mean.dataSync(), expected)).toBeLessThan(1e-6);
    expect(
      relativeDifference(
        variance!.dataSync(),
        expected.map((value) => 1 - value ** 2),
      ),
    ).toBeLessThan(1e-6);
  });

  test('ends at the sign of λ, without variance', () => {
    const { mean, variance } = weightAt(1e-3);
    expect(Array.from(mean.dataSync())).toEqual([1, -1, 1, 1, 1, -1]);
    expect(Math.max(...variance!.dataSync())).toBe(0);
  });

  test('makes the divergence that of what it cooled', () => {
    const half = { '0.dense.weight.lambda': tf.mul(lambda['0.dense.weight.lambda'], 2) };
    const expected = numberOf(() => weightDivergence(model, half));
    const found = numberOf(() => weightDivergence(model, cooled(lambda, tf.scalar(0.5))));
    expect(found).toBeCloseTo(expected, 5);
  });
});

interface Case {
  readonly name: string;
  readonly posterior: PosteriorChoice;
  readonly cooling?: boolean;
  readonly annealing?: boolean;
}

const bernoulli = { family: 'bernoulli' } as const;
const cases: readonly Case[] = [
  ...scales.map((scale) => ({ name: `Gaussian, a scale per ${scale}`, posterior: gaussian(scale) })),
  { name: 'a cooled Bernoulli', posterior: bernoulli, cooling: true },
  { name: 'a Bernoulli under less noise', posterior: bernoulli, annealing: true },
  { name: 'a Gaussian under less noise', posterior: gaussian('layer'), annealing: true },
];

/** The largest relative difference of any two numbers of the same name. */
function apart(actual: Numbers, expected: Numbers): number {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  return Math.max(...Object.keys(expected).map((name) => relativeDifference(actual[name]!, expected[name]!)));
}

describe('a traced step is the step of tfjs', () => {
  test.each(cases)('$name', async ({ posterior, cooling = false, annealing = false }) => {
    const step = smallStep({ divergence: true, penalty: 'bias', posterior, cooling, annealing });
    const state = smallState(posterior);
    const feeds = randomFeeds(step, 11);
    const expected = await runEagerly(step, state, feeds);
    const wanted = {
      reports: ['loss', 'crossEntropy', 'accuracy', 'divergence', 'penalty'],
      gradients: true,
      state: true,
    };
    const actual = await runTraced(step, state, feeds, wanted);
    expect(apart(actual.reports, expected.reports)).toBeLessThan(1e-5);
    expect(apart(actual.gradients, expected.gradients)).toBeLessThan(1e-5);
    // Adam divides by √(g²): after one step a tiny gradient's rounding shows.
    expect(apart(actual.state, expected.state)).toBeLessThan(1e-4);
    expect(
      Math.min(...Object.values(expected.gradients).map((g) => Math.max(...g.map(Math.abs)))),
    ).toBeGreaterThan(0);
  });

  test('which is fed the temperature and the noise scale, and only where they are not 1', async () => {
    const wanted = { reports: ['loss'], gradients: true };
    const plain = await traceStep(smallStep(), wanted);
    expect(plain.inputs).not.toContain('temperature');
    expect(plain.inputs).not.toContain('noiseScale');
    const both = await traceStep(smallStep({ cooling: true, annealing: true }), wanted);
    expect(both.inputs).toContain('temperature');
    expect(both.inputs).toContain('noiseScale');
    expect(plain.nodes).toBeLessThan(both.nodes);
  });

  test('and is at temperature 1 the step without one', async () => {
    const plain = smallStep();
    const cooling = smallStep({ cooling: true, annealing: true });
    const feeds = randomFeeds(plain, 2, { ...scalarsAt(1), temperature: 1, noiseScale: 1 });
    const wanted = { reports: ['loss'], gradients: true };
    const expected = await runTraced(plain, smallState(), feeds, wanted);
    const actual = await runTraced(cooling, smallState(), feeds, wanted);
    expect(apart(actual.gradients, expected.gradients)).toBeLessThan(1e-6);
  });
});

/** Time constants that 400 decays around 0.9 start with. */
const spreading = (decaySpread: number, seed = 1) => {
  const neuron = lif({ decay: 0.9, learnDecay: true, decaySpread });
  const network = defineModel({
    input: [3],
    steps: 2,
    layers: [dense({ units: 400 }), neuron, dense({ units: 2 }), readout()],
  });
  const start = initialPosterior(network, { spread: 1, biasRho: 0, inputPower: 1, seed });
  return [...start['1.lif.decay.raw']!.data].map(softplus);
};

describe('decays that start apart', () => {
  const around = -1 / Math.log(0.9);

  test('have time constants on both sides of the one given, alike in logarithms', () => {
    const times = spreading(4);
    for (const time of times) {
      expect(time).toBeGreaterThan((around / 4) * 0.9999);
      expect(time).toBeLessThan(around * 4 * 1.0001);
    }
    const logs = times.map((time) => Math.log(time / around) / Math.log(4));
    // Uniform in −1 … 1: mean 0, mean square ⅓, each within 5 standard errors.
    const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length;
    const square = logs.reduce((sum, log) => sum + log ** 2, 0) / logs.length;
    expect(Math.abs(mean)).toBeLessThan(5 * Math.sqrt(1 / 3 / 400));
    expect(Math.abs(square - 1 / 3)).toBeLessThan(5 * Math.sqrt(4 / 45 / 400));
  });

  test('follow the seed; a spread of 1 leaves them alike', () => {
    expect(spreading(4)).toEqual(spreading(4));
    expect(spreading(4)).not.toEqual(spreading(4, 2));
    for (const time of spreading(1)) expect(Math.abs(time - around)).toBeLessThan(1e-4);
  });

  test('are refused where none is learned', () => {
    expect(() =>
      defineModel({
        input: [3],
        layers: [dense({ units: 2 }), lif({ decaySpread: 2 }), dense({ units: 2 }), readout()],
      }),
    ).toThrow('decaySpread spreads decays that are learned; set learnDecay too, or leave it out');
  });
});
