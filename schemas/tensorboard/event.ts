/** Events as TensorBoard reads them. */
import protobuf from 'protobufjs/minimal.js';
import { bitspike } from './generated/event.js';

const { Event, SessionLog } = bitspike.tensorboard;

/** What an event says: of which format its file is, where a training goes on, or figures of a step by their tags. */
export type EventContent =
  | { readonly version: true }
  | { readonly start: true }
  | {
      readonly scalars: Readonly<Record<string, number>>;
      readonly histograms?: Readonly<Record<string, Histogram>>;
    };

/** How often numbers lie in intervals: above `limits[i − 1]`, up to `limits[i]`. */
export interface Histogram {
  readonly min: number;
  readonly max: number;
  readonly count: number;
  readonly sum: number;
  readonly sumOfSquares: number;
  readonly limits: readonly number[];
  readonly counts: readonly number[];
}

/**
 * The bytes of an event.
 *
 * @param time in seconds since 1970 @param step steps of training done
 */
export function encodeEvent(time: number, step: number, content: EventContent): Uint8Array {
  const event = { wallTime: time, step, ...messageOf(content) };
  return Event.encode(event, new protobuf.Writer()).finish();
}

/** The step of an event. @throws Error where the bytes are none */
export const stepOfEvent = (bytes: Uint8Array): number => Number(Event.decode(bytes).step);

function messageOf(content: EventContent) {
  if ('version' in content) return { fileVersion: 'brain.Event:2' };
  if ('start' in content) return { sessionLog: { status: SessionLog.SessionStatus.START } };
  const { scalars, histograms = {} } = content;
  const value = [
    ...Object.entries(scalars).map(([tag, simpleValue]) => ({ tag, simpleValue })),
    ...Object.entries(histograms).map(([tag, { count, sumOfSquares, limits, counts, ...others }]) => ({
      tag,
      histo: {
        ...others,
        num: count,
        sumSquares: sumOfSquares,
        bucketLimit: [...limits],
        bucket: [...counts],
      },
    })),
  ];
  return { summary: { value } };
}

const BUCKETS = 40;

/** The histogram of some numbers, one at least, in intervals of the same width from the least to the greatest. */
export function histogramOf(numbers: ArrayLike<number>): Histogram {
  let [min, max, sum, sumOfSquares] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
  for (let index = 0; index < numbers.length; index++) {
    const number = numbers[index]!;
    min = Math.min(min, number);
    max = Math.max(max, number);
    sum += number;
    sumOfSquares += number * number;
  }
  const width = (max - min) / BUCKETS;
  const counts = Array.from({ length: width > 0 ? BUCKETS : 1 }, () => 0);
  for (let index = 0; index < numbers.length; index++) {
    // The least number is in the first interval, any other up to and with its upper limit.
    const bucket = width > 0 ? Math.max(0, Math.ceil((numbers[index]! - min) / width) - 1) : 0;
    counts[Math.min(bucket, counts.length - 1)]!++;
  }
  const limits = counts.map((_, bucket) => (bucket === counts.length - 1 ? max : min + (bucket + 1) * width));
  return { min, max, count: numbers.length, sum, sumOfSquares, limits, counts };
}
