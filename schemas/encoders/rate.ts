import { z } from 'zod';
import { defineEncoder, stepsOption } from './encoder.ts';

/**
 * Brighter fires more often: at every step a value fires with probability `value × maximum`, by itself. That is a
 * Poisson process in discrete time, with at most one spike per step.
 *
 * Probabilities are cut to 0 … 1 and rounded to multiples of 2⁻³².
 */
export const rate = defineEncoder({
  kind: 'rate',
  takes: 'image',
  options: z.strictObject({
    steps: stepsOption,
    maximum: z
      .number()
      .positive()
      .max(1)
      .default(1)
      .meta({ description: 'Probability of a spike per step where the value is 1.' }),
  }),
  steps: ({ steps }) => steps,
  outputShape: (_options, shape) => shape,

  encode({ steps, maximum }, { values }, frames, random) {
    const draws = random();
    for (let place = 0; place < values.length; place++) {
      const limit = Math.round(values[place]! * maximum * 2 ** 32);
      // Nothing is drawn for what never fires, which is most of a dark image.
      if (!(limit > 0)) continue;
      let at = frames.start + place;
      for (let step = 0; step < steps; step++, at += frames.stride) {
        if (draws.nextUint32() < limit) frames.values[at] = 1;
      }
    }
  },
});
