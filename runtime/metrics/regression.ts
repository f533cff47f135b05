import { UserError } from '../../schemas/errors.ts';

/**
 * Root of the mean over examples and outputs of (y − ŷ)², 0 or more, in the units of the targets.
 *
 * @param predictions and targets, both [examples, outputs], row-major
 * @throws UserError without numbers, or where there is not one of each
 */
export function rootMeanSquareError(predictions: ArrayLike<number>, targets: ArrayLike<number>): number {
  checkPairs('rootMeanSquareError', predictions.length, targets.length);
  let sum = 0;
  for (let index = 0; index < targets.length; index++) {
    sum += ((targets[index] as number) - (predictions[index] as number)) ** 2;
  }
  return Math.sqrt(sum / targets.length);
}

/**
 * Mean over the examples of −log p(y) in nats, where p is the mean over the members of N(ŷ, σ²) and the outputs of
 * one member are independent.
 *
 * @param members what each predicts, [examples, outputs], row-major; a single network is one member
 * @param deviation σ > 0
 * @throws UserError without members or numbers, or where a member has not one prediction for each target
 */
export function gaussianNegativeLogLikelihood(
  members: readonly ArrayLike<number>[],
  targets: ArrayLike<number>,
  { outputs, deviation }: { readonly outputs: number; readonly deviation: number },
): number {
  if (members.length === 0)
    throw new UserError('gaussianNegativeLogLikelihood: no members; give at least one');
  for (const { length } of members) checkPairs('gaussianNegativeLogLikelihood', length, targets.length);
  const constant = outputs * (Math.log(deviation) + 0.5 * Math.log(2 * Math.PI));
  let sum = 0;
  for (let start = 0; start < targets.length; start += outputs) {
    const squares = members.map((member) => {
      let total = 0;
      for (let index = start; index < start + outputs; index++) {
        total += ((targets[index] as number) - (member[index] as number)) ** 2;
      }
      return total / (2 * deviation ** 2);
    });
    // The nearest member is taken out of the mean, so that far ones may underflow and it does not.
    const least = Math.min(...squares);
    const mean = squares.reduce((part, square) => part + Math.exp(least - square), 0) / squares.length;
    sum += least - Math.log(mean) + constant;
  }
  return sum / (targets.length / outputs);
}

function checkPairs(metric: string, predictions: number, targets: number): void {
  if (targets === 0 || predictions !== targets) {
    throw new UserError(
      `${metric}: ${predictions} predictions for ${targets} targets; give at least one target, and a prediction for each`,
    );
  }
}
