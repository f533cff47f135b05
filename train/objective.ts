import * as tf from '@tensorflow/tfjs-core';
import type { Firing } from './moments.ts';

/**
 * Mean cross-entropy in nats between target distributions and logits, both [batch, classes].
 */
export const crossEntropy = (targets: tf.Tensor, logits: tf.Tensor): tf.Tensor =>
  tf.neg(tf.div(tf.sum(tf.mul(targets, tf.logSoftmax(logits))), logits.shape[0] as number));

/**
 * The forms of the penalty that keeps neurons near their threshold, where straight-through has no second-order
 * bias (docs/method.md): the sum over units, averaged over the batch, of the square of
 *
 * - `membrane`: U/σ
 * - `bias`: (U − θ)/σ, the neuron's distance from its threshold
 */
export const penaltyForms = {
  membrane: ({ membrane, deviation }: Firing) => tf.div(membrane, deviation),
  bias: ({ membrane, threshold, deviation }: Firing) => tf.div(tf.sub(membrane, threshold), deviation),
} satisfies Record<string, (firing: Firing) => tf.Tensor>;

export type PenaltyForm = keyof typeof penaltyForms;

/** The penalty over all neuron layers. */
export function penalty(form: PenaltyForm, firings: readonly Firing[]): tf.Tensor {
  const terms = firings.map((firing) =>
    tf.div(tf.sum(tf.square(penaltyForms[form](firing))), firing.membrane.shape[0] as number),
  );
  return terms.length > 0 ? tf.addN(terms) : tf.scalar(0);
}
