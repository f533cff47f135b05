import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { distributions, type NoiseDistribution } from '../noise-distribution.ts';
import { defineEstimator, type EstimatorRule, ratioSpike, sample } from './estimator.ts';

/** Probabilities below this are taken for it, so that an importance weight stays bounded. */
const SMALLEST_PROBABILITY = 1e-6;

const noise = z
  .enum(['gaussian', 'logistic'])
  .default('gaussian')
  .meta({ description: 'Distribution of the noise.' });

interface Options {
  readonly mix: number;
  readonly noise: z.output<typeof noise>;
}

/**
 * Importance-weighted straight-through, IW-ST: forward the hard sample z, backward
 * `dz/du = F'(u/σ)/σ · p(z)/P(z)`, with P(1) = F(u/σ) and the target `p(1) = (1 − mix) P(1) + mix/2`
 * (docs/method.md).
 */
const rule = ({ mix, noise }: Options): EstimatorRule => {
  const distribution = distributions[noise];
  return {
    noise,
    spike: ratioSpike({
      value: sample,
      slope: (ratio, _noise, spikes) => {
        const density = distribution.density(ratio);
        return mix === 0 ? density : tf.mul(density, importanceWeight(distribution, ratio, spikes, mix));
      },
    }),
  };
};

/** w(z) = p(z)/P(z) = (1 − mix) + mix/2 / P(z). */
function importanceWeight(
  { cumulative }: NoiseDistribution,
  ratio: tf.Tensor,
  spikes: tf.Tensor,
  mix: number,
): tf.Tensor {
  // P(z) = F(u/σ) for a spike and F(−u/σ) for none.
  const probability = cumulative(tf.mul(ratio, tf.sub(tf.mul(spikes, 2), 1)));
  return tf.add(tf.div(mix / 2, tf.maximum(probability, SMALLEST_PROBABILITY)), 1 - mix);
}

/**
 * Importance-weighted straight-through, IW-ST.
 *
 * @param options.mix in [0, 1]: 0 is straight-through (least variance), 1 the trapezoid rule, which is ReinMax
 *   (exact for a quadratic loss, more variance)
 */
export const importanceWeighted = defineEstimator(
  'importanceWeighted',
  { mix: z.number().min(0).max(1).default(0).meta({ description: 'From 0 to 1.' }), noise },
  rule,
);

/** The straight-through estimator: importance weights of 1. */
export const straightThrough = defineEstimator('straightThrough', { noise }, (options) =>
  rule({ ...options, mix: 0 }),
);
