import * as tf from '@tensorflow/tfjs-core';
import { Random } from '../../schemas/random.ts';
import type { WeightFamily } from './family.ts';

/**
 * Real weights w ~ N(μ, σ²), σ = softplus(ρ), with the prior N(0, s²).
 *
 * σ is the deviation of what a weight adds to its current, so a gain scales μ alone. Before training μ is uniform
 * in ±1/√fan-in, σ = 0.5/√fan-in and the gain 1.
 */
export const gaussian = ({ prior }: { readonly prior: number }): WeightFamily => ({
  startWeight(into, name, { fanIn }, { seed }) {
    const limit = 1 / Math.sqrt(fanIn);
    if (name.endsWith('.rho')) {
      into.fill(inverseSoftplus(0.5 * limit));
      return;
    }
    const random = Random.fromSeed(seed, name);
    for (let index = 0; index < into.length; index++) into[index] = (2 * random.nextUniform() - 1) * limit;
  },
  startGain: () => 1,
  rescaleNoise: (rho, factor) => inverseSoftplus(factor * Math.log1p(Math.exp(rho))),
  weight(learned) {
    const rho = learned('rho');
    const variance = tf.square(tf.softplus(rho));
    // One row: the weights of all inputs share it.
    return { mean: learned('mu'), variance: rho.rank === 1 ? tf.reshape(variance, [1, rho.size]) : variance };
  },
  gain: (learned) => ({ mean: learned('value'), scalesMeanOnly: true }),
  divergence: (learned) => divergence(learned('mu'), tf.softplus(learned('rho')), prior),
});

/** Σ log(s/σ) + (σ² + μ²)/(2 s²) − ½, each σ counted as often as weights share it. */
function divergence(mu: tf.Tensor, sigma: tf.Tensor, prior: number): tf.Tensor {
  const perSigma = tf.sub(tf.mul(tf.square(sigma), 0.5 / prior ** 2), tf.log(sigma));
  const ofSigmas = tf.mul(tf.sum(perSigma), mu.size / sigma.size);
  const ofMeans = tf.mul(tf.sum(tf.square(mu)), 0.5 / prior ** 2);
  return tf.add(tf.add(ofSigmas, ofMeans), mu.size * (Math.log(prior) - 0.5));
}

/** log(e^y − 1), so that softplus of it is y > 0. */
const inverseSoftplus = (y: number): number => Math.log(Math.expm1(y));
