import { z } from 'zod';
import { between, defineAugmentation } from './augmentation.ts';

/** Plays a recording slower or faster: all times are multiplied by one factor, uniform between two. */
export const timeStretch = defineAugmentation({
  kind: 'timeStretch',
  options: z.strictObject({
    from: z.number().positive().meta({ description: 'Least factor; below 1 is faster.' }),
    to: z.number().positive().meta({ description: 'Largest factor; above 1 is slower.' }),
  }),

  events: {
    apply({ from, to }, { times, count }, _shape, random) {
      const factor = between(from, to, random);
      for (let event = 0; event < count; event++) times[event] = times[event]! * factor;
    },
  },
});
