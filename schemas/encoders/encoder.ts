import { z } from 'zod';
import { checkOptions, type Described, type Shape } from '../layer.ts';
import type { Random } from '../random.ts';

/** Real values over time, [steps, …shape], row-major; an image is one step. */
export interface Signal {
  readonly values: Float32Array;
  readonly steps: number;
  /** Of one step. */
  readonly shape: Shape;
}

/** Events of one recording. */
export interface Events {
  /** Seconds since the start of the recording; in any order. */
  readonly times: Float32Array;
  /** Which channel each event belongs to: an index into `shape`, row-major. */
  readonly channels: Uint16Array | Uint32Array;
  readonly shape: Shape;
}

/** What encoders take, by name: an `image` is a signal of one step, a `sequence` one of several. */
export interface Examples {
  readonly image: Signal;
  readonly sequence: Signal;
  readonly events: Events;
}

/**
 * Where an encoder writes: number p of step t is `values[start + t · stride + p]`. So one example of a batch
 * [steps, batch, …shape] is written in place. All of it is 0 before.
 */
export interface Frames {
  readonly values: Float32Array;
  readonly start: number;
  readonly stride: number;
}

/** Everything the toolkit knows about one way to turn an example into what a network is shown step by step. */
export interface Encoder<Kind extends string, Options extends z.ZodObject, Takes extends keyof Examples> {
  readonly kind: Kind;

  /** Names, types, limits, units and defaults of the options. */
  readonly options: Options;

  readonly takes: Takes;

  /** It gives the values that it takes; other encoders give spikes, or numbers of them. */
  readonly keepsValues?: true;

  /** How many steps come out of an example that has `given` of them. */
  steps(options: z.output<Options>, given: number): number;

  /** Shape of one step that comes out. */
  outputShape(options: z.output<Options>, shape: Shape): Shape;

  /** Writes all steps of one example. @param random called by encoders that draw at random, and by no other */
  encode(options: z.output<Options>, example: Examples[Takes], frames: Frames, random: () => Random): void;
}

/**
 * Turns an encoder into a function that describes it: `rate({ steps: 10 })` is `{ kind: 'rate', steps: 10, maximum: 1 }`.
 * The function checks its options and throws a UserError naming the one that is wrong.
 */
export function defineEncoder<
  const Kind extends string,
  Options extends z.ZodObject,
  Takes extends keyof Examples,
>(encoder: Encoder<Kind, Options, Takes>) {
  type Given = z.input<Options>;
  const describe = (
    ...given: Record<never, never> extends Given ? [options?: Given] : [options: Given]
  ): Described<Kind, Options> => ({
    kind: encoder.kind,
    ...checkOptions(encoder.options, given[0] ?? {}, `${encoder.kind}()`),
  });
  return Object.assign(describe, { encoder });
}

/** How many steps come out: an option of most encoders. */
export const stepsOption = z.int().positive().meta({ description: 'Number of time steps.' });
