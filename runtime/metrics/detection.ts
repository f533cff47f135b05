import { UserError } from '../../schemas/errors.ts';
import { checkScores } from './examples.ts';
import { type Tie, tiesOf } from './ties.ts';

/** How strange examples seem: the higher, the stranger. An outside example is a positive. */
export interface DetectionScores {
  /** Of examples of the kind that the network learned. */
  readonly inside: ArrayLike<number>;
  /** Of examples of another kind (out of distribution). */
  readonly outside: ArrayLike<number>;
}

/** How well a score tells outside examples from inside ones. */
export interface Detection {
  readonly auroc: number;
  /** Average precision; by chance outside / (inside + outside). */
  readonly aupr: number;
  /** Where the threshold lets 95 % of the outside examples be found. */
  readonly falsePositiveRate: number;
}

/** All three figures of a score. @throws UserError where a side has no examples, or a score is NaN */
export const detection = (scores: DetectionScores): Detection => ({
  auroc: auroc(scores),
  aupr: averagePrecision(scores),
  falsePositiveRate: falsePositiveRate(scores),
});

/**
 * Area under the receiver operating characteristic (AUROC): how probable it is that an outside example scores
 * higher than an inside one, ties counted half. 0 … 1; by chance ½. It depends on the order of the scores alone.
 *
 * @throws UserError where a side has no examples, or a score is NaN
 */
export function auroc(scores: DetectionScores): number {
  let found = 0;
  let pairs = 0;
  for (const { count, marked } of ranked('auroc', scores)) {
    pairs += (count - marked) * (found + marked / 2);
    found += marked;
  }
  return pairs / (scores.inside.length * scores.outside.length);
}

/**
 * Area under the curve of precision against recall (AUPR) as the average precision: Σ of the recall that each
 * threshold adds × the precision there, nothing interpolated. Above 0 … 1; by chance about the part of all
 * examples that lies outside, so compare only figures of equal parts. Examples with the same score pass a
 * threshold together, as in scikit-learn.
 *
 * @throws UserError where a side has no examples, or a score is NaN
 */
export function averagePrecision(scores: DetectionScores): number {
  let taken = 0;
  let found = 0;
  let area = 0;
  for (const { count, marked } of ranked('averagePrecision', scores)) {
    taken += count;
    found += marked;
    area += (marked * found) / taken;
  }
  return area / scores.outside.length;
}

/**
 * Part of the inside examples that is held for outside at the highest threshold that finds `recall` of the
 * outside ones. 0 … 1; examples with the same score pass a threshold together. Papers that count the inside
 * examples as positives (Liang et al. 2018, arXiv 1706.02690) have another figure under this name.
 *
 * @param recall the true positive rate (TPR), above 0 … 1
 * @throws UserError where a side has no examples, a score is NaN, or the recall is out of range
 */
export function falsePositiveRate(scores: DetectionScores, recall = 0.95): number {
  if (!(recall > 0 && recall <= 1)) {
    throw new UserError(`falsePositiveRate: a recall of ${recall}; expected above 0, up to 1`);
  }
  const { inside, outside } = scores;
  let found = 0;
  let mistaken = 0;
  for (const { count, marked } of ranked('falsePositiveRate', scores)) {
    found += marked;
    mistaken += count - marked;
    if (found / outside.length >= recall) break;
  }
  return mistaken / inside.length;
}

/** Both sides from the highest score to the lowest, outside examples marked. */
function ranked(metric: string, { inside, outside }: DetectionScores): Tie[] {
  if (inside.length === 0 || outside.length === 0) {
    throw new UserError(
      `${metric}: ${inside.length} inside and ${outside.length} outside examples; give at least one of each`,
    );
  }
  checkScores(`${metric}: inside`, inside);
  checkScores(`${metric}: outside`, outside);
  const all = [...Array.from(outside), ...Array.from(inside)];
  return tiesOf(all, (example) => example < outside.length);
}
