import { z } from 'zod';
import { defineEncoder, stepsOption } from './encoder.ts';

/** When a value x above the threshold θ fires, as a part of the time there is: 0 at x = 1, 1 at x = θ. */
const delays = {
  linear: (value: number, threshold: number): number => (1 - value) / (1 - threshold),
  // Equal ratios of brightness are equal times apart.
  logarithmic: (value: number, threshold: number): number => Math.log(value) / Math.log(threshold),
};

/**
 * Brighter fires earlier: time to first spike, one spike at most. A value x > θ fires at step
 * `round((steps − 1) · d)` with d = (1 − x)/(1 − θ), or ln x / ln θ on the logarithmic scale; a value of θ or less
 * never fires, one above 1 counts as 1.
 */
export const latency = defineEncoder({
  kind: 'latency',
  takes: 'image',
  options: z.strictObject({
    steps: stepsOption,
    scale: z
      .enum(['linear', 'logarithmic'])
      .default('linear')
      .meta({ description: 'What equal delays stand for: equal differences of value, or equal ratios.' }),
    threshold: z
      .number()
      .positive()
      .lt(1)
      .default(0.01)
      .meta({ description: 'Values of this or less never fire; one just above it fires at the last step.' }),
  }),
  steps: ({ steps }) => steps,
  outputShape: (_options, shape) => shape,

  encode({ steps, scale, threshold }, { values }, frames) {
    const delay = delays[scale];
    // Values are float32: one written as the threshold is must not lie above it.
    const lowest = Math.fround(threshold);
    for (let place = 0; place < values.length; place++) {
      const value = values[place]!;
      if (!(value > lowest)) continue;
      const step = Math.round((steps - 1) * delay(Math.min(value, 1), lowest));
      frames.values[frames.start + step * frames.stride + place] = 1;
    }
  },
});
