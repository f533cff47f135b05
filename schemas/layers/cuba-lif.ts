import { z } from 'zod';
import { defineLayer } from '../layer.ts';
import { fire } from './fire.ts';
import { decaySchema, firingOptions, learnedPoints, membraneOptions } from './neuron.ts';

/**
 * Leaky integrate-and-fire neuron with synapses that hold a current (current-based, CUBA):
 *
 *     J_t = synapseDecay · J_(t−1) + I_t      U_t = decay ⊙ U_(t−1) + J_t
 *     s_t = [U_t > threshold]      U_t ← U_t − threshold ⊙ s_t
 *
 * or another reset. Its variance is summed as if J_t and U_(t−1) were independent. Output has the shape of the input.
 */
export const cubaLif = defineLayer({
  kind: 'cubaLif',
  takes: 'current',
  gives: 'signal',

  options: z.strictObject({
    ...membraneOptions,
    synapseDecay: decaySchema("Part of a synapse's current that is left after one step.").default(
      Math.exp(-1 / 5),
    ),
    ...firingOptions,
  }),

  outputShape: (_options, input) => input,
  parameters: learnedPoints,
  state: (_options, input) => ({ synapse: input, membrane: input }),

  step(ops, options, learned, state, current) {
    const { decay = options.decay, threshold = options.threshold } = learned;
    const synapse = ops.add(ops.leak(state.synapse, options.synapseDecay), current);
    const charged = ops.add(ops.leak(state.membrane, decay), synapse);
    const [spikes, membrane] = fire(ops, { ...options, threshold }, charged, synapse);
    return [spikes, { synapse, membrane }];
  },
});
