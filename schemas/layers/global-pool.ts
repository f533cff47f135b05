import { z } from 'zod';
import { defineLayer } from '../layer.ts';
import { planeOf } from '../window.ts';

/** The mean of every channel over its plane. Input [height, width, channels], output [channels]. */
export const globalAveragePool = defineLayer({
  kind: 'globalAveragePool',
  takes: 'signal',
  gives: 'signal',
  rearranges: true,

  options: z.strictObject({}),

  outputShape: (_options, input) => planeOf('globalAveragePool', input).slice(2),
  parameters: () => ({}),
  state: () => ({}),

  step: (ops, _options, _parameters, _state, input) => [ops.flatten(ops.pool(input, 'average')), {}],
});
