import { z } from 'zod';
import { UserError } from '../errors.ts';
import { defineLayer } from '../layer.ts';
import { gainAndBias, perStepSchema } from './gain-and-bias.ts';

/**
 * Weighted sum of every input, then a gain and a bias per unit:
 * `current = gain ⊙ (x W) + bias`, W ∈ {−1, +1} once frozen.
 *
 * Input [in], output [units].
 */
export const dense = defineLayer({
  kind: 'dense',
  takes: 'signal',
  gives: 'current',

  options: z.strictObject({
    units: z.int().positive().meta({ description: 'Number of outputs.' }),
    perStep: perStepSchema,
  }),

  outputShape({ units }, input) {
    if (input.length !== 1) {
      throw new UserError(
        `dense: expected an input with one axis, got [${input.join(', ')}]; flatten it first`,
      );
    }
    return [units];
  },

  parameters: ({ units, perStep }, [inputs = 0], steps) => ({
    weight: { shape: [inputs, units], role: 'weight', fanIn: inputs },
    ...gainAndBias(units, inputs, perStep, steps),
  }),

  state: () => ({}),

  step: (ops, _options, { weight, gain, bias }, _state, input) => [
    ops.add(ops.multiply(ops.linear(input, weight), gain), bias),
    {},
  ],
});
