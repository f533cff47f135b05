import * as tf from '@tensorflow/tfjs-core';
import type { Ops } from '../schemas/ops.ts';
import type { Spike } from './estimator.ts';

/**
 * Mean and variance of a value that the posterior makes uncertain.
 *
 * Sampling a layer's output instead of its weights is the local reparameterisation trick: the output of a
 * weighted sum has a mean and a variance in closed form.
 */
export interface Moments {
  readonly mean: tf.Tensor;
  /** Absent where the value is certain. */
  readonly variance?: tf.Tensor;
  /** Variance that adds at the moment of firing and is never accumulated: the noise of a bias. */
  readonly firingVariance?: tf.Tensor;
  /** The mean is 0 or 1 everywhere, and so its own square. */
  readonly binary?: true;
}

/** Standard normal (or logistic) noise of the given shape, drawn afresh: one call per neuron layer or readout. */
export type DrawNoise = (shape: readonly number[]) => tf.Tensor;

/** What a neuron saw when it fired: the penalty is written on these. */
export interface Firing {
  readonly membrane: tf.Tensor;
  readonly threshold: number;
  readonly deviation: tf.Tensor;
}

export interface MomentsOptions {
  readonly spike: Spike;
  readonly noise: DrawNoise;
  readonly onFiring?: (firing: Firing) => void;
}

/** The training interpreter: layers act on means and variances, neurons sample (method, section 3). */
export function momentsOps({ spike, noise, onFiring }: MomentsOptions): Ops<Moments> {
  const deviationOf = (x: Moments): tf.Tensor | undefined => {
    const total = sum(x.variance, x.firingVariance);
    return total && tf.sqrt(total);
  };

  return {
    linear: (x, weight) => ({
      mean: tf.matMul(x.mean as tf.Tensor2D, weight.mean as tf.Tensor2D),
      ...(weight.variance && { variance: varianceOfSum(x, weight.variance) }),
    }),

    multiply: (x, factor) => ({
      mean: tf.mul(x.mean, factor.mean),
      ...(x.variance && { variance: tf.mul(x.variance, tf.square(factor.mean)) }),
      ...(x.firingVariance && { firingVariance: tf.mul(x.firingVariance, tf.square(factor.mean)) }),
    }),

    add: (x, term) => {
      const variance = sum(x.variance, term.variance);
      const firingVariance = sum(x.firingVariance, term.firingVariance);
      return {
        mean: tf.add(x.mean, term.mean),
        ...(variance && { variance }),
        ...(firingVariance && { firingVariance }),
      };
    },

    spike: (membrane, threshold) => {
      const deviation = deviationOf(membrane);
      if (!deviation)
        throw new Error('a neuron fires on a certain current: its gradient would be zero everywhere');
      onFiring?.({ membrane: membrane.mean, threshold, deviation });
      const drive = tf.sub(membrane.mean, threshold);
      return { mean: spike(drive, deviation, noise(membrane.mean.shape)), binary: true };
    },

    read: (current) => {
      const deviation = deviationOf(current);
      return {
        mean: deviation ? tf.add(current.mean, tf.mul(deviation, noise(current.mean.shape))) : current.mean,
      };
    },
  };
}

const sum = (a: tf.Tensor | undefined, b: tf.Tensor | undefined): tf.Tensor | undefined =>
  a && b ? tf.add(a, b) : (a ?? b);

/** x² · variance. Inputs that enter a variance carry no gradient (method, section 3). */
function varianceOfSum({ mean, binary }: Moments, variance: tf.Tensor): tf.Tensor {
  const squared = (binary ? mean : tf.square(mean)) as tf.Tensor2D;
  return tf.customGrad((weightVariance, save) => {
    (save as tf.GradSaveFunc)([squared]);
    return {
      value: tf.matMul(squared, weightVariance as tf.Tensor2D),
      gradFunc: (gradient: tf.Tensor, saved: tf.Tensor[]) =>
        tf.matMul(saved[0] as tf.Tensor2D, gradient as tf.Tensor2D, true, false),
    };
  })(variance);
}
