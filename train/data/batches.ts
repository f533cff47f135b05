import type { Random } from '../../schemas/random.ts';
import { isRegression, outputsOf, type TrainingData } from './regression.ts';

/** The numbers 0 … count − 1 in a random order. */
export function shuffledOrder(count: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  random.shuffle(order);
  return order;
}

/**
 * Fills one batch with what the network is to answer: distributions over the classes, or the numbers of a
 * regression.
 *
 * @param examples the example of each row
 * @param targets [rows, classes] or [rows, outputs]
 * @param smoothing s of the distributions (1 − s) · onehot + s/classes (Szegedy et al. 2016, arXiv 1512.00567)
 * @throws RangeError where there is no such example, or the array has another length
 */
export function fillTargets(
  data: TrainingData,
  examples: Uint32Array,
  targets: Float32Array,
  smoothing = 0,
): void {
  const width = outputsOf(data);
  checkRoom(data, examples, targets, width);
  if (isRegression(data)) {
    examples.forEach((example, row) => {
      targets.set(data.targets.subarray(example * width, (example + 1) * width), row * width);
    });
    return;
  }
  targets.fill(smoothing / width);
  examples.forEach((example, row) => {
    targets[row * width + data.labels[example]!] = 1 - smoothing + smoothing / width;
  });
}

function checkRoom({ count }: TrainingData, examples: Uint32Array, into: Float32Array, width: number): void {
  const stray = examples.find((example) => example >= count);
  if (stray !== undefined) throw new RangeError(`a batch names example ${stray} of ${count}`);
  if (into.length !== examples.length * width) {
    throw new RangeError(`the batch's array holds ${into.length}; expected ${examples.length} × ${width}`);
  }
}
