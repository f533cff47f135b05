import type { Rounding } from './oracle.ts';
import { currentOf, type SumSignal } from './signal.ts';

/** A neuron's comparison moved from currents to whole sums: it fires where sign × S > threshold. */
export interface WholeThreshold {
  /** −1 where the gain is negative, so that a larger current is a smaller sum. */
  readonly sign: 1 | -1;
  readonly threshold: number;
}

/**
 * The whole threshold of one channel: with it a neuron fires for exactly the sums for which its current, computed
 * in float64, exceeds its real threshold. Gain, bias and unit are gone, and with them every rounding error.
 *
 * @param time step of which it is, where gain or bias are of every step
 */
export function wholeThreshold(
  sums: SumSignal,
  channel: number,
  threshold: number,
  round: Rounding,
  time = 0,
): WholeThreshold {
  const limit = sums.inputs * sums.input.most;
  const fires = (sum: number): boolean => currentOf(sums, channel, sum, round, time) > round(threshold);
  // The current is monotonic in the sum, so the two ends tell its direction.
  const sign = fires(-limit) && !fires(limit) ? -1 : 1;
  // Search for the largest signed sum that does not fire: all above it do.
  let quiet = -limit - 1;
  let firing = limit + 1;
  while (firing - quiet > 1) {
    const middle = Math.floor((quiet + firing) / 2);
    if (fires(sign * middle)) firing = middle;
    else quiet = middle;
  }
  return { sign, threshold: quiet };
}
