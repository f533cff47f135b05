/** Parameters that have their own numbers at every time step, [time, channels]. */
import * as tf from '@tensorflow/tfjs-core';
import type { Moments } from './moments.ts';

export type Combine = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

/** Combines activations [time × batch, …, channels] with what is [time, channels], each time with its own. */
function atEachStep(combine: Combine, x: tf.Tensor, by: tf.Tensor): tf.Tensor {
  const [steps, channels] = by.shape as [number, number];
  const [rows = 1, ...features] = x.shape;
  const inTime = tf.reshape(x, [steps, rows / steps, ...features]);
  // One axis for the batch and one for every feature but the last.
  const wide = tf.reshape(by, [steps, ...features.map(() => 1), channels]);
  const found = combine(inTime, wide);
  return tf.reshape(found, [rows, ...found.shape.slice(2)]);
}

/** The operation on activations and a parameter, which may have numbers for every step. */
export const combined = (combine: Combine, { perStep }: Pick<Moments, 'perStep'>): Combine =>
  perStep ? (x, by) => atEachStep(combine, x, by) : combine;

type Named = Readonly<Record<string, Moments>>;

/** Parameters of a scan: what of them is the same at every step, and the means that each step has a slice of. */
export interface Parts {
  /** Without those means. */
  readonly still: Named;
  /** By name, [time, channels]. */
  readonly moving: ReadonlyMap<string, tf.Tensor>;
}

export function partsInTime(parameters: Named): Parts {
  const moving = new Map<string, tf.Tensor>();
  const still = Object.fromEntries(
    Object.entries(parameters).map(([name, parameter]) => {
      if (!parameter.perStep) return [name, parameter];
      const { mean, perStep: _, ...rest } = parameter;
      moving.set(name, mean);
      return [name, rest as Moments];
    }),
  );
  return { still, moving };
}

/**
 * The parameters of one step, or of several.
 *
 * @param sliceOf gives the slice of a mean [time, channels] @param perStep whether that is of several steps
 */
export const joinedParts = (
  { still, moving }: Parts,
  sliceOf: (name: string, mean: tf.Tensor) => tf.Tensor,
  perStep = false,
): Record<string, Moments> => ({
  ...still,
  ...Object.fromEntries(
    [...moving].map(([name, mean]): [string, Moments] => [
      name,
      { ...still[name], mean: sliceOf(name, mean), ...(perStep && { perStep }) },
    ]),
  ),
});
