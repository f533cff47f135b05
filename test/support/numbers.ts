import * as tf from '@tensorflow/tfjs-core';
import type { Random } from '../../schemas/random.ts';
import { NoiseSource } from '../../train/noise/noise-source.ts';

/** Standard normal numbers. */
export function gaussians(count: number, random: Random): Float32Array {
  const numbers = new Float32Array(count);
  NoiseSource.fromSeed(random.nextUint32(), 'gaussians').fillGaussian(numbers);
  return numbers;
}

/** Pearson's χ² of counts. */
export const chiSquare = (observed: ArrayLike<number>, expected: ArrayLike<number>): number =>
  Array.from(observed).reduce((sum, count, bin) => sum + (count - expected[bin]!) ** 2 / expected[bin]!, 0);

/** The largest |actual − expected|, relative to the largest |expected|; infinite where the lengths differ. */
export function relativeDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let size = 0;
  for (let index = 0; index < actual.length; index++) {
    const apart = Math.abs(actual[index]! - expected[index]!);
    if (Number.isNaN(apart)) return Number.POSITIVE_INFINITY;
    difference = Math.max(difference, apart);
    size = Math.max(size, Math.abs(expected[index]!));
  }
  return difference === 0 ? 0 : difference / (size || 1);
}

/** The numbers that a computation on the tfjs backend `cpu` gives; its tensors are disposed of. */
export const numbersOf = (compute: () => tf.Tensor): number[] =>
  tf.tidy(() => Array.from(compute().dataSync()));

/** The value of a computation that gives one number. */
export const numberOf = (compute: () => tf.Tensor): number => numbersOf(compute)[0] as number;

/** Central differences of a function of numbers, computed one number at a time. */
export function slopesOf(compute: (x: Float32Array) => number, at: Float32Array, distance: number): number[] {
  return Array.from(at, (value, index) => {
    const [above, below] = [value + distance, value - distance].map((moved) => {
      const x = at.slice();
      x[index] = moved;
      return { at: x[index], value: compute(x) };
    });
    return (above!.value - below!.value) / (above!.at - below!.at);
  });
}
