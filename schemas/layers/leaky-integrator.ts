import { z } from 'zod';
import { defineLayer } from '../layer.ts';
import { learnedPoints, membraneOptions } from './neuron.ts';

/**
 * The network's answer as a membrane that never fires, `U_t = decay ⊙ U_(t−1) + I_t`, over all times as the readout
 * after it says: put it between a synapse and `readout()`.
 *
 * Output has the shape of the input.
 */
export const leakyIntegrator = defineLayer({
  kind: 'leakyIntegrator',
  takes: 'current',
  gives: 'current',

  options: z.strictObject({
    ...membraneOptions,
  }),

  outputShape: (_options, input) => input,
  parameters: learnedPoints,
  state: (_options, input) => ({ membrane: input }),

  step(ops, options, { decay = options.decay }, state, current) {
    const membrane = ops.add(ops.leak(state.membrane, decay), current);
    return [membrane, { membrane }];
  },
});
