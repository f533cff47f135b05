import type { z } from 'zod';
import { checkOptions, type Described, type Shape } from '../../../schemas/layer.ts';
import type { Random } from '../../../schemas/random.ts';

/** Events of one example, to be changed in place: the first `count` are there. Their order in time may be lost. */
export interface EventList {
  /** Seconds since the start of the recording. */
  readonly times: Float32Array;
  readonly channels: Uint16Array | Uint32Array;
  count: number;
}

/** What an augmentation does to one kind of example. */
export interface Change<Options, Example> {
  /** What it needs of the shape of a step, where not all will do. */
  readonly needs?: { readonly axes: readonly number[]; readonly named: string };
  readonly apply: (options: Options, example: Example, shape: Shape, random: Random) => void;
}

/** Everything the toolkit knows about one way to vary examples. */
export interface Augmentation<Kind extends string, Options extends z.ZodObject> {
  readonly kind: Kind;

  /** Names, types, limits, units and defaults of the options. */
  readonly options: Options;

  /** Changes an image, or all images of a sequence alike: [steps, …shape], in place. */
  readonly images?: Change<z.output<Options>, Float32Array>;

  /** Changes a recording, in place. */
  readonly events?: Change<z.output<Options>, EventList>;
}

/**
 * Turns an augmentation into a function that describes it: `drop({ probability: 0.1 })` is
 * `{ kind: 'drop', probability: 0.1 }`. The function checks its options and throws a UserError naming the one that is wrong.
 */
export function defineAugmentation<const Kind extends string, Options extends z.ZodObject>(
  augmentation: Augmentation<Kind, Options>,
) {
  type Given = z.input<Options>;
  const describe = (
    ...given: Record<never, never> extends Given ? [options?: Given] : [options: Given]
  ): Described<Kind, Options> => ({
    kind: augmentation.kind,
    ...checkOptions(augmentation.options, given[0] ?? {}, `${augmentation.kind}()`),
  });
  return Object.assign(describe, { augmentation });
}

/** Keeps the events for which `isKept` holds, in their order. It may change the event's time and channel first. */
export function keepEvents(events: EventList, isKept: (event: number) => boolean): void {
  const { times, channels, count } = events;
  let kept = 0;
  for (let event = 0; event < count; event++) {
    if (!isKept(event)) continue;
    times[kept] = times[event]!;
    channels[kept] = channels[event]!;
    kept++;
  }
  events.count = kept;
}

/** A number uniform between two. */
export const between = (from: number, to: number, random: Random): number =>
  from + (to - from) * random.nextUniform();

/** An integer uniform in −most … most. */
export const upTo = (most: number, random: Random): number => random.nextBelow(2 * most + 1) - most;
