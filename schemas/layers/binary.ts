import { z } from 'zod';
import { defineLayer } from '../layer.ts';

/**
 * Binary neuron without memory: `spike = [current > threshold]`, 0 or 1. It does not fire at exactly its threshold.
 *
 * Output has the shape of the input.
 */
export const binary = defineLayer({
  kind: 'binary',
  takes: 'current',
  gives: 'signal',

  options: z.strictObject({
    threshold: z.number().default(0).meta({ description: 'Current above which the neuron fires.' }),
  }),

  outputShape: (_options, input) => input,
  parameters: () => ({}),
  state: () => ({}),

  step: (ops, { threshold }, _parameters, _state, current) => [ops.spike(current, threshold), {}],
});
