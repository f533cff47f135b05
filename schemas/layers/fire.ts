import type { Ops } from '../ops.ts';

/** How a neuron with a membrane fires. */
export interface Firing<V> {
  readonly threshold: V | number;
  readonly reset: 'subtract' | 'zero' | 'none';
  readonly detachReset: boolean;
}

/**
 * The end of a spiking neuron's step: `spikes = [membrane > threshold]`, and what the reset leaves of the membrane.
 *
 * @param current what came in at this step
 * @param barrier what the threshold is raised by, if it adapts
 */
export function fire<V>(
  ops: Ops<V>,
  { threshold, reset, detachReset }: Firing<V>,
  membrane: V,
  current: V,
  barrier?: V,
): readonly [spikes: V, membrane: V] {
  const driven = barrier === undefined ? membrane : ops.add(membrane, ops.multiply(barrier, -1));
  const spikes = ops.spike(driven, threshold, current);
  if (reset === 'none') return [spikes, membrane];
  const seen = detachReset ? ops.detach(spikes) : spikes;
  return [spikes, ops.reset(membrane, seen, threshold, reset)];
}
