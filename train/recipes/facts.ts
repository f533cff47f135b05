import { UserError } from '../../schemas/errors.ts';
import type { Shape } from '../../schemas/layer.ts';
import {
  type Dataset,
  isRecordings,
  isRegression,
  type Recordings,
  type TrainingData,
} from '../data/index.ts';

/** Mean and standard deviation of each channel, the last axis of an image, in values. */
export interface ChannelStatistics {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

interface Facts {
  /** How messages call the data. */
  readonly name: string;
  /** Of one example at one step. */
  readonly shape: Shape;
  readonly classes: number;
}

/** Examples of one step, held as bytes. */
export interface ImageFacts extends Facts {
  readonly kind: 'images';
  /** The value of a byte is byte × scale. */
  readonly scale: number;
  /** Found when it is asked for. */
  channels(): ChannelStatistics;
}

/** Examples of several steps, held as bytes. */
export interface SequenceFacts extends Facts {
  readonly kind: 'sequences';
  readonly scale: number;
  readonly steps: number;
}

/** Recordings of events. */
export interface EventFacts extends Facts {
  readonly kind: 'events';
  /** Seconds until the last event of the longest recording. */
  readonly longest: number;
}

/** What a recipe needs to know of the data that it is fitted to. */
export type DataFacts = ImageFacts | SequenceFacts | EventFacts;

export type FactsOf<Kind extends DataFacts['kind']> = Extract<DataFacts, { kind: Kind }>;

/** @throws UserError for a regression */
export function factsOf(data: TrainingData): DataFacts {
  const { name, shape } = data;
  if (isRegression(data)) {
    throw new UserError(`recipes are for classes, ${name} has real targets; describe a network of your own`);
  }
  const { classes } = data;
  if (isRecordings(data)) return { kind: 'events', name, shape, classes, longest: longestOf(data) };
  const { scale, steps = 1 } = data;
  if (steps > 1) return { kind: 'sequences', name, shape, classes, scale, steps };
  return { kind: 'images', name, shape, classes, scale, channels: () => statisticsOf(data) };
}

/** Times are in order within a recording. */
function longestOf({ times, offsets, count }: Recordings): number {
  let longest = 0;
  for (let index = 0; index < count; index++) {
    const end = offsets[index + 1]!;
    if (end > offsets[index]!) longest = Math.max(longest, times[end - 1]!);
  }
  return longest;
}

/** To four places, as such figures are published: a network that is made of them can be read. */
const rounded = (value: number): number => Math.round(value * 1e4) / 1e4;

/** Sums of bytes and of their squares are whole numbers: exact, in whatever order. */
function statisticsOf({ inputs, shape, scale }: Dataset): ChannelStatistics {
  const channels = shape.length === 3 ? shape[2]! : 1;
  const [mean, deviation]: [number[], number[]] = [[], []];
  for (let channel = 0; channel < channels; channel++) {
    let [sum, squares] = [0, 0];
    for (let at = channel; at < inputs.length; at += channels) {
      const byte = inputs[at]!;
      sum += byte;
      squares += byte * byte;
    }
    const count = inputs.length / channels;
    const average = sum / count;
    mean.push(rounded(average * scale));
    // Of a channel that is the same everywhere nothing is left to scale.
    deviation.push(rounded(Math.sqrt(squares / count - average * average) * scale) || 1);
  }
  return { mean, deviation };
}
