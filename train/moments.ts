import * as tf from '@tensorflow/tfjs-core';
import type { Ops } from '../schemas/ops.ts';
import type { Spike } from './estimators/index.ts';

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
  /** As a factor it leaves variances as they are: of weights whose noise is that of the current (Gaussian). */
  readonly scalesMeanOnly?: true;
}

/** Noise of scale 1 and the given shape, drawn afresh: one call per neuron layer or readout. The readout's is normal. */
export type DrawNoise = (shape: readonly number[], by: 'neuron' | 'readout') => tf.Tensor;

/** What a neuron saw when it fired: the penalty is written on these. */
export interface Firing {
  readonly membrane: tf.Tensor;
  readonly threshold: number;
  readonly deviation: tf.Tensor;
}

export interface MomentsOptions {
  readonly spike: Spike;
  /** Whether spikes lie anywhere between 0 and 1. */
  readonly relaxed?: boolean | undefined;
  readonly noise: DrawNoise;
  readonly onFiring?: (firing: Firing) => void;
  /** Multiplies the σ of every neuron, and of no readout; a scalar. */
  readonly noiseScale?: tf.Tensor | undefined;
}

/** The training interpreter: layers act on means and variances, neurons sample (docs/method.md). */
export function momentsOps({ spike, relaxed, noise, onFiring, noiseScale }: MomentsOptions): Ops<Moments> {
  const deviationOf = (x: Moments): tf.Tensor | undefined => {
    const total = sum(x.variance, x.firingVariance);
    return total && broadcast(tf.sqrt(total), x.mean.shape);
  };

  return {
    linear: (x, weight) => ({
      mean: tf.matMul(x.mean as tf.Tensor2D, weight.mean as tf.Tensor2D),
      ...(weight.variance && { variance: varianceOfSum(x, weight.variance) }),
    }),

    multiply: (x, factor) => ({
      mean: tf.mul(x.mean, factor.mean),
      ...variancesOf(x, factor.scalesMeanOnly ? undefined : tf.square(factor.mean)),
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
      const unscaled = deviationOf(membrane);
      if (!unscaled)
        throw new Error('a neuron fires on a certain current: its gradient would be zero everywhere');
      const deviation = noiseScale ? tf.mul(unscaled, noiseScale) : unscaled;
      onFiring?.({ membrane: membrane.mean, threshold, deviation });
      const drive = tf.sub(membrane.mean, threshold);
      const mean = spike(drive, deviation, noise(membrane.mean.shape, 'neuron'));
      return relaxed ? { mean } : { mean, binary: true };
    },

    read: (current) => {
      const deviation = deviationOf(current);
      return {
        mean: deviation
          ? tf.add(current.mean, tf.mul(deviation, noise(current.mean.shape, 'readout')))
          : current.mean,
      };
    },
  };
}

const sum = (a: tf.Tensor | undefined, b: tf.Tensor | undefined): tf.Tensor | undefined =>
  a && b ? tf.add(a, b) : (a ?? b);

/** The variances of a value, multiplied by a factor where there is one. */
function variancesOf({ variance, firingVariance }: Moments, factor?: tf.Tensor) {
  const scaled = (x: tf.Tensor): tf.Tensor => (factor ? tf.mul(x, factor) : x);
  return {
    ...(variance && { variance: scaled(variance) }),
    ...(firingVariance && { firingVariance: scaled(firingVariance) }),
  };
}

const broadcast = (x: tf.Tensor, shape: number[]): tf.Tensor =>
  tf.util.arraysEqual(x.shape, shape) ? x : tf.mul(x, tf.ones(shape));

/**
 * x² · variance. Inputs that enter a variance carry no gradient (docs/method.md).
 *
 * @param variance [in, out]; or [1, out], [1, 1] where all inputs, or all weights, share it: Σ x² then takes the
 *   place of a matrix product
 */
function varianceOfSum({ mean, binary }: Moments, variance: tf.Tensor): tf.Tensor {
  const squares = (binary ? mean : tf.square(mean)) as tf.Tensor2D;
  const squared = (variance.shape[0] === 1 ? tf.sum(squares, -1, true) : squares) as tf.Tensor2D;
  return tf.customGrad((weightVariance, save) => {
    (save as tf.GradSaveFunc)([squared]);
    return {
      value: tf.matMul(squared, weightVariance as tf.Tensor2D),
      gradFunc: (gradient: tf.Tensor, saved: tf.Tensor[]) =>
        tf.matMul(saved[0] as tf.Tensor2D, gradient as tf.Tensor2D, true, false),
    };
  })(variance);
}
