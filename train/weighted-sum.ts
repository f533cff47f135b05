import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../schemas/layer.ts';
import type { Moments } from './moments.ts';

/** The moments of a weighted sum, from those of its weights. */
type SumOf = (weight: Moments) => Moments;

/**
 * A weighted sum that is computed when it is read, and with the gain of its outputs when it is multiplied by one:
 * `gain ⊙ (x W) = x (W ⊙ gain)`. A gain on fewer weights than sums spares passes over the sums, going forward and
 * back, where each gain's gradient is then a sum over weights.
 *
 * @param outputs how many sums there are
 */
export function weightedSum(weight: Moments, outputs: number, sumOf: SumOf): Moments {
  if (sizeOf(weight.mean.shape) >= outputs) return sumOf(weight);
  let found: Moments | undefined;
  const plain = (): Moments => {
    found ??= sumOf(weight);
    return found;
  };
  const gained = (gain: Moments): Moments =>
    sumOf({
      ...weight,
      mean: tf.mul(weight.mean, gain.mean),
      ...(weight.variance && {
        variance: gain.scalesMeanOnly ? weight.variance : tf.mul(weight.variance, tf.square(gain.mean)),
      }),
    });
  const lazy = {
    get mean() {
      return plain().mean;
    },
    gained,
  };
  if (!weight.variance) return lazy;
  return Object.defineProperty(lazy as Moments, 'variance', {
    get: () => plain().variance,
    enumerable: true,
  });
}
