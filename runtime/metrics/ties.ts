/** Examples with the same score, which a ranking cannot tell apart. */
export interface Tie {
  readonly count: number;
  /** How many of them are what the ranking is about: outside examples, or errors. */
  readonly marked: number;
}

/** Examples from the highest score to the lowest, those with the same score together. */
export function tiesOf(scores: ArrayLike<number>, isMarked: (example: number) => boolean): Tie[] {
  const at = (example: number): number => scores[example] as number;
  const order = Array.from(scores, (_, example) => example).sort((a, b) => at(b) - at(a));
  const ties: { score: number; count: number; marked: number }[] = [];
  for (const example of order) {
    let tie = ties.at(-1);
    if (tie?.score !== at(example)) {
      tie = { score: at(example), count: 0, marked: 0 };
      ties.push(tie);
    }
    tie.count++;
    if (isMarked(example)) tie.marked++;
  }
  return ties;
}
