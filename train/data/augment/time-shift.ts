import { z } from 'zod';
import { between, defineAugmentation } from './augmentation.ts';

/** Moves a whole recording in time, uniformly up to a limit either way. None is dropped: some times may become negative. */
export const timeShift = defineAugmentation({
  kind: 'timeShift',
  options: z.strictObject({
    most: z.number().positive().meta({ description: 'Seconds, either way.' }),
  }),

  events: {
    apply({ most }, { times, count }, _shape, random) {
      const move = between(-most, most, random);
      for (let event = 0; event < count; event++) times[event] = times[event]! + move;
    },
  },
});
