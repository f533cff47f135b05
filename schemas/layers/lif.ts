import { z } from 'zod';
import { defineLayer } from '../layer.ts';
import { fire } from './fire.ts';
import { firingOptions, learnedPoints, membraneOptions } from './neuron.ts';

/**
 * Leaky integrate-and-fire neuron:
 *
 *     U_t = decay ⊙ U_(t−1) + I_t      s_t = [U_t > threshold]      U_t ← U_t − threshold ⊙ s_t
 *
 * or another reset. It does not fire at exactly its threshold. Output has the shape of the input.
 */
export const lif = defineLayer({
  kind: 'lif',
  takes: 'current',
  gives: 'signal',

  options: z.strictObject({
    ...membraneOptions,
    ...firingOptions,
  }),

  outputShape: (_options, input) => input,
  parameters: learnedPoints,
  state: (_options, input) => ({ membrane: input }),

  step(ops, options, learned, state, current) {
    const { decay = options.decay, threshold = options.threshold } = learned;
    const charged = ops.add(ops.leak(state.membrane, decay), current);
    const [spikes, membrane] = fire(ops, { ...options, threshold }, charged, current);
    return [spikes, { membrane }];
  },
});
