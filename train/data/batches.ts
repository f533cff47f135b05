import type { Random } from '../../schemas/random.ts';
import { type Dataset, exampleSize } from './dataset.ts';

/** The numbers 0 … count − 1 in a random order. */
export function shuffledOrder(count: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  random.shuffle(order);
  return order;
}

/**
 * Fills one batch with the examples order[start] … order[start + size − 1].
 *
 * @param inputs size × product(shape) values, each byte × scale rounded to float32.
 * @param targets size × classes, 1 at the example's class and 0 elsewhere.
 * @throws RangeError where the batch passes the end of the order, or an array has another length.
 */
export function fillBatch(
  dataset: Dataset,
  order: Uint32Array,
  start: number,
  size: number,
  inputs: Float32Array,
  targets: Float32Array,
): void {
  const { inputs: bytes, labels, classes, count, scale } = dataset;
  const width = exampleSize(dataset.shape);
  if (start < 0 || start + size > order.length) {
    throw new RangeError(`batch of ${size} at ${start} passes the end of an order of ${order.length}`);
  }
  if (inputs.length !== size * width || targets.length !== size * classes) {
    throw new RangeError(
      `batch arrays hold ${inputs.length} and ${targets.length}; expected ${size} × ${width} and ${size} × ${classes}`,
    );
  }
  targets.fill(0);
  for (let row = 0; row < size; row++) {
    const example = order[start + row]!;
    if (example >= count) throw new RangeError(`order names example ${example} of ${count}`);
    const from = example * width;
    const to = row * width;
    for (let place = 0; place < width; place++) {
      inputs[to + place] = bytes[from + place]! * scale;
    }
    targets[row * classes + labels[example]!] = 1;
  }
}
