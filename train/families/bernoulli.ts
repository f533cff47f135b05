import * as tf from '@tensorflow/tfjs-core';
import { NoiseSource } from '../noise/noise-source.ts';
import type { WeightFamily } from './family.ts';

/**
 * Weights that are −1 or +1, E[w] = tanh λ, with the prior Bernoulli(½).
 *
 * A cooled posterior is this one at λ/τ, its divergence included: the step divides before anything else reads λ.
 * Before training λ ~ N(0, spread²), and a gain of 1/√(fan-in · E[x²]) makes currents of scale 1.
 */
export const bernoulli: WeightFamily = {
  startWeight(lambda, name, _parameter, { spread, seed }) {
    NoiseSource.fromSeed(seed, name).fillGaussian(lambda);
    lambda.forEach((value, index) => {
      lambda[index] = value * spread;
    });
  },
  startGain: ({ fanIn }, power) => 1 / Math.sqrt(fanIn * power),
  rescaleNoise: (rho) => rho,
  weight(learned) {
    const mean = tf.tanh(learned('lambda'));
    return { mean, variance: tf.sub(1, tf.square(mean)) };
  },
  gain: (learned) => ({ mean: learned('value') }),
  divergence: (learned) => divergence(learned('lambda')),
};

/** Σ log 2 − H(q) = Σ λ tanh λ − log cosh λ, whose gradient is λ (1 − tanh² λ). */
const divergence = tf.customGrad((given, save) => {
  const lambda = given as tf.Tensor;
  const mean = tf.tanh(lambda);
  // log cosh λ = |λ| + log(1 + e^(−2|λ|)) − log 2, which does not overflow. Softplus would say the same, but
  // onnxruntime computes it one number at a time.
  const size = tf.abs(lambda);
  const logCosh = tf.sub(tf.add(size, tf.log(tf.add(tf.exp(tf.mul(size, -2)), 1))), Math.LN2);
  (save as tf.GradSaveFunc)([lambda, mean]);
  return {
    value: tf.sum(tf.sub(tf.mul(lambda, mean), logCosh)),
    gradFunc: (gradient: tf.Tensor, saved: tf.Tensor[]) => {
      const [x, tanh] = saved as [tf.Tensor, tf.Tensor];
      return tf.mul(gradient, tf.mul(x, tf.sub(1, tf.square(tanh))));
    },
  };
});
