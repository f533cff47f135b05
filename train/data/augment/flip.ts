import { z } from 'zod';
import { defineAugmentation } from './augmentation.ts';
import { channelsOption, gridOf, imageAxes } from './grid.ts';

/** Mirrors left and right, in some of the examples. Of events, the last axis is the columns. */
export const flip = defineAugmentation({
  kind: 'flip',
  options: z.strictObject({
    probability: z.number().min(0).max(1).default(0.5).meta({ description: 'Of being mirrored.' }),
    channels: channelsOption,
  }),

  images: {
    needs: imageAxes,
    apply({ probability, channels }, images, shape, random) {
      if (random.nextUniform() >= probability) return;
      const { columns, depth } = gridOf(shape, channels, images.length);
      const width = columns * depth;
      for (let row = 0; row < images.length; row += width) {
        for (let left = 0, right = columns - 1; left < right; left++, right--) {
          for (let part = 0; part < depth; part++) {
            const [one, other] = [row + left * depth + part, row + right * depth + part];
            const value = images[one]!;
            images[one] = images[other]!;
            images[other] = value;
          }
        }
      }
    },
  },

  events: {
    needs: { axes: [2, 3], named: '[rows, columns], or [polarities, rows, columns]' },
    apply({ probability }, { channels, count }, shape, random) {
      if (random.nextUniform() >= probability) return;
      const columns = shape.at(-1)!;
      for (let event = 0; event < count; event++) {
        const channel = channels[event]!;
        const column = channel % columns;
        channels[event] = channel - column + (columns - 1 - column);
      }
    },
  },
});
