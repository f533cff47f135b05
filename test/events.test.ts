import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countFrames, encode, type EncoderSpec, type Events, timeFrames } from '../schemas/encoders/index.ts';
import { lineOf } from './support/error-line.ts';

const events = (shape: number[], ...list: [time: number, channel: number][]): Events => ({
  times: Float32Array.from(list, ([time]) => time),
  channels: Uint16Array.from(list, ([, channel]) => channel),
  shape,
});

const rowsOf = (spec: EncoderSpec, example: Events): number[][] => {
  const { values, steps } = encode(spec, example);
  const size = values.length / steps;
  return Array.from({ length: steps }, (_, step) => [...values.subarray(step * size, (step + 1) * size)]);
};

const total = (rows: readonly number[][]): number => rows.flat().reduce((sum, value) => sum + value, 0);

// Quarters are exact as floats, so that edges are where they seem to be.
const five = events([3], [0, 0], [0.25, 2], [0.25, 2], [0.5, 1], [1, 1]);

/** Recordings of 6 channels within a second and a bit, edges included. */
const recording = fc
  .array(fc.tuple(fc.integer({ min: -8, max: 80 }), fc.integer({ min: 0, max: 5 })), { maxLength: 60 })
  .map((list) => events([2, 3], ...list.map(([time, channel]): [number, number] => [time / 64, channel])));

describe('frames of equal length', () => {
  it('count the events from their start on, before their end', () => {
    expect(rowsOf(timeFrames({ steps: 4, duration: 1 }), five)).toEqual([
      [1, 0, 0],
      [0, 0, 2],
      [0, 1, 0],
      [0, 0, 0],
    ]);
  });

  it('put what lies outside in the nearest frame, where asked to', () => {
    const spec = timeFrames({ steps: 2, duration: 0.5, outside: 'clamp' });
    expect(rowsOf(spec, five)).toEqual([
      [1, 0, 0],
      [0, 2, 2],
    ]);
    expect(rowsOf(spec, events([1], [-3, 0], [1e30, 0]))).toEqual([[1], [1]]);
    expect(total(rowsOf(timeFrames({ steps: 2, duration: 0.5 }), events([1], [-3, 0], [1e30, 0])))).toBe(0);
  });

  it('say whether there was any, where asked to', () => {
    const rows = rowsOf(timeFrames({ steps: 4, duration: 1, values: 'binary' }), five);
    expect(rows[1]).toEqual([0, 0, 1]);
  });

  it('hold what comparing every event with every edge counts', () => {
    fc.assert(
      fc.property(recording, fc.constantFrom(1, 2, 4, 8), (example, steps) => {
        const rows = rowsOf(timeFrames({ steps, duration: 1 }), example);
        rows.forEach((row, step) => {
          row.forEach((found, channel) => {
            let counted = 0;
            example.times.forEach((time, event) => {
              const within = time >= step / steps && time < (step + 1) / steps;
              if (within && example.channels[event] === channel) counted++;
            });
            expect(found).toBe(counted);
          });
        });
      }),
      { seed: 1 },
    );
  });

  it('keep every event that they do not drop, and binary ones are the counts cut to 1', () => {
    fc.assert(
      fc.property(
        recording,
        fc.integer({ min: 1, max: 9 }),
        fc.double({ min: 0.1, max: 2, noNaN: true }),
        (example, steps, duration) => {
          const counts = (outside: 'drop' | 'clamp') =>
            rowsOf(timeFrames({ steps, duration, outside }), example);
          const inside = [...example.times].filter((time) => time >= 0 && time < duration).length;
          expect(total(counts('drop'))).toBe(inside);
          expect(total(counts('clamp'))).toBe(example.times.length);
          expect(rowsOf(timeFrames({ steps, duration, values: 'binary' }), example)).toEqual(
            counts('drop').map((row) => row.map((count) => Math.min(count, 1))),
          );
        },
      ),
      { seed: 1 },
    );
  });
});

describe('frames of equally many events', () => {
  it('share out the events in order of time', () => {
    expect(rowsOf(countFrames({ steps: 2 }), five)).toEqual([
      [1, 0, 2],
      [0, 2, 0],
    ]);
    expect(rowsOf(countFrames({ steps: 2, values: 'binary' }), five)).toEqual([
      [1, 0, 1],
      [0, 1, 0],
    ]);
  });

  it('leave frames empty where there are fewer events, or none', () => {
    expect(rowsOf(countFrames({ steps: 4 }), events([2], [0.5, 0], [0.75, 1]))).toEqual([
      [1, 0],
      [0, 0],
      [0, 1],
      [0, 0],
    ]);
    expect(total(rowsOf(countFrames({ steps: 4 }), events([2])))).toBe(0);
  });

  it('sort events that are not in order, those of one time as they came', () => {
    fc.assert(
      fc.property(recording, fc.integer({ min: 1, max: 9 }), (example, steps) => {
        const order = Array.from(example.times.keys()).sort(
          (a, b) => example.times[a]! - example.times[b]! || a - b,
        );
        const expected = Array.from({ length: steps }, () => Array.from({ length: 6 }, () => 0));
        order.forEach((event, place) => {
          const step = Math.floor((place * steps) / order.length);
          expected[step]![example.channels[event]!]!++;
        });
        const rows = rowsOf(countFrames({ steps }), example);
        expect(rows).toEqual(expected);
        const counts = rows.map((row) => total([row]));
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});

describe('events that do not fit', () => {
  it.each([
    [
      { times: new Float32Array(2), channels: new Uint16Array(1), shape: [3] },
      'there are 2 times and 1 channels',
    ],
    [events([2, 2], [0, 3], [0, 4]), 'the channel of event 1 is 4; expected below 4, the size of [2,2]'],
  ])('are refused: %#', async (example, expected) => {
    expect(await lineOf(() => encode(countFrames({ steps: 1 }), example))).toContain(expected);
  });
});
