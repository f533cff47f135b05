import * as tf from '@tensorflow/tfjs-core';

/**
 * Adam (Kingma and Ba 2015), arranged so that a step makes few passes over memory.
 *
 * It keeps the moments unnormalised, M ← β₁ M + g and V ← β₂ V + g², and moves the constants and the bias
 * corrections into two numbers that are computed once a step:
 *
 *     m̂ = M (1−β₁)/(1−β₁ᵗ)     √v̂ = c √V,  c = √((1−β₂)/(1−β₂ᵗ))
 *     x ← x − rate · m̂/(√v̂ + ε) = x − [rate (1−β₁)/((1−β₁ᵗ) c)] · M/(√V + ε/c)
 *
 * The numbers are inputs of the step, not constants of it, so a traced step can follow any schedule.
 */
export interface Adam {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

export const defaultAdam: Adam = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

/** What one step of Adam needs besides tensors. */
export interface AdamScalars {
  /** Multiplies the learning rate: (1−β₁)/((1−β₁ᵗ) c). */
  readonly rateFactor: number;
  /** ε/c. */
  readonly epsilon: number;
}

/** @param step counts from 1 */
export function adamScalars({ beta1, beta2, epsilon }: Adam, step: number): AdamScalars {
  const c = Math.sqrt((1 - beta2) / (1 - beta2 ** step));
  return { rateFactor: (1 - beta1) / ((1 - beta1 ** step) * c), epsilon: epsilon / c };
}

/** One tensor with its two accumulated moments. */
export interface AdamState<T> {
  readonly value: T;
  readonly first: T;
  readonly second: T;
}

/** @param rate learning rate × rateFactor, a scalar; @param epsilon a scalar */
export function adamStep(
  { beta1, beta2 }: Adam,
  { value, first, second }: AdamState<tf.Tensor>,
  gradient: tf.Tensor,
  rate: tf.Tensor,
  epsilon: tf.Tensor,
): AdamState<tf.Tensor> {
  const nextFirst = tf.add(tf.mul(first, beta1), gradient);
  const nextSecond = tf.add(tf.mul(second, beta2), tf.square(gradient));
  const direction = tf.div(nextFirst, tf.add(tf.sqrt(nextSecond), epsilon));
  return { value: tf.sub(value, tf.mul(direction, rate)), first: nextFirst, second: nextSecond };
}
