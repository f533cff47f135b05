import { z } from 'zod';
import { defineEncoder, stepsOption } from './encoder.ts';

/** The same real values at every step; the first layer's neurons turn them into spikes. */
export const direct = defineEncoder({
  kind: 'direct',
  takes: 'image',
  keepsValues: true,
  options: z.strictObject({ steps: stepsOption }),
  steps: ({ steps }) => steps,
  outputShape: (_options, shape) => shape,

  encode({ steps }, { values }, frames) {
    for (let step = 0; step < steps; step++) frames.values.set(values, frames.start + step * frames.stride);
  },
});
