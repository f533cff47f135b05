/** A synapse of one's own: its weights see traces of spikes, not the spikes themselves. */
import { defineLayer, registerLayer, UserError } from 'bitspike';
import { z } from 'zod';

/**
 * Weighted sums of low-pass filtered inputs. Every spike leaves a trace that decays:
 *
 *     x̄_t = decay x̄_(t−1) + x_t        I_t = gain ⊙ (x̄_t W) + bias
 *
 * A sum and a filter can change places, so that with J_t = x̄_t W
 *
 *     J_t = decay J_(t−1) + x_t W       I_t = gain ⊙ J_t + bias
 *
 * which sums the inputs of all times in one product, before the loop through time. Spikes are then summed as whole
 * numbers, so an exported network is exact.
 *
 * Input [in], output [units].
 */
export const traceSynapse = registerLayer(
  defineLayer({
    kind: 'traceSynapse',
    takes: 'signal',
    gives: 'current',

    options: z.strictObject({
      units: z.int().positive().meta({ description: 'Number of outputs.' }),
      decay: z.number().gt(0).lt(1).default(0.5).meta({
        description: 'Part of a trace that is left after one step.',
      }),
    }),

    outputShape({ units }, input) {
      if (input.length !== 1) {
        throw new UserError(
          `traceSynapse: expected an input with one axis, got [${input}]; flatten it first`,
        );
      }
      return [units];
    },

    // Weights that become one bit each need a gain, a number per output channel.
    parameters: ({ units }, [inputs = 0]) => ({
      weight: { shape: [inputs, units], role: 'weight', fanIn: inputs },
      gain: { shape: [units], role: 'gain', fanIn: inputs },
      bias: { shape: [units], role: 'bias', fanIn: inputs },
    }),

    state: ({ units }) => ({ sums: [units] }),

    // What needs no state: done for all times at once.
    before: (ops, _options, { weight }, input) => ops.linear(input, weight),

    step(ops, { decay }, { gain, bias }, state, fed) {
      const sums = ops.add(ops.leak(state.sums, decay), fed);
      return [ops.add(ops.multiply(sums, gain), bias), { sums }];
    },
  }),
);
