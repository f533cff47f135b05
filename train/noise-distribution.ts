import * as tf from '@tensorflow/tfjs-core';

/** A symmetric noise distribution of scale 1, as functions of tensors. */
export interface NoiseDistribution {
  /** F(x), the probability of noise below x. */
  cumulative(x: tf.Tensor): tf.Tensor;
  /** F'(x). */
  density(x: tf.Tensor): tf.Tensor;
}

export const gaussian: NoiseDistribution = {
  cumulative: (x) => tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5),
  density: (x) => tf.mul(tf.exp(tf.mul(tf.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI)),
};
