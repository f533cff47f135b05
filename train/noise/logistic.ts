import type { RandomSource } from '../../schemas/random.ts';

/** Fills an array with standard logistic numbers: log(u/(1 − u)) of uniform u, each from one draw. */
export function fillLogistic(into: Float32Array, random: RandomSource): void {
  for (let index = 0; index < into.length; index++) {
    // In (0, 1), neither end included.
    const uniform = (random.nextUint32() + 0.5) / 2 ** 32;
    into[index] = logarithm(uniform) - logarithm(1 - uniform);
  }
}

/**
 * log x for 0 < x ≤ 1, to 1e-15: doubled into [¾, 1½), then the series of 2 artanh((x − 1)/(x + 1)). JavaScript
 * engines may differ in the last bits of `Math.log`; they round + − × ÷ alike.
 */
function logarithm(x: number): number {
  let mantissa = x;
  let exponent = 0;
  while (mantissa < 0.75) {
    mantissa *= 2;
    exponent--;
  }
  const ratio = (mantissa - 1) / (mantissa + 1);
  let sum = 0;
  for (let n = 21; n > 0; n -= 2) sum = 1 / n + sum * ratio * ratio;
  return 2 * ratio * sum + exponent * Math.LN2;
}
