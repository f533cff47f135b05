import * as tf from '@tensorflow/tfjs-core';
import type { Firing } from './moments.ts';

/**
 * Mean cross-entropy in nats between target distributions and logits, both [batch, classes].
 */
export const crossEntropy = (targets: tf.Tensor, logits: tf.Tensor): tf.Tensor =>
  tf.neg(tf.div(tf.sum(tf.mul(targets, tf.logSoftmax(logits))), logits.shape[0] as number));

/**
 * Mean over the batch of −log N(target; prediction, σ²) in nats, summed over the outputs:
 * Σ (y − ŷ)²/(2σ²) + log σ + ½ log 2π.
 *
 * @param targets y and predictions ŷ, both [batch, outputs]
 * @param deviation σ > 0
 */
export function gaussianLoss(targets: tf.Tensor, predictions: tf.Tensor, deviation: number): tf.Tensor {
  const [batch, outputs] = predictions.shape as [number, number];
  const squares = tf.sum(tf.square(tf.sub(targets, predictions)));
  const constant = outputs * (Math.log(deviation) + 0.5 * Math.log(2 * Math.PI));
  return tf.add(tf.div(squares, batch * 2 * deviation ** 2), constant);
}

/**
 * The forms of the penalty that keeps neurons near their threshold, where straight-through has no second-order
 * bias (docs/method.md): the sum over times and units, averaged over the batch, of the square of
 *
 * - `current`: I/σ_I, what comes in at a step over its own standard deviation
 * - `membrane`: U/σ
 * - `bias`: (U − θ)/σ, the neuron's distance from its threshold
 */
export const penaltyForms = {
  current: ({ current, currentDeviation }) => [current, currentDeviation],
  membrane: ({ membrane, deviation }) => [membrane, deviation],
  bias: ({ membrane, threshold, deviation }) => [tf.sub(membrane, threshold), deviation],
} satisfies Record<string, (firing: Firing) => [distance: tf.Tensor, deviation: tf.Tensor]>;

export type PenaltyForm = keyof typeof penaltyForms;

/** What each example of a batch adds to the penalty at one time in one layer: [batch]. */
export const penaltyTerm =
  (form: PenaltyForm) =>
  (firing: Firing): tf.Tensor => {
    const [distance, deviation] = penaltyForms[form](firing);
    const [batch = 1, ...units] = distance.shape;
    const ofUnits = (x: tf.Tensor): tf.Tensor =>
      tf.sum(
        x,
        [...units.keys()].map((axis) => axis + 1),
        true,
      );
    const shared =
      deviation.rank === distance.rank && deviation.size === batch && deviation.shape[0] === batch;
    // Units that share a σ: Σ (x/σ)² = Σ x² / σ², which divides once per example.
    const sums = shared
      ? tf.div(ofUnits(tf.square(distance)), tf.square(deviation))
      : ofUnits(tf.square(tf.div(distance, deviation)));
    return tf.reshape(sums, [batch]);
  };

/** The penalty of all layers and times. @param batch number of examples */
export const penalty = (terms: readonly tf.Tensor[], batch: number): tf.Tensor =>
  terms.length > 0 ? tf.div(tf.addN(terms.map((term) => tf.sum(term))), batch) : tf.scalar(0);
