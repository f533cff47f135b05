import * as tf from '@tensorflow/tfjs-core';
import { UserError } from '../schemas/errors.ts';
import { gaussian } from './noise-distribution.ts';

/**
 * Samples a binary neuron and carries a gradient through it.
 *
 * @param drive u, the mean of membrane minus threshold, [batch, …]
 * @param deviation σ > 0, the noise scale, of the drive's shape
 * @param noise ε of scale 1, of the drive's shape; it gets no gradient
 * @returns the spikes, 1 where u + σ ε > 0 and 0 elsewhere
 */
export type Spike = (drive: tf.Tensor, deviation: tf.Tensor, noise: tf.Tensor) => tf.Tensor;

/** A gradient estimator for binary neurons: a name, what makes it, and its spike. */
export interface Estimator {
  readonly name: string;
  readonly options: Readonly<Record<string, number>>;
  readonly spike: Spike;
}

/** Probabilities below this are taken for it, so that an importance weight stays bounded. */
const SMALLEST_PROBABILITY = 1e-6;

/**
 * Importance-weighted straight-through, IW-ST: forward the hard sample z, backward
 * `dz/du = F'(u/σ)/σ · p(z)/P(z)` and `dz/dσ = −(u/σ) · dz/du`, with P(1) = F(u/σ) and the target
 * `p(1) = (1 − mix) P(1) + mix/2` (method, section 2).
 *
 * @param options.mix in [0, 1]: 0 is straight-through (least variance), 1 the trapezoid rule, which is ReinMax
 *   (exact for a quadratic loss, more variance)
 */
export function importanceWeighted({ mix = 0 }: { mix?: number } = {}): Estimator {
  if (!(mix >= 0 && mix <= 1))
    throw new UserError(`importanceWeighted: mix: expected a number in [0, 1], got ${mix}`);

  const gradFunc = (gradient: tf.Tensor, saved: tf.Tensor[]) => {
    const [r, sigma, z] = saved as [tf.Tensor, tf.Tensor, tf.Tensor];
    const slope = tf.div(gaussian.density(r), sigma);
    const weighted = mix === 0 ? slope : tf.mul(slope, importanceWeight(r, z, mix));
    const byDrive = tf.mul(weighted, gradient);
    return [byDrive, tf.neg(tf.mul(r, byDrive)), tf.zerosLike(r)];
  };

  const spike = tf.customGrad((...given) => {
    const [drive, deviation, noise, save] = given as unknown as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.GradSaveFunc,
    ];
    // u + σ ε > 0, divided by σ: the backward pass needs the ratio too.
    const ratio = tf.div(drive, deviation);
    const spikes = tf.cast(tf.greater(tf.add(ratio, noise), 0), 'float32');
    save([ratio, deviation, spikes]);
    return { value: spikes, gradFunc };
  });
  return { name: 'importanceWeighted', options: { mix }, spike };
}

/** The straight-through estimator: importance weights of 1. */
export const straightThrough = (): Estimator => ({
  ...importanceWeighted({ mix: 0 }),
  name: 'straightThrough',
  options: {},
});

/** w(z) = p(z)/P(z) = (1 − mix) + mix/2 / P(z). */
function importanceWeight(ratio: tf.Tensor, spikes: tf.Tensor, mix: number): tf.Tensor {
  // P(z) = F(u/σ) for a spike and F(−u/σ) for none.
  const signed = tf.mul(ratio, tf.sub(tf.mul(spikes, 2), 1));
  const probability = tf.maximum(gaussian.cumulative(signed), SMALLEST_PROBABILITY);
  return tf.add(tf.div(mix / 2, probability), 1 - mix);
}
