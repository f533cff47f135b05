import { z } from 'zod';
import { UserError } from '../errors.ts';
import { defineLayer } from '../layer.ts';
import { pairSchema, planeOf, windowed } from '../window.ts';
import { gainAndBias, perStepSchema } from './gain-and-bias.ts';

/**
 * Weighted sums of windows of a plane, then a gain and a bias per filter:
 * `current = gain ⊙ conv(x, W) + bias`, W ∈ {−1, +1} once frozen.
 *
 * Input [height, width, channels], output [height, width, filters] of the strided plane.
 */
export const conv2d = defineLayer({
  kind: 'conv2d',
  takes: 'signal',
  gives: 'current',

  options: z.strictObject({
    filters: z.int().positive().meta({ description: 'Number of output channels.' }),
    size: pairSchema.meta({ description: 'Height and width of a filter, or one number for both.' }),
    stride: pairSchema.default([1, 1]).meta({ description: 'Steps from one window to the next.' }),
    padding: z.enum(['same', 'valid']).default('same').meta({
      description: 'Zeros around the plane, so that stride 1 keeps its size; or none.',
    }),
    groups: z.int().positive().default(1).meta({
      description: 'Parts of the channels; each part of the filters sees only its own.',
    }),
    perStep: perStepSchema,
  }),

  outputShape({ filters, size, stride, padding, groups }, input) {
    const [height, width, channels] = planeOf('conv2d', input);
    if (channels % groups !== 0 || filters % groups !== 0) {
      throw new UserError(
        `conv2d: ${groups} groups do not divide ${channels} input channels and ${filters} filters; both must be multiples of groups`,
      );
    }
    return [...windowed('conv2d', [height, width], { size, stride }, padding), filters];
  },

  parameters({ filters, size: [height, width], groups, perStep }, [, , channels = 0], steps) {
    const fanIn = (height * width * channels) / groups;
    return {
      weight: { shape: [height, width, channels / groups, filters], role: 'weight', fanIn },
      ...gainAndBias(filters, fanIn, perStep, steps),
    };
  },

  state: () => ({}),

  step: (ops, { stride, padding, groups }, { weight, gain, bias }, _state, input) => [
    ops.add(ops.multiply(ops.conv2d(input, weight, { stride, padding, groups }), gain), bias),
    {},
  ],
});
