import { z } from 'zod';
import { defineLayer, type Shape } from '../layer.ts';
import type { PoolKind } from '../ops.ts';
import { type Pair, pairSchema, planeOf, windowed } from '../window.ts';

const options = z.strictObject({
  size: pairSchema.meta({ description: 'Height and width of a window, or one number for both.' }),
  stride: pairSchema.exactOptional().meta({
    description: 'Steps from one window to the next; by default the size, so that windows touch.',
  }),
});

interface Options {
  readonly size: Pair;
  readonly stride?: Pair | undefined;
}

const windowOf = ({ size, stride = size }: Options) => ({ size, stride });

function pool<const Kind extends string>(kind: Kind, how: PoolKind) {
  return defineLayer({
    kind,
    takes: 'signal',
    gives: 'signal',
    rearranges: true,
    options,

    outputShape(given, input): Shape {
      const [height, width, channels] = planeOf(kind, input);
      return [...windowed(kind, [height, width], windowOf(given), 'valid'), channels];
    },

    parameters: () => ({}),
    state: () => ({}),
    step: (ops, given, _parameters, _state, input) => [ops.pool(input, how, windowOf(given)), {}],
  });
}

/**
 * The mean of each window, channel by channel. Of spikes it is a fraction, a whole number over the window's area: an
 * exported network keeps the whole number, so sums after it are exact.
 *
 * Input [height, width, channels], output the same channels of a smaller plane; what fills no window is left out.
 */
export const averagePool = pool('averagePool', 'average');

/** The largest of each window, channel by channel: of spikes, whether there is one. Shapes as for `averagePool`. */
export const maxPool = pool('maxPool', 'maximum');
