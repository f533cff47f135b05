import { checkLabels, type Rows, topOf } from './examples.ts';

/**
 * Part of the examples whose most probable class is their label, 0 … 1. Of classes as probable the first counts.
 *
 * @param probabilities of each example, one per class; anything that grows with them, such as logits, will do
 * @throws UserError without examples, or where a label is missing or none of the classes
 */
export function accuracy(probabilities: Rows, labels: ArrayLike<number>): number {
  checkLabels('accuracy', probabilities, labels);
  return meanOf(probabilities, (row, example) => Number(topOf(row) === labels[example]));
}

/**
 * Mean of −log p(label) in nats, 0 or more; log(classes) for one who always says that all are as probable.
 *
 * @param logProbabilities of each example, one per class: the logarithm stays finite where p itself rounds to 0
 * @throws UserError without examples, or where a label is missing or none of the classes
 */
export function negativeLogLikelihood(logProbabilities: Rows, labels: ArrayLike<number>): number {
  checkLabels('negativeLogLikelihood', logProbabilities, labels);
  return meanOf(logProbabilities, (row, example) => -(row[labels[example] as number] as number));
}

/**
 * Mean of Σ over the classes of (p − [class is the label])², 0 … 2 (Brier 1950, in its form for many classes).
 *
 * @param probabilities of each example, one per class
 * @throws UserError without examples, or where a label is missing or none of the classes
 */
export function brierScore(probabilities: Rows, labels: ArrayLike<number>): number {
  checkLabels('brierScore', probabilities, labels);
  return meanOf(probabilities, (row, example) => {
    let sum = 0;
    for (let index = 0; index < row.length; index++) {
      sum += ((row[index] as number) - Number(index === labels[example])) ** 2;
    }
    return sum;
  });
}

const meanOf = (rows: Rows, value: (row: ArrayLike<number>, example: number) => number): number =>
  rows.reduce((sum, row, example) => sum + value(row, example), 0) / rows.length;
