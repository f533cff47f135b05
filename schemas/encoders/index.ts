/** From images, sequences and events to what a network is shown step by step. Plain functions: Node and browsers. */
import type { z } from 'zod';
import { UserError } from '../errors.ts';
import { checkOptions, type Shape, sizeOf } from '../layer.ts';
import type { Random } from '../random.ts';
import { countFrames } from './count-frames.ts';
import { delta } from './delta.ts';
import { direct } from './direct.ts';
import type { Encoder, Events, Examples, Signal } from './encoder.ts';
import { latency } from './latency.ts';
import { rate } from './rate.ts';
import { specSchema } from './spec-schema.ts';
import { timeFrames } from './time-frames.ts';

export type { Encoder, Events, Examples, Frames, Signal } from './encoder.ts';
export { countFrames, delta, direct, latency, rate, timeFrames };

/** Every kind of encoder. A new one is a file beside this and a line here. */
export const encoders = { direct, rate, latency, delta, timeFrames, countFrames };

/** An encoder of any kind as plain data. */
export type EncoderSpec = ReturnType<(typeof encoders)[EncoderKind]>;

/** The name of an encoder. */
export type EncoderKind = keyof typeof encoders;

/** What an encoder of any kind may say. */
export const encoderSchema = specSchema(
  'an encoder',
  Object.values(encoders).map(({ encoder }) => encoder),
) satisfies z.ZodType<EncoderSpec>;

type AnyEncoder = {
  [Takes in keyof Examples]: Encoder<string, z.ZodObject, Takes>;
}[keyof Examples];

/** What is known of a spec's kind. A spec carries the options of its own kind, so its functions may take it. */
export const encoderOf = ({ kind }: EncoderSpec): AnyEncoder =>
  encoders[kind].encoder as unknown as AnyEncoder;

/** What came out of an encoder. */
export interface Encoded {
  /** [steps, …shape], row-major. */
  readonly values: Float32Array;
  readonly steps: number;
  /** Of one step. */
  readonly shape: Shape;
}

/**
 * Encodes one example.
 *
 * @param example a `Signal` for images and sequences, `Events` for event frames
 * @param random what encoders that draw at random draw from; others need none
 * @throws UserError for options that do not fit, an example that the encoder does not take, and no `random` where it is needed
 */
export function encode(given: EncoderSpec, example: Signal | Events, random?: Random): Encoded {
  const spec = checkOptions(encoderSchema, given, 'encode');
  const encoder = encoderOf(spec);
  const offered = 'times' in example ? 'events' : example.steps === 1 ? 'image' : 'sequence';
  if (encoder.takes !== offered) {
    throw new UserError(
      `encode: ${spec.kind} takes ${exampleNames[encoder.takes]}, got ${exampleNames[offered]}`,
    );
  }
  checkExample(example);
  const steps = encoder.steps(spec, 'times' in example ? 1 : example.steps);
  const shape = encoder.outputShape(spec, example.shape);
  const size = sizeOf(shape);
  const values = new Float32Array(steps * size);
  const draws = (): Random => {
    if (random) return random;
    throw new UserError(`encode: ${spec.kind} draws at random; give it a Random, such as Random.fromSeed(1)`);
  };
  // Its example is what it takes: checked above.
  encoder.encode(spec, example as Signal & Events, { values, start: 0, stride: size }, draws);
  return { values, steps, shape };
}

/** How messages call what encoders take. */
export const exampleNames: Readonly<Record<keyof Examples, string>> = {
  image: 'a signal of one step',
  sequence: 'a signal of several steps',
  events: 'events',
};

function checkExample(example: Signal | Events): void {
  const size = sizeOf(example.shape);
  if ('values' in example) {
    const { values, steps } = example;
    if (values.length === steps * size) return;
    throw new UserError(
      `encode: the signal holds ${values.length} values; expected ${steps} steps × [${example.shape}]`,
    );
  }
  const { times, channels } = example;
  if (times.length !== channels.length) {
    throw new UserError(`encode: there are ${times.length} times and ${channels.length} channels of events`);
  }
  const stray = channels.findIndex((channel: number) => channel >= size);
  if (stray >= 0) {
    throw new UserError(
      `encode: the channel of event ${stray} is ${channels[stray]}; expected below ${size}, the size of [${example.shape}]`,
    );
  }
}
