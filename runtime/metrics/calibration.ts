import { UserError } from '../../schemas/errors.ts';
import { checkLabels, type Rows, topOf } from './examples.ts';

/** The examples whose top probability lies in one interval. */
export interface CalibrationBin {
  /** The interval: above `from`, up to and with `to`. */
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Mean of their top probabilities; NaN where there are no examples, which JSON writes as null. */
  readonly confidence: number;
  /** Part of them that is right; NaN where there are no examples. */
  readonly accuracy: number;
}

/** Whether a network that says 80 % is right in 80 of 100 cases. */
export interface Calibration {
  /** The expected calibration error (ECE): Σ over the bins of count/examples · |accuracy − confidence|, 0 … 1. */
  readonly error: number;
  /** From the lowest top probability to the highest: a reliability diagram. */
  readonly bins: readonly CalibrationBin[];
}

/**
 * Compares how sure a network is with how often it is right, in bins of equal width on the probability of the
 * most probable class (Guo et al. 2017, arXiv 1706.04599). A probability on a border falls into the lower bin.
 *
 * @param probabilities of each example, one per class
 * @param count of bins, 1 or more; the error depends on it, so compare only errors of as many bins
 * @throws UserError without examples, or where a label is missing or none of the classes
 */
export function calibration(probabilities: Rows, labels: ArrayLike<number>, count = 15): Calibration {
  checkLabels('calibration', probabilities, labels);
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new UserError(`calibration: ${count} bins; expected a whole number, 1 or more`);
  }
  const sums = Array.from({ length: count }, (_, bin) => ({
    from: bin / count,
    to: (bin + 1) / count,
    count: 0,
    confidence: 0,
    right: 0,
  }));
  probabilities.forEach((row, example) => {
    const top = topOf(row);
    const confidence = row[top] as number;
    // A float32 softmax may give a little more than 1, which belongs to the last bin.
    const bin = sums.find(({ to }) => confidence <= to) ?? (sums.at(-1) as (typeof sums)[number]);
    bin.count++;
    bin.confidence += confidence;
    if (top === labels[example]) bin.right++;
  });
  const gap = sums.reduce((sum, { right, confidence }) => sum + Math.abs(right - confidence), 0);
  return {
    error: gap / probabilities.length,
    bins: sums.map(({ from, to, count, confidence, right }) => ({
      from,
      to,
      count,
      confidence: confidence / count,
      accuracy: right / count,
    })),
  };
}
