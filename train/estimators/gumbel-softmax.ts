import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { logistic } from '../noise-distribution.ts';
import { defineEstimator, ratioSpike, sample } from './estimator.ts';

const temperature = z.number().positive().default(1).meta({ description: 'Above 0.' });

/** y = (a + L)/τ with a = u/σ and L logistic: what a relaxed sample is the logistic function of. */
const relaxed = (ratio: tf.Tensor, noise: tf.Tensor, tau: number): tf.Tensor =>
  tf.div(tf.add(ratio, noise), tau);

/** dζ/da = s'(y)/τ. */
const slope = (ratio: tf.Tensor, noise: tf.Tensor, tau: number): tf.Tensor =>
  tf.div(logistic.density(relaxed(ratio, noise, tau)), tau);

/**
 * Gumbel-softmax for two outcomes (Maddison et al., Jang et al., 2017): forward the relaxed sample
 * ζ = s((a + L)/τ), backward its own derivative. Unbiased for the relaxed network, which is not the binary one.
 */
export const gumbelSoftmax = defineEstimator('gumbelSoftmax', { temperature }, ({ temperature: tau }) => ({
  noise: 'logistic',
  relaxed: true,
  spike: ratioSpike({
    value: (ratio, noise) => tf.sigmoid(relaxed(ratio, noise, tau)),
    slope: (ratio, noise) => slope(ratio, noise, tau),
  }),
}));

/** Straight-through Gumbel-softmax: forward the hard sample z, backward the derivative of ζ at the same noise. */
export const straightThroughGumbelSoftmax = defineEstimator(
  'straightThroughGumbelSoftmax',
  { temperature },
  ({ temperature: tau }) => ({
    noise: 'logistic',
    spike: ratioSpike({ value: sample, slope: (ratio, noise) => slope(ratio, noise, tau) }),
  }),
);
