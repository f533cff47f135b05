import { z } from 'zod';
import { shiftImage } from '../shift.ts';
import { defineAugmentation, keepEvents, upTo } from './augmentation.ts';
import { channelsOption, gridOf, imageAxes } from './grid.ts';

/**
 * Moves all pixels by as many rows and columns, each number drawn by itself; what comes in at the borders is
 * empty. Of events, the last two axes are rows and columns, and those that leave are dropped.
 */
export const shift = defineAugmentation({
  kind: 'shift',
  options: z.strictObject({
    most: z.int().positive().meta({ description: 'Pixels along each axis, either way.' }),
    channels: channelsOption,
  }),

  images: {
    needs: imageAxes,
    apply({ most, channels }, images, shape, random) {
      const { rows, columns, depth } = gridOf(shape, channels, images.length);
      const [down, right] = [upTo(most, random), upTo(most, random)];
      const size = rows * columns * depth;
      for (let start = 0; start < images.length; start += size) {
        shiftImage(images.subarray(start, start + size), [rows, columns, depth], down, right);
      }
    },
  },

  events: {
    needs: { axes: [2, 3], named: '[rows, columns], or [polarities, rows, columns]' },
    apply({ most }, events, shape, random) {
      const [rows, columns] = shape.slice(-2) as [number, number];
      const [down, right] = [upTo(most, random), upTo(most, random)];
      const { channels } = events;
      keepEvents(events, (event) => {
        const channel = channels[event]!;
        const column = (channel % columns) + right;
        const row = (Math.floor(channel / columns) % rows) + down;
        channels[event] = channel + down * columns + right;
        return column >= 0 && column < columns && row >= 0 && row < rows;
      });
    },
  },
});
