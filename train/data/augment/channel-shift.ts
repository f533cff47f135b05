import { z } from 'zod';
import { defineAugmentation, keepEvents, upTo } from './augmentation.ts';

/** Moves all events by as many channels of the one axis, as another voice sounds higher or lower; those that leave are dropped. */
export const channelShift = defineAugmentation({
  kind: 'channelShift',
  options: z.strictObject({
    most: z.int().positive().meta({ description: 'Channels, either way.' }),
  }),

  events: {
    needs: { axes: [1], named: '[channels]' },
    apply({ most }, events, [size = 0], random) {
      const move = upTo(most, random);
      const { channels } = events;
      keepEvents(events, (event) => {
        const channel = channels[event]! + move;
        channels[event] = channel;
        return channel >= 0 && channel < size;
      });
    },
  },
});
