import type * as tf from '@tensorflow/tfjs-core';

type Tensors = Readonly<Record<string, tf.Tensor>>;

/** The numbers that an optimiser needs at one step; computed in double precision, they follow any schedule. */
export interface StepNumbers {
  /** Multiplies every learning rate. */
  readonly rateFactor: number;
  /** What else the step is fed, by name: the same names at every step. */
  readonly scalars: Readonly<Record<string, number>>;
}

/** A learned tensor and what the optimiser keeps of it; all have its shape. */
export interface Moving {
  readonly value: tf.Tensor;
  readonly kept: Tensors;
}

/** A rule by which learned tensors follow their gradients. */
export interface Optimiser {
  /** What it keeps of each learned tensor, 0 at the start: `adam.first` of `x` is the tensor `x.adam.first`. */
  readonly keeps: readonly string[];
  /** @param step counts from 1 */
  numbersAt(step: number): StepNumbers;
  /**
   * One step of one tensor.
   *
   * @param rate learning rate × rateFactor, a scalar
   * @param scalars those of the step, by name
   */
  move(moving: Moving, gradient: tf.Tensor, rate: tf.Tensor, scalars: Tensors): Moving;
}

/** The tensor of that name; a missing one is a mistake of the caller's. */
export function named(tensors: Tensors, name: string): tf.Tensor {
  const found = tensors[name];
  if (!found) throw new Error(`the optimiser was not given ${name}`);
  return found;
}
