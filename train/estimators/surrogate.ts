import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { gaussian } from '../noise-distribution.ts';
import { customSpike, defineEstimator, step } from './estimator.ts';

/** Slopes of the step for width 1, each of area 1, the height of the step: the peak is the value at 0. */
const shapes = {
  /** Peak 1/√(2π). */
  gaussian: gaussian.density,
  /** 1/(2 (1 + |x|)²), peak ½. */
  fastSigmoid: (x) => tf.div(0.5, tf.square(tf.add(tf.abs(x), 1))),
  /** 1/(π (1 + x²)), peak 1/π. */
  arctangent: (x) => tf.div(1 / Math.PI, tf.add(tf.square(x), 1)),
  /** max(0, 1 − |x|), peak 1. */
  triangle: (x) => tf.maximum(tf.sub(1, tf.abs(x)), 0),
} satisfies Record<string, (x: tf.Tensor) => tf.Tensor>;

type ShapeName = keyof typeof shapes;

/**
 * A surrogate gradient, for comparison: forward `u > 0` without noise, backward `dz/du = shape(u/width)/width`.
 *
 * The default is the baseline of the method's authors: a Gaussian of width 0.4, whose peak is 0.997. The drive
 * counts in its own units, not in those of the noise, whose scale gets no gradient from the neuron.
 */
export const surrogate = defineEstimator(
  'surrogate',
  {
    shape: z.enum(Object.keys(shapes) as [ShapeName, ...ShapeName[]]).default('gaussian'),
    width: z.number().positive().default(0.4).meta({ description: 'Above 0, in units of the drive.' }),
  },
  ({ shape, width }) => ({
    noise: 'none',
    spike: customSpike(
      (drive) => ({ value: step(drive), saved: [drive] }),
      (gradient, saved) => {
        const [drive] = saved as [tf.Tensor];
        const slope = tf.div(shapes[shape](tf.div(drive, width)), width);
        return [tf.mul(slope, gradient), tf.zerosLike(drive), tf.zerosLike(drive)];
      },
    ),
  }),
);
