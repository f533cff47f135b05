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

/**
 * Scale 1 is a standard deviation of π/√3. Written with exp, which keeps its digits in the tails: the sigmoid of
 * onnxruntime is right to 1e-7 of 1, not of itself.
 */
export const logistic: NoiseDistribution = {
  cumulative: (x) => tf.div(1, tf.add(tf.exp(tf.neg(x)), 1)),
  density: (x) => {
    const decay = tf.exp(tf.neg(tf.abs(x)));
    return tf.div(decay, tf.square(tf.add(decay, 1)));
  },
};

export const distributions = { gaussian, logistic } satisfies Record<string, NoiseDistribution>;
