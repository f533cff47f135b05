import { z } from 'zod';
import { UserError } from '../errors.ts';
import { defineLayer, type Shape } from '../layer.ts';

/** The part of a block's shortcut that fits its input to what the layers inside give. */
interface Shortcut {
  readonly halves: boolean;
  readonly zeros: number;
}

/** @throws UserError where no shortcut leads from one shape to the other */
function shortcutOf(input: Shape, inside: Shape): Shortcut {
  const channels = input.at(-1) as number;
  const zeros = (inside.at(-1) as number) - channels;
  const plane = input.slice(0, -1);
  const isPlane = (expected: Shape): boolean => inside.slice(0, -1).join() === expected.join();
  const same = isPlane(plane);
  const halves =
    plane.length === 2 && plane.every((side) => side % 2 === 0) && isPlane(plane.map((side) => side / 2));
  if (zeros >= 0 && (same || halves)) return { halves: !same, zeros };
  throw new UserError(
    `residual: its layers make [${inside.join(', ')}] of [${input.join(', ')}]; expected the same shape, or for [height, width, channels] more channels and a plane of the same size or of half of even sides`,
  );
}

/**
 * Layers whose input is added to their output: `y = f(x) + shortcut(x)`. Spikes add up to small whole numbers, which
 * flow on. Where the layers inside halve the plane, the shortcut is the mean of 2 × 2 windows, and where they widen it,
 * channels of zeros follow its own. Blocks nest.
 *
 * Input and output are signals; the output has the shape that the layers inside give.
 */
export const residual = defineLayer({
  kind: 'residual',
  takes: 'signal',
  gives: 'signal',
  rearranges: true,

  options: z.strictObject({
    layers: z
      .array(z.looseObject({ kind: z.string() }))
      .min(1)
      .readonly()
      .meta({ description: 'The layers inside, from a signal to a signal.' }),
  }),

  outputShape(_options, input, inside = input) {
    shortcutOf(input, inside);
    return inside;
  },

  parameters: () => ({}),
  state: () => ({}),

  /** The layers inside are all that runs; `join` adds to what they give. */
  step: (_ops, _options, _parameters, _state, input) => [input, {}],

  join(ops, _options, from, inside) {
    const { halves, zeros } = shortcutOf(from.shape, inside.shape);
    const pooled = halves ? ops.pool(from.value, 'average', { size: [2, 2], stride: [2, 2] }) : from.value;
    return ops.add(inside.value, zeros > 0 ? ops.padChannels(pooled, zeros) : pooled);
  },
});
