import { UserError } from '../../schemas/errors.ts';

/** What a network says of each example: one number per class. */
export type Rows = readonly ArrayLike<number>[];

/** The most probable class: of several as probable, the first. */
export function topOf(row: ArrayLike<number>): number {
  let top = 0;
  for (let index = 1; index < row.length; index++) {
    if ((row[index] as number) > (row[top] as number)) top = index;
  }
  return top;
}

/** @throws UserError unless there is an example, and for each a label that is one of its classes */
export function checkLabels(metric: string, rows: Rows, labels: ArrayLike<number>): void {
  checkCounts(metric, rows.length, labels.length, 'labels');
  rows.forEach(({ length }, example) => {
    const label = labels[example] as number;
    if (!Number.isInteger(label) || label < 0 || label >= length) {
      throw new UserError(
        `${metric}: label ${label} of example ${example}; expected a whole number below ${length}`,
      );
    }
  });
}

/** @throws UserError unless there is an example, and one of the others for each */
export function checkCounts(metric: string, examples: number, others: number, what: string): void {
  if (examples === 0 || examples !== others) {
    throw new UserError(
      `${metric}: ${examples} examples with ${others} ${what}; give at least one example, and one of ${what} for each`,
    );
  }
}

/** @throws UserError where a score is not a number: it has no place in a ranking */
export function checkScores(metric: string, scores: ArrayLike<number>): void {
  for (let example = 0; example < scores.length; example++) {
    if (Number.isNaN(scores[example])) {
      throw new UserError(`${metric}: the score of example ${example} is NaN; expected a number`);
    }
  }
}
