import { UserError } from '../../schemas/errors.ts';
import { checkCounts, checkScores } from './examples.ts';
import { tiesOf } from './ties.ts';

/** What happens when the network answers only where it is surest. */
export interface RiskPoint {
  /** Part of the examples that it answers, above 0 … 1. */
  readonly coverage: number;
  /** Part of those that it has wrong, 0 … 1. */
  readonly risk: number;
}

/** Risk against coverage, for every threshold on the uncertainty. */
export interface RiskCoverage {
  /** Area under the curve (AURC), 0 … 1: the mean risk over all coverages. Less is better. */
  readonly area: number;
  /** One per uncertainty that occurs, the surest first; the last has coverage 1. */
  readonly curve: readonly RiskPoint[];
}

/**
 * Orders examples from the surest on and counts the errors among those kept (Geifman and El-Yaniv 2017,
 * arXiv 1705.08500). Examples that are as sure are kept together, so the curve does not hang on their order. Its
 * area is Σ of the coverage that each point adds × the risk there: without ties the mean of the risks of the
 * surest 1, 2, … examples (Geifman et al. 2019, arXiv 1805.08206).
 *
 * @param uncertainties of each example: such as 1 − its top probability, or its entropy
 * @param isRight whether the answer to each example is right
 * @throws UserError without examples, where the counts differ, or an uncertainty is NaN
 */
export function riskCoverage(uncertainties: ArrayLike<number>, isRight: readonly boolean[]): RiskCoverage {
  const examples = uncertainties.length;
  checkCounts('riskCoverage', examples, isRight.length, 'answers');
  checkScores('riskCoverage', uncertainties);
  const confidences = Array.from(uncertainties, (uncertainty) => -uncertainty);
  const curve: RiskPoint[] = [];
  let kept = 0;
  let wrong = 0;
  let area = 0;
  for (const { count, marked } of tiesOf(confidences, (example) => !isRight[example])) {
    kept += count;
    wrong += marked;
    area += (count * wrong) / kept;
    curve.push({ coverage: kept / examples, risk: wrong / kept });
  }
  return { area: area / examples, curve };
}

/**
 * The risk where at least `coverage` of the examples are answered: of the fewest surest that suffice.
 *
 * @param coverage above 0 … 1
 * @throws UserError where the coverage is out of range
 */
export function riskAt({ curve }: RiskCoverage, coverage: number): number {
  const point = coverage > 0 ? curve.find((point) => point.coverage >= coverage) : undefined;
  if (!point) throw new UserError(`riskAt: a coverage of ${coverage}; expected above 0, up to 1`);
  return point.risk;
}
