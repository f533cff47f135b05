import { z } from 'zod';
import { defineLayer } from '../layer.ts';

/**
 * The network's answer: the current of the layer before it, one logit per class.
 *
 * Output has the shape of the input.
 */
export const readout = defineLayer({
  kind: 'readout',
  takes: 'current',
  gives: 'logits',

  options: z.strictObject({}),

  outputShape: (_options, input) => input,
  parameters: () => ({}),
  state: () => ({}),

  step: (ops, _options, _parameters, _state, current) => [ops.read(current), {}],
});
