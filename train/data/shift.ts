import type { Random } from '../../schemas/random.ts';

/** Moves in pixels, two per example: down, then right. */
export type Shifts = Int8Array;

/** Random moves of up to `most` pixels along each axis; every one is as probable. */
export function randomShifts(count: number, most: number, random: Random): Shifts {
  return Int8Array.from({ length: 2 * count }, () => random.nextBelow(2 * most + 1) - most);
}

/** Moves the images of a batch, each by the next two of `shifts`. @param shape of one image, as `shiftImage` takes it */
export function shiftBatch(batch: Float32Array, shape: readonly number[], shifts: Shifts): void {
  const size = shape.reduce((product, axis) => product * axis, 1);
  for (let index = 0; index * size < batch.length; index++) {
    const image = batch.subarray(index * size, (index + 1) * size);
    shiftImage(image, shape, shifts[2 * index]!, shifts[2 * index + 1]!);
  }
}

/**
 * Moves one image in place; what comes in at its borders is 0.
 *
 * @param image height × width × channels values, or height × width
 * @param down rows to move down, and @param right columns to move right; negative for up and left
 */
export function shiftImage(
  image: Float32Array,
  [height = 1, width = 1, channels = 1]: readonly number[],
  down: number,
  right: number,
): void {
  const row = width * channels;
  const offset = down * row + right * channels;
  const kept = height * row - Math.abs(offset);
  if (Math.abs(down) >= height || Math.abs(right) >= width || kept <= 0) {
    image.fill(0);
    return;
  }
  if (offset > 0) image.copyWithin(offset, 0, kept).fill(0, 0, offset);
  else if (offset < 0) image.copyWithin(0, -offset).fill(0, kept);
  // Moved as one run of numbers, rows spill into their neighbours.
  const [from, to] = right > 0 ? [0, right * channels] : [row + right * channels, row];
  if (right !== 0)
    for (let start = 0; start < image.length; start += row) image.fill(0, start + from, start + to);
}
