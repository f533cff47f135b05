import { z } from 'zod';
import { defineLayer } from '../layer.ts';

/**
 * The network's answer: the current of the layer before it, one logit per class, over all times as `over` says.
 *
 * Output has the shape of the input.
 */
export const readout = defineLayer({
  kind: 'readout',
  takes: 'current',
  gives: 'logits',

  options: z.strictObject({
    over: z.enum(['mean', 'maximum', 'last']).default('mean').meta({
      description: 'What becomes of the currents of all time steps: their mean, their largest, or the last.',
    }),
  }),

  outputShape: (_options, input) => input,
  parameters: () => ({}),
  state: () => ({}),

  step: (ops, { over }, _parameters, _state, current) => [ops.overTime(ops.read(current), over), {}],
});
