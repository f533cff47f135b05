import { z } from 'zod';
import { UserError } from '../errors.ts';
import { defineLayer } from '../layer.ts';

/**
 * Every channel shifted and scaled by numbers that are known before training: `y = (x − mean) / deviation`, as images
 * are brought to mean 0 and variance 1. A layer of the network and not of its data, so that an exported network takes
 * what the data hold, and zeros around the plane of a convolution after it are the mean colour.
 *
 * The network computes with real numbers after it: the first sums of a network of bytes are no longer whole.
 *
 * Input and output [..., channels].
 */
export const normalise = defineLayer({
  kind: 'normalise',
  takes: 'signal',
  gives: 'signal',
  rearranges: true,

  options: z.strictObject({
    mean: z.array(z.number()).min(1).readonly().meta({ description: 'Of each channel, in values.' }),
    deviation: z
      .array(z.number().positive())
      .min(1)
      .readonly()
      .meta({ description: 'Standard deviation of each channel, in values.' }),
  }),

  outputShape({ mean, deviation }, input) {
    const channels = input.at(-1);
    if (mean.length !== channels || deviation.length !== channels) {
      throw new UserError(
        `normalise: has ${mean.length} means and ${deviation.length} deviations for an input of [${input.join(', ')}]; expected ${channels} of each`,
      );
    }
    return input;
  },

  parameters: () => ({}),
  state: () => ({}),

  step: (ops, { mean, deviation }, _parameters, _state, input) => [ops.normalise(input, mean, deviation), {}],
});
