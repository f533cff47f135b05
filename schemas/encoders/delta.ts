import { z } from 'zod';
import { defineEncoder } from './encoder.ts';

/**
 * A spike where a signal changed by more than a threshold since its last spike, or since its first step: what an
 * event camera does (send on delta). A change of exactly the threshold is no spike.
 *
 * Input [steps, …shape], output [steps, 2, …shape]: 0 fell, 1 rose, the order of an event camera's polarities.
 */
export const delta = defineEncoder({
  kind: 'delta',
  takes: 'sequence',
  options: z.strictObject({
    threshold: z.number().positive().meta({ description: 'Change that fires, in the units of the signal.' }),
  }),
  steps: (_options, given) => given,
  outputShape: (_options, shape) => [2, ...shape],

  encode({ threshold }, { values, steps }, frames) {
    const size = values.length / steps;
    const reference = values.slice(0, size);
    for (let step = 1; step < steps; step++) {
      const at = frames.start + step * frames.stride;
      for (let place = 0; place < size; place++) {
        const value = values[step * size + place]!;
        const change = value - reference[place]!;
        if (!(Math.abs(change) > threshold)) continue;
        frames.values[at + (change > 0 ? size : 0) + place] = 1;
        reference[place] = value;
      }
    }
  },
});
