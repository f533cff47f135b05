import { z } from 'zod';
import { defineAugmentation } from './augmentation.ts';
import { channelsOption, gridOf, imageAxes } from './grid.ts';

const nowhere = -1;

/** Where place `at` of a line of `size` pixels comes from, once it is padded. */
const paddings = {
  zero: (at: number, size: number): number => (at < 0 || at >= size ? nowhere : at),
  edge: (at: number, size: number): number => Math.min(Math.max(at, 0), size - 1),
  // As a mirror on the outermost pixel, which is not repeated; far outside it goes to and fro.
  reflect: (at: number, size: number): number => {
    const period = Math.max(1, 2 * (size - 1));
    const within = ((at % period) + period) % period;
    return within < size ? within : period - within;
  },
};

/**
 * Pads an image on all sides and cuts its own size out again, at a random place. With zeros around it is the
 * same as `shift`.
 */
export const crop = defineAugmentation({
  kind: 'crop',
  options: z.strictObject({
    padding: z.int().positive().meta({ description: 'Pixels added on each side.' }),
    fill: z
      .enum(['zero', 'edge', 'reflect'])
      .default('zero')
      .meta({ description: 'What is added: zeros, the outermost pixel again, or the mirrored image.' }),
    channels: channelsOption,
  }),

  images: {
    needs: imageAxes,
    apply({ padding, fill, channels }, images, shape, random) {
      const { planes, rows, columns, depth } = gridOf(shape, channels, images.length);
      const top = random.nextBelow(2 * padding + 1) - padding;
      const left = random.nextBelow(2 * padding + 1) - padding;
      const source = paddings[fill];
      const original = images.slice();
      let at = 0;
      for (let plane = 0; plane < planes; plane++) {
        for (let row = 0; row < rows; row++) {
          const fromRow = source(row + top, rows);
          for (let column = 0; column < columns; column++) {
            const fromColumn = source(column + left, columns);
            const from = ((plane * rows + fromRow) * columns + fromColumn) * depth;
            const isOutside = fromRow === nowhere || fromColumn === nowhere;
            for (let part = 0; part < depth; part++) images[at++] = isOutside ? 0 : original[from + part]!;
          }
        }
      }
    },
  },
});
