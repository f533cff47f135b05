import type { Shape } from '../schemas/layer.ts';
import type { Family } from '../schemas/posterior.ts';
import type { Random } from '../schemas/random.ts';

/** A parameter without uncertainty. A binary one holds −1 and +1. */
export type FrozenTensor =
  | { readonly values: 'binary'; readonly shape: Shape; readonly data: Int8Array }
  | {
      readonly values: 'real';
      readonly shape: Shape;
      readonly data: Float32Array;
      /** The first axis is time, and every step has its own part: [steps, channels]. */
      readonly perStep?: true;
    };

/** A weight as its posterior has it: its learned parts by name. */
export interface UncertainWeight {
  readonly shape: Shape;
  readonly part: (part: string) => Float32Array;
  /** The stream to draw it from, from the start. */
  readonly random: () => Random;
}

/** The weights of a layer, channels being their last axis, and the gain that multiplies their sums. */
export interface UncertainLayer {
  readonly weights: readonly UncertainWeight[];
  /** [channels], or [steps, channels] */
  readonly gain: Float32Array;
}

export interface DecidedLayer {
  /** In the order of the uncertain ones. */
  readonly weights: readonly FrozenTensor[];
  readonly gain: Float32Array;
}

/** How weights can be chosen. */
export type Way = 'mean' | 'sample' | 'real';

type Decide = (layer: UncertainLayer) => DecidedLayer;

/** How each family of posteriors decides its weights. */
export function decisions(of: Family): Readonly<Record<Way, Decide | undefined>> {
  return of.family === 'bernoulli' ? bernoulli(of.temperature ?? 1) : gaussian;
}

const bernoulli = (temperature: number): Record<Way, Decide | undefined> => ({
  mean: ({ weights, gain }) => ({
    weights: weights.map(({ shape, part }) => signs(shape, part('lambda'))),
    gain,
  }),
  sample: ({ weights, gain }) => ({
    weights: weights.map(({ shape, part, random }) => {
      const stream = random();
      // P(+1) = (1 + tanh λ/τ)/2 = 1/(1 + e^(−2λ/τ)).
      const draw = (lambda: number): number =>
        stream.nextUniform() * (1 + Math.exp((-2 * lambda) / temperature)) < 1 ? 1 : -1;
      return { values: 'binary', shape, data: Int8Array.from(part('lambda'), draw) };
    }),
    gain,
  }),
  real: undefined,
});

const gaussian: Record<Way, Decide> = {
  /** sign(μ), with the channel's mean |μ| as part of its gain. */
  mean: ({ weights, gain }) => {
    const channels = channelsOf(weights);
    const inputs = weights.reduce((sum, { part }) => sum + part('mu').length / channels, 0);
    const sizes = new Float64Array(channels);
    for (const { part } of weights) {
      part('mu').forEach((mu, index) => {
        const channel = index % channels;
        sizes[channel] = (sizes[channel] as number) + Math.abs(mu);
      });
    }
    return {
      weights: weights.map(({ shape, part }) => signs(shape, part('mu'))),
      gain: gain.map((factor, index) => (factor * (sizes[index % channels] as number)) / inputs),
    };
  },

  /**
   * gain · μ + σ ε under a gain of 1: the posterior's noise is that of the current, which no gain scales. One draw of
   * the weights cannot have a mean of every step: it has that of the mean gain, and the gain of a step is over that.
   */
  sample({ weights, gain }) {
    const channels = channelsOf(weights);
    const means = meanOverSteps(gain, channels);
    return {
      weights: weights.map(({ shape, part, random }) => {
        const stream = random();
        const rho = part('rho');
        const draw = (mu: number, index: number): number => {
          // One ρ, one per channel or one per weight: the last axis counts fastest.
          const sigma = softplus(rho[index % rho.length] as number);
          return mu * (means[index % channels] as number) + sigma * nextGaussian(stream);
        };
        return { values: 'real', shape, data: part('mu').map(draw) };
      }),
      gain:
        gain.length === channels
          ? new Float32Array(channels).fill(1)
          : gain.map((factor, index) => factor / (means[index % channels] || 1)),
    };
  },

  real: ({ weights, gain }) => ({
    weights: weights.map(({ shape, part }) => ({ values: 'real', shape, data: part('mu') })),
    gain,
  }),
};

/**
 * P(w > 0) of each weight.
 *
 * @param part the learned parts of the weight @param gain of its layer, which Gaussian noise is not scaled by
 */
export function probabilitiesOfPlus(
  of: Family,
  part: UncertainWeight['part'],
  gain: Float32Array,
): Float64Array {
  if (of.family === 'bernoulli') {
    const { temperature = 1 } = of;
    return Float64Array.from(part('lambda'), (lambda) => 1 / (1 + Math.exp((-2 * lambda) / temperature)));
  }
  const rho = part('rho');
  return Float64Array.from(part('mu'), (mu, index) => {
    const size = Math.abs(gain[index % gain.length] as number);
    return normalCumulative((size * mu) / softplus(rho[index % rho.length] as number));
  });
}

const channelsOf = ([first]: readonly UncertainWeight[]): number => first?.shape.at(-1) as number;

/** The gain of each channel, of those of every step the mean. @param gain [channels] or [steps, channels] */
export function meanOverSteps(gain: Float32Array, channels: number): Float32Array {
  if (gain.length === channels) return gain;
  const means = new Float64Array(channels);
  for (let index = 0; index < gain.length; index++)
    means[index % channels] = (means[index % channels] as number) + (gain[index] as number);
  return Float32Array.from(means, (sum) => (sum * channels) / gain.length);
}

/** +1 where both signs are as likely. */
const signs = (shape: Shape, means: Float32Array): FrozenTensor => ({
  values: 'binary',
  shape,
  data: Int8Array.from(means, (value) => (value >= 0 ? 1 : -1)),
});

export const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** Standard normal, by Box and Muller. */
function nextGaussian(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.nextUniform()));
  return radius * Math.cos(2 * Math.PI * random.nextUniform());
}

/** The normal distribution function to 1e-7 (Abramowitz and Stegun 26.2.17). */
function normalCumulative(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const series =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) * series;
  return x > 0 ? 1 - tail : tail;
}
