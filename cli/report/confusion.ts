/** How often examples of each class were taken for each class: [class][predicted class]. */
export function confusionOf(
  labels: ArrayLike<number>,
  predictions: readonly number[],
  classes: number,
): number[][] {
  const counts = Array.from({ length: classes }, () => Array.from({ length: classes }, () => 0));
  predictions.forEach((predicted, example) => {
    counts[labels[example]!]![predicted]!++;
  });
  return counts;
}
