import { z } from 'zod';
import { between, defineAugmentation, keepEvents } from './augmentation.ts';

/**
 * Silences a span: its length is uniform up to a limit, its start uniform among those that leave the whole span
 * between time 0 and the last event. Events from the start on and before the end are dropped.
 */
export const timeMask = defineAugmentation({
  kind: 'timeMask',
  options: z.strictObject({
    longest: z.number().positive().meta({ description: 'Length of the span at most, in seconds.' }),
  }),

  events: {
    apply({ longest }, events, _shape, random) {
      const { times, count } = events;
      let last = 0;
      for (let event = 0; event < count; event++) last = Math.max(last, times[event]!);
      const length = between(0, longest, random);
      const start = between(0, Math.max(0, last - length), random);
      keepEvents(events, (event) => times[event]! < start || times[event]! >= start + length);
    },
  },
});
