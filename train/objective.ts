import * as tf from '@tensorflow/tfjs-core';
import type { Firing } from './moments.ts';

/** The part that each row of a batch has in its means, [batch]: the same where its weight is 1, none where that is 0. */
export const sharesOf = (weights: tf.Tensor): tf.Tensor => tf.div(weights, tf.sum(weights));

/** The sum of a tensor [batch, …], averaged over the batch. @param shares of its rows, where they are not all the same */
function batchMean(x: tf.Tensor, shares?: tf.Tensor): tf.Tensor {
  const [batch = 1, ...features] = x.shape;
  return shares
    ? tf.sum(tf.mul(x, tf.reshape(shares, [batch, ...features.map(() => 1)])))
    : tf.div(tf.sum(x), batch);
}

/**
 * Mean cross-entropy in nats between target distributions and logits, both [batch, classes].
 *
 * @param shares [batch] of the examples in the mean, where they are not all the same
 */
export const crossEntropy = (targets: tf.Tensor, logits: tf.Tensor, shares?: tf.Tensor): tf.Tensor =>
  tf.neg(batchMean(tf.mul(targets, tf.logSoftmax(logits)), shares));

/** Whether each number is the largest of its row: 1 or 0. */
const isTop = (rows: tf.Tensor): tf.Tensor =>
  tf.cast(tf.greaterEqual(rows, tf.max(rows, -1, true)), 'float32');

/** The part of the batch whose largest logit is that of its largest target, 0 … 1; both are [batch, classes]. */
export const accuracyOf = (targets: tf.Tensor, logits: tf.Tensor, shares?: tf.Tensor): tf.Tensor =>
  batchMean(tf.max(tf.mul(isTop(targets), isTop(logits)), -1), shares);

/**
 * Mean over the batch of −log N(target; prediction, σ²) in nats, summed over the outputs:
 * Σ (y − ŷ)²/(2σ²) + log σ + ½ log 2π.
 *
 * @param targets y and predictions ŷ, both [batch, outputs]
 * @param deviation σ > 0
 * @param shares [batch] of the examples in the mean, where they are not all the same
 */
export function gaussianLoss(
  targets: tf.Tensor,
  predictions: tf.Tensor,
  deviation: number,
  shares?: tf.Tensor,
): tf.Tensor {
  const outputs = predictions.shape[1] as number;
  const squares = batchMean(tf.square(tf.sub(targets, predictions)), shares);
  const constant = outputs * (Math.log(deviation) + 0.5 * Math.log(2 * Math.PI));
  return tf.add(tf.div(squares, 2 * deviation ** 2), constant);
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

/** Which (·/σ)² the penalty takes: that of currents, of membranes, or of membranes over their thresholds. */
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

/**
 * The penalty of all layers and times.
 *
 * @param terms what examples add to it, [time × batch] each @param batch number of examples
 * @param shares [batch] of the examples in the mean, where they are not all the same
 */
export function penalty(terms: readonly tf.Tensor[], batch: number, shares?: tf.Tensor): tf.Tensor {
  if (terms.length === 0) return tf.scalar(0);
  if (!shares) return tf.div(tf.addN(terms.map((term) => tf.sum(term))), batch);
  return tf.addN(terms.map((term) => tf.sum(tf.mul(tf.reshape(term, [-1, batch]), shares))));
}
