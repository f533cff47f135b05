import * as tf from '@tensorflow/tfjs-core';
import { crossEntropy } from '../objective.ts';

/** A loss of logits and a class: for training's gradients on tensors, for the reference on numbers. */
export interface LabLoss {
  /** The mean over rows; targets and logits are [rows, …, classes], a target being 1 at its class. */
  readonly ofTensors: (targets: tf.Tensor, logits: tf.Tensor) => tf.Tensor;
  /** The loss of one example, and its gradient by the logits. */
  readonly ofNumbers: (
    label: number,
    logits: Float64Array,
  ) => { readonly value: number; readonly slope: Float64Array };
}

export const losses = {
  /** The loss that training minimises. */
  crossEntropy: {
    ofTensors: crossEntropy,
    ofNumbers: (label, logits) => {
      const largest = Math.max(...logits);
      const total = logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0);
      const slope = logits.map((logit) => Math.exp(logit - largest) / total);
      slope[label]! -= 1;
      return { value: Math.log(total) + largest - logits[label]!, slope };
    },
  },
  /** Σ (logit − target)²: quadratic, so that the trapezoid rule has nothing to get wrong in one layer. */
  squaredError: {
    ofTensors: (targets, logits) =>
      tf.div(tf.sum(tf.square(tf.sub(logits, targets))), logits.shape[0] as number),
    ofNumbers: (label, logits) => {
      const error = logits.map((logit, index) => logit - (index === label ? 1 : 0));
      return {
        value: error.reduce((sum, each) => sum + each * each, 0),
        slope: error.map((each) => 2 * each),
      };
    },
  },
} satisfies Record<string, LabLoss>;

export type LossName = keyof typeof losses;
