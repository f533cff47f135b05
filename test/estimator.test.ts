import '@tensorflow/tfjs-backend-cpu';
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../schemas/random.ts';
import { registerGradients } from '../train/engine/gradients.ts';
import {
  analyticalGumbelRao,
  type Estimator,
  estimators,
  gumbelSoftmax,
  importanceWeighted,
  straightThrough,
  straightThroughGumbelSoftmax,
  surrogate,
} from '../train/index.ts';
import { fillLogistic } from '../train/noise/logistic.ts';
import { distributions } from '../train/noise-distribution.ts';
import { lineOf } from './support/error-line.ts';
import { numberOf, numbersOf, relativeDifference, slopesOf } from './support/numbers.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
  registerGradients();
});

interface NeuronCase {
  readonly link: 'gaussian' | 'logistic';
  readonly mix: number;
  readonly u: number[];
  readonly sd: number[];
  readonly eps: number[];
  readonly spike: number[];
  readonly fire_probability: number[];
  readonly weight: number[];
  readonly dspike_du: number[];
  readonly dspike_dsd: number[];
}

interface GumbelRaoCase {
  readonly logit: number;
  readonly temperature: number;
  readonly spike: number;
  readonly dspike_dlogit: number;
}

const reference = JSON.parse(readFileSync(new URL('fixtures/neuron.json', import.meta.url), 'utf8')) as {
  cases: NeuronCase[];
  analytical_gumbel_rao: GumbelRaoCase[];
};

/** F′(x) of the Gaussian. */
const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** How far each number is from the one expected, relative to that one. */
const worst = (actual: readonly number[], expected: readonly number[]): number =>
  Math.max(...actual.map((value, index) => relativeDifference([value], [expected[index] as number])));

/** Neurons, one per number. */
interface Neurons {
  readonly u: readonly number[];
  readonly sd?: readonly number[];
  readonly eps: readonly number[];
}

/** What neurons send forward, and its derivatives. */
function fire({ spike }: Estimator, { u, sd = u.map(() => 1), eps }: Neurons) {
  const inputs = [u, sd, eps].map((numbers) => tf.tensor([...numbers]));
  const [drive, deviation, noise] = inputs as [tf.Tensor, tf.Tensor, tf.Tensor];
  const [byDrive, byDeviation, byNoise] = tf.tidy(() =>
    tf
      .grads((drive, deviation, noise) => spike(drive!, deviation!, noise!))(inputs)
      .map((gradient) => Array.from(gradient.dataSync())),
  );
  const spikes = numbersOf(() => spike(drive, deviation, noise));
  return { spikes, byDrive: byDrive!, byDeviation: byDeviation!, byNoise: byNoise! };
}

/** The pseudo-derivative of one neuron with noise scale 1 that is made to fire, or not to. */
const slopeAt = (estimator: Estimator, u: number, spike: number): number =>
  fire(estimator, { u: [u], eps: [spike ? 100 : -100] }).byDrive[0] as number;

const every: readonly (readonly [string, Estimator])[] = Object.entries(estimators).map(([name, make]) => [
  name,
  make(),
]);
const hard = every.filter(([, { relaxed }]) => !relaxed);

describe('one noisy neuron', () => {
  test.each(reference.cases)('reproduces the reference of $link noise at mix $mix', (neurons) => {
    const { link: noise, mix, u, sd } = neurons;
    const { spikes, byDrive, byDeviation, byNoise } = fire(importanceWeighted({ mix, noise }), neurons);
    expect(spikes).toEqual(neurons.spike);
    expect(worst(byDrive, neurons.dspike_du)).toBeLessThan(1e-5);
    expect(worst(byDeviation, neurons.dspike_dsd)).toBeLessThan(1e-5);
    expect(byNoise).toEqual(u.map(() => 0));

    const of = (compute: (ratio: tf.Tensor) => tf.Tensor): number[] =>
      numbersOf(() => compute(tf.tensor(u.map((drive, index) => drive / sd[index]!))));
    const { cumulative, density } = distributions[noise];
    // In float32, F far below the threshold has no more digits than 1 + erf leaves it.
    expect(relativeDifference(of(cumulative), neurons.fire_probability)).toBeLessThan(1e-6);
    const slopes = of(density);
    const weights = byDrive.map((slope, index) => (slope * sd[index]!) / slopes[index]!);
    expect(worst(weights, neurons.weight)).toBeLessThan(1e-5);
  });

  const neurons = { u: [0.3, -0.2], sd: [0.5, 2], eps: [-1, 1] };

  test('straightThrough is the estimator of mix 0', () => {
    for (const noise of ['gaussian', 'logistic'] as const) {
      const plain = fire(straightThrough({ noise }), neurons);
      expect(plain).toEqual(fire(importanceWeighted({ noise }), neurons));
      expect(plain).not.toEqual(fire(importanceWeighted({ noise, mix: 0.25 }), neurons));
    }
    expect(fire(straightThrough(), neurons)).not.toEqual(
      fire(straightThrough({ noise: 'logistic' }), neurons),
    );
  });

  test.each(hard)('%s at exactly the threshold does not fire', (_name, estimator) => {
    const nearest = 1 / 1024;
    expect(fire(estimator, { u: [0, nearest], eps: [0, 0] }).spikes).toEqual([0, 1]);
  });

  test.each(every.filter(([, { noise }]) => noise !== 'none'))(
    '%s has a gradient by σ of −u/σ times that by u, and none by the noise',
    (_name, estimator) => {
      const { byDrive, byDeviation, byNoise } = fire(estimator, neurons);
      const ratios = neurons.u.map((u, index) => -u / neurons.sd[index]!);
      expect(
        worst(
          byDeviation,
          byDrive.map((slope, index) => slope * ratios[index]!),
        ),
      ).toBeLessThan(1e-6);
      expect(byNoise).toEqual([0, 0]);
    },
  );

  test('an event that has almost no probability has a bounded weight', () => {
    expect(slopeAt(importanceWeighted({ mix: 1 }), -6, 1) / density(6)).toBeCloseTo(0.5 / 1e-6, -2);
  });
});

const s = (x: number): number => 1 / (1 + Math.exp(-x));

/** E[s'((a + L)/τ)/τ | z] in float64, by Simpson's rule on y = (a + L)/τ in a thousand steps per unit. */
function averagedSlope(a: number, z: number, tau: number): number {
  const b = z ? a : -a;
  const scale = Math.max(tau, 1);
  const bell = (x: number) => s(x) * s(-x);
  const [end, count] = [60 / scale, 60_000];
  const width = end / count;
  let sum = 0;
  for (let index = 0; index <= count; index++) {
    const y = index * width;
    const weight = index === 0 || index === count ? 1 : index % 2 ? 4 : 2;
    sum += weight * bell(y) * bell(tau * y - b);
  }
  return (sum * width) / 3 / s(b);
}

/** At temperature 1, with k = eᵇ: k/s(b) ∫ v(1 − v)/(v + k(1 − v))² dv over ½ < v < 1. */
const elementary = (b: number): number => {
  const k = Math.exp(b);
  const c = 1 - k;
  const primitive = (t: number) => -t + (1 + k) * Math.log(t) + k / t;
  return ((k / c ** 3) * (primitive(1) - primitive((1 + k) / 2))) / s(b);
};

describe('analytical Gumbel-Rao', () => {
  test('reproduces the reference', () => {
    const cases = reference.analytical_gumbel_rao;
    expect(cases).toHaveLength(40);
    const slopes = cases.map(({ logit, temperature, spike }) =>
      slopeAt(analyticalGumbelRao({ temperature }), logit, spike),
    );
    expect(
      worst(
        slopes,
        cases.map(({ dspike_dlogit }) => dspike_dlogit),
      ),
    ).toBeLessThan(1e-5);
  });

  test.each([0.05, 0.1, 0.3, 0.7, 1, 1.5, 2.5, 5])('at temperature %d is right to 1e-6', (temperature) => {
    const estimator = analyticalGumbelRao({ temperature });
    const drives = Array.from({ length: 29 }, (_, index) => index - 14);
    for (const z of [0, 1]) {
      const expected = drives.map((u) => averagedSlope(u, z, temperature));
      const actual = drives.map((u) => slopeAt(estimator, u, z));
      const errors = actual.map((slope, index) => Math.abs(slope - expected[index]!));
      expect(Math.max(...errors)).toBeLessThan(1e-6);
    }
  });

  test('at temperature 1 is what integrating over v = s(y) gives', () => {
    for (const b of [-6, -3, -1, 1, 3, 6]) {
      expect(slopeAt(analyticalGumbelRao(), b, 1) / elementary(b)).toBeCloseTo(1, 5);
      expect(slopeAt(analyticalGumbelRao(), -b, 0) / elementary(b)).toBeCloseTo(1, 5);
    }
  });

  test('without temperature is the trapezoid rule', () => {
    const cold = analyticalGumbelRao({ temperature: 1e-6 });
    const half = importanceWeighted({ mix: 1, noise: 'logistic' });
    for (const u of [-8, -2, -0.3, 0, 0.5, 3, 8]) {
      for (const z of [0, 1]) expect(slopeAt(cold, u, z) / slopeAt(half, u, z)).toBeCloseTo(1, 5);
    }
  });

  test('far from the threshold is finite', () => {
    for (const temperature of [0.05, 1, 5]) {
      for (const u of [-1e4, -100, 100, 1e4]) {
        for (const z of [0, 1]) {
          const slope = slopeAt(analyticalGumbelRao({ temperature }), u, z);
          expect(slope).toBeGreaterThanOrEqual(0);
          expect(slope).toBeLessThan(1);
        }
      }
    }
  });
});

describe('Gumbel-softmax', () => {
  const neurons = { u: [0.3, -0.2, 1.5, -3], sd: [0.5, 2, 1, 0.7], eps: [-1, 1, 0.2, 2.5] };

  test.each([0.3, 1, 2.5])('at temperature %d sends ζ forward and its derivatives back', (temperature) => {
    const { spike } = gumbelSoftmax({ temperature });
    const { spikes, byDrive, byDeviation } = fire(gumbelSoftmax({ temperature }), neurons);
    const zeta = (u: number, sd: number, eps: number) => s((u / sd + eps) / temperature);
    expect(
      worst(
        spikes,
        neurons.u.map((u, index) => zeta(u, neurons.sd[index]!, neurons.eps[index]!)),
      ),
    ).toBeLessThan(1e-6);

    const [u, sd, eps] = [neurons.u, neurons.sd, neurons.eps].map((list) => Float32Array.from(list));
    const total = (drive: Float32Array, deviation: Float32Array): number =>
      numberOf(() => tf.sum(spike(tf.tensor(drive), tf.tensor(deviation), tf.tensor(eps!))));
    const [alongDrive, alongDeviation] = [
      slopesOf((x) => total(x, sd!), u!, 5e-3),
      slopesOf((x) => total(u!, x), sd!, 5e-3),
    ];
    expect(relativeDifference(byDrive, alongDrive)).toBeLessThan(1e-3);
    expect(relativeDifference(byDeviation, alongDeviation)).toBeLessThan(1e-3);
  });

  test('straight-through has the hard sample and the same derivatives', () => {
    const temperature = 0.6;
    const { spikes, ...gradients } = fire(straightThroughGumbelSoftmax({ temperature }), neurons);
    const { spikes: _, ...relaxed } = fire(gumbelSoftmax({ temperature }), neurons);
    expect(spikes).toEqual([0, 1, 1, 0]);
    expect(gradients).toEqual(relaxed);
  });
});

describe('surrogates', () => {
  const formulas = {
    gaussian: density,
    fastSigmoid: (x: number) => 0.5 / (1 + Math.abs(x)) ** 2,
    arctangent: (x: number) => 1 / (Math.PI * (1 + x * x)),
    triangle: (x: number) => Math.max(0, 1 - Math.abs(x)),
  };
  const shapes = Object.keys(formulas) as (keyof typeof formulas)[];
  const u = [-3, -0.9, -0.1, 0, 0.2, 0.6, 2];
  const neurons = { u, sd: u.map(() => 3), eps: u.map((drive) => -100 * drive) };

  test.each(shapes)('%s fires without noise and has the slope of its formula', (shape) => {
    for (const width of [0.4, 1, 2.5]) {
      const { spikes, byDrive, byDeviation } = fire(surrogate({ shape, width }), neurons);
      expect(spikes).toEqual([0, 0, 0, 0, 1, 1, 1]);
      expect(
        relativeDifference(
          byDrive,
          u.map((drive) => formulas[shape](drive / width) / width),
        ),
      ).toBeLessThan(1e-6);
      expect(byDeviation).toEqual(u.map(() => 0));
    }
  });

  test("the default is the authors' baseline: a Gaussian of width 0.4", () => {
    expect(slopeAt(surrogate(), 0, 0)).toBeCloseTo(0.997, 3);
    expect(surrogate().options).toEqual({ shape: 'gaussian', width: 0.4 });
  });
});

describe('options that do not fit are refused in one line', () => {
  const refused: readonly (readonly [() => Estimator, string])[] = [
    [() => importanceWeighted({ mix: -0.1 }), 'importanceWeighted(): mix: '],
    [() => importanceWeighted({ mix: Number.NaN }), 'importanceWeighted(): mix: '],
    [() => straightThrough({ mix: 1 } as object), "straightThrough(): unknown option 'mix' (known: noise)"],
    [() => straightThrough({ noise: 'none' } as object), 'straightThrough(): noise: '],
    [() => analyticalGumbelRao({ temperature: 0 }), 'analyticalGumbelRao(): temperature: '],
    [() => analyticalGumbelRao({ temperature: 6 }), 'analyticalGumbelRao(): temperature: '],
    [() => gumbelSoftmax({ temperature: -1 }), 'gumbelSoftmax(): temperature: '],
    [() => surrogate({ shape: 'box' } as object), 'surrogate(): shape: '],
    [() => surrogate({ width: 0 }), 'surrogate(): width: '],
  ];
  test.each(refused)('%s', async (make, start) => {
    expect((await lineOf(make)).startsWith(start)).toBe(true);
  });
});

describe('logistic noise', () => {
  const COUNT = 200_000;
  const drawn = new Float32Array(COUNT);
  fillLogistic(drawn, Random.fromSeed(3, 'logistic'));

  test('is distributed as F says', () => {
    for (const x of [-6, -2, -0.5, 0, 0.5, 2, 6]) {
      const below = drawn.filter((value) => value < x).length / COUNT;
      const p = s(x);
      expect(Math.abs(below - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / COUNT));
    }
  });

  test('is the same from the same seed, in any portions', () => {
    const random = Random.fromSeed(3, 'logistic');
    const [first, second] = [new Float32Array(7), new Float32Array(5)];
    fillLogistic(first, random);
    fillLogistic(second, random);
    expect([...first, ...second]).toEqual([...drawn.subarray(0, 12)]);
  });

  test('is log(u/(1 − u)) at both ends too', () => {
    const into = new Float32Array(1);
    for (const word of [0, 1, 2 ** 30, 2 ** 31, 2 ** 32 - 1]) {
      fillLogistic(into, { nextUint32: () => word });
      const u = (word + 0.5) / 2 ** 32;
      expect(into[0]).toBeCloseTo(Math.log(u / (1 - u)), 5);
    }
  });
});
