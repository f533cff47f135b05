import * as tf from '@tensorflow/tfjs-core';

const known = new WeakSet<object>();

/**
 * Numbers that are the same in every step, as a tensor. A traced step refuses other tensors that are made of
 * different numbers: mostly those are random, and were meant to differ from step to step.
 */
export function constantTensor(data: Float32Array, shape: readonly number[]): tf.Tensor {
  known.add(data);
  return tf.tensor(data, [...shape], 'float32');
}

export const isConstant = (data: object): boolean => known.has(data);

/** 0 on the diagonal and 1 elsewhere, [size, size]. */
export const offDiagonal = (size: number): tf.Tensor =>
  constantTensor(
    Float32Array.from({ length: size * size }, (_, index) => (index % (size + 1) === 0 ? 0 : 1)),
    [size, size],
  );
