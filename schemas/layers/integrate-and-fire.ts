import { z } from 'zod';
import { defineLayer } from '../layer.ts';
import { fire } from './fire.ts';
import { firingOptions, learnedPoints } from './neuron.ts';

/**
 * Integrate-and-fire neuron, which forgets nothing between spikes:
 *
 *     U_t = U_(t−1) + I_t      s_t = [U_t > threshold]      U_t ← U_t − threshold ⊙ s_t
 *
 * or another reset. It does not fire at exactly its threshold. Output has the shape of the input.
 */
export const integrateAndFire = defineLayer({
  kind: 'if',
  takes: 'current',
  gives: 'signal',

  options: z.strictObject(firingOptions),

  outputShape: (_options, input) => input,
  parameters: learnedPoints,
  state: (_options, input) => ({ membrane: input }),

  step(ops, options, { threshold = options.threshold }, state, current) {
    // Leaking nothing still ends a moment: the noise of a bias is not accumulated.
    const charged = ops.add(ops.leak(state.membrane, 1), current);
    const [spikes, membrane] = fire(ops, { ...options, threshold }, charged, current);
    return [spikes, { membrane }];
  },
});
