import { z } from 'zod';
import { defineAugmentation, keepEvents } from './augmentation.ts';

/** Drops events, each by itself with the same probability. */
export const drop = defineAugmentation({
  kind: 'drop',
  options: z.strictObject({
    probability: z.number().gt(0).lt(1).meta({ description: 'Of every event to be dropped.' }),
  }),

  events: {
    apply({ probability }, events, _shape, random) {
      const limit = Math.round(probability * 2 ** 32);
      keepEvents(events, () => random.nextUint32() >= limit);
    },
  },
});
