import { z } from 'zod';
import { defineLayer, sizeOf } from '../layer.ts';

/** All features in one axis, as `dense` wants them. Input [height, width, channels] or others, output [their product]. */
export const flatten = defineLayer({
  kind: 'flatten',
  takes: 'signal',
  gives: 'signal',
  rearranges: true,

  options: z.strictObject({}),

  outputShape: (_options, input) => [sizeOf(input)],
  parameters: () => ({}),
  state: () => ({}),

  step: (ops, _options, _parameters, _state, input) => [ops.flatten(input), {}],
});
