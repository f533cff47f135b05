import { logistic } from '../../schemas/distributions.ts';
import type { RandomSource } from '../../schemas/random.ts';

/** Fills an array with standard logistic numbers, each from one draw. */
export function fillLogistic(into: Float32Array, random: RandomSource): void {
  for (let index = 0; index < into.length; index++) into[index] = logistic(random);
}
