import { z } from 'zod';
import type { Random } from '../../../schemas/random.ts';
import { defineAugmentation } from './augmentation.ts';

/** Moves every event in time by itself, by a normal number. None is dropped: some times may become negative. */
export const timeJitter = defineAugmentation({
  kind: 'timeJitter',
  options: z.strictObject({
    sd: z.number().positive().meta({ description: 'Standard deviation, in seconds.' }),
  }),

  events: {
    apply({ sd }, { times, count }, _shape, random) {
      for (let event = 0; event < count; event += 2) {
        const [one, other] = normalPair(random);
        times[event] = times[event]! + sd * one;
        if (event + 1 < count) times[event + 1] = times[event + 1]! + sd * other;
      }
    },
  },
});

/** Two independent standard normal numbers, by the polar method (Marsaglia and Bray, 1964). */
function normalPair(random: Random): readonly [number, number] {
  for (;;) {
    const [x, y] = [2 * random.nextUniform() - 1, 2 * random.nextUniform() - 1];
    const square = x * x + y * y;
    if (square >= 1 || square === 0) continue;
    const factor = Math.sqrt((-2 * Math.log(square)) / square);
    return [x * factor, y * factor];
  }
}
