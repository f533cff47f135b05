import { z } from 'zod';
import type { Parameter } from '../layer.ts';

/** The option of a layer with weights to have a gain and a bias of its own at every step. */
export const perStepSchema = z.boolean().exactOptional().meta({
  description: 'Whether every time step has a gain and a bias of its own, instead of one pair for all.',
});

/**
 * What follows the weighted sums of a layer: a gain and a bias per channel, [channels], or of every step
 * [steps, channels].
 *
 * @param steps of the network
 */
export function gainAndBias(
  channels: number,
  fanIn: number,
  perStep: boolean | undefined,
  steps: number,
): Record<'gain' | 'bias', Parameter> {
  const each = perStep
    ? { shape: [steps, channels], fanIn, perStep: true as const }
    : { shape: [channels], fanIn };
  return { gain: { ...each, role: 'gain' }, bias: { ...each, role: 'bias' } };
}
