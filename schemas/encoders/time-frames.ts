import { z } from 'zod';
import { cameraOptions, framePlaces, frameShape } from './camera.ts';
import { defineEncoder, stepsOption } from './encoder.ts';

/** What an event frame holds: an option of both kinds. */
export const frameValuesOption = z
  .enum(['counts', 'binary'])
  .default('counts')
  .meta({ description: 'Number of events per channel and frame, or 1 where there is any.' });

/**
 * Events in frames of equal length: frame k counts those with k · duration/steps ≤ t < (k + 1) · duration/steps.
 */
export const timeFrames = defineEncoder({
  kind: 'timeFrames',
  takes: 'events',
  options: z.strictObject({
    steps: stepsOption,
    duration: z.number().positive().meta({ description: 'Length of all frames together, in seconds.' }),
    outside: z
      .enum(['drop', 'clamp'])
      .default('drop')
      .meta({ description: 'Events before 0 or from `duration` on: dropped, or put in the nearest frame.' }),
    values: frameValuesOption,
    ...cameraOptions,
  }),
  steps: ({ steps }) => steps,
  outputShape: (options, shape) => frameShape('timeFrames', options, shape),

  encode({ steps, duration, outside, values, ...layout }, { times, channels, shape }, frames) {
    const { values: into, start, stride } = frames;
    const isBinary = values === 'binary';
    const places = framePlaces(layout, shape);
    for (let event = 0; event < times.length; event++) {
      let place = (times[event]! * steps) / duration;
      if (!(place >= 0 && place < steps)) {
        if (outside === 'drop') continue;
        place = place < 0 ? 0 : steps - 1;
      }
      // Within 0 … steps, `| 0` is the floor, and keeps the index a whole number to the compiler.
      const step = place | 0;
      const channel = channels[event]!;
      const at = start + step * stride + (places === undefined ? channel : places[channel]!);
      into[at] = isBinary ? 1 : into[at]! + 1;
    }
  },
});
