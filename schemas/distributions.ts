/**
 * Numbers of distributions, with the same bits on every machine: engines of JavaScript may differ in the last bits of
 * `Math.log`, but they round + − × ÷ and √ alike.
 */
import type { RandomSource } from './random.ts';

/** In (0, 1), neither end included; one draw. */
const uniform = (random: RandomSource): number => (random.nextUint32() + 0.5) / 2 ** 32;

/** Standard logistic: log(u/(1 − u)) of a uniform u; one draw. */
export function logistic(random: RandomSource): number {
  const u = uniform(random);
  return logarithm(u) - logarithm(1 - u);
}

/** Standard normal: the polar method of Marsaglia and Bray (1964): (u, v) uniform in the unit disc, s = u² + v², u √(−2 ln s / s). */
export function gaussian(random: RandomSource): number {
  for (;;) {
    const u = 2 * uniform(random) - 1;
    const v = 2 * uniform(random) - 1;
    const s = u * u + v * v;
    if (s < 1) return u * Math.sqrt((-2 * logarithm(s)) / s);
  }
}

/** log x for 0 < x ≤ 1, to 1e-15: doubled into [¾, 1½), then the series of 2 artanh((x − 1)/(x + 1)). */
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
