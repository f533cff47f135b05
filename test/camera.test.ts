import { describe, expect, test } from 'vitest';
import { encodedDataset } from '../train/data/encoded.ts';
import { conv2d, defineModel, dense, globalAveragePool, lif, readout } from '../schemas/index.ts';
import { countFrames, encode, type Events, timeFrames } from '../schemas/encoders/index.ts';
import { Random } from '../schemas/random.ts';
import { type Recordings, train } from '../train/index.ts';
import { lineOf } from './support/error-line.ts';

const [polarities, rows, columns] = [2, 5, 7];
const shape = [polarities, rows, columns];

/** Events of a camera as (time, polarity, row, column). */
const list = Array.from({ length: 200 }, (_, index) => {
  const random = Random.fromSeed(index, 'event');
  return [
    random.nextUniform(),
    random.nextBelow(2),
    random.nextBelow(rows),
    random.nextBelow(columns),
  ] as const;
});
const events: Events = {
  times: Float32Array.from(list, ([time]) => time),
  channels: Uint16Array.from(list, ([, polarity, row, column]) => (polarity * rows + row) * columns + column),
  shape,
};

describe('frames of a camera', () => {
  test.each([
    ['first', 1],
    ['last', 1],
    ['first', 3],
    ['last', 3],
    ['last', 2],
  ] as const)('channels %s, downsampled by %i', (channels, downsample) => {
    const { values, ...found } = encode(timeFrames({ steps: 4, duration: 1, channels, downsample }), events);
    const [down, across] = [Math.ceil(rows / downsample), Math.ceil(columns / downsample)];
    expect(found).toEqual({ steps: 4, shape: channels === 'last' ? [down, across, 2] : [2, down, across] });
    const expected = new Float32Array(4 * 2 * down * across);
    for (const [time, polarity, row, column] of list) {
      const [y, x] = [Math.floor(row / downsample), Math.floor(column / downsample)];
      const place =
        channels === 'last' ? (y * across + x) * 2 + polarity : (polarity * down + y) * across + x;
      expected[Math.floor(Math.fround(time) * 4) * 2 * down * across + place]! += 1;
    }
    expect(values).toEqual(expected);
    const whole = encode(countFrames({ steps: 1, channels, downsample, values: 'binary' }), events);
    const once = encode(timeFrames({ steps: 1, duration: 1, channels, downsample }), events);
    expect(whole.values).toEqual(once.values.map((value) => Math.min(value, 1)));
  });

  test('without polarities', () => {
    const flat = { ...events, shape: [10, 7] };
    expect(encode(countFrames({ steps: 2, channels: 'last', downsample: 4 }), flat).shape).toEqual([3, 2]);
  });

  test('of channels on one axis', async () => {
    const sound = { ...events, shape: [70] };
    const frames = encode(timeFrames({ steps: 4, duration: 1, downsample: 4 }), sound);
    const whole = encode(timeFrames({ steps: 4, duration: 1 }), sound);
    expect(frames.shape).toEqual([18]);
    const expected = new Float32Array(4 * 18);
    whole.values.forEach((count, place) => {
      expected[Math.floor(place / 70) * 18 + Math.floor((place % 70) / 4)]! += count;
    });
    expect([...frames.values]).toEqual([...expected]);
    expect(await lineOf(() => encode(timeFrames({ steps: 1, duration: 1, channels: 'last' }), sound))).toBe(
      'timeFrames: channels is for events of [rows, columns] or [polarities, rows, columns], these are of [70]; leave it out',
    );
    const none = { ...events, shape: [2, 5, 7, 1] };
    expect(await lineOf(() => encode(timeFrames({ steps: 1, duration: 1, downsample: 2 }), none))).toBe(
      'timeFrames: downsample and channels are for events of [rows, columns] or [polarities, rows, columns], these are of [2, 5, 7, 1]; leave them out',
    );
  });
});

const recordings: Recordings = {
  name: 'camera',
  times: events.times.toSorted(),
  channels: events.channels,
  shape,
  offsets: Uint32Array.of(0, 50, 100, 150, 200),
  labels: Uint8Array.of(0, 1, 0, 1),
  count: 4,
  classes: 2,
  classNames: ['left', 'right'],
  properties: {},
};
const modelOf = (side: number) =>
  defineModel({
    input: { type: 'uint8', shape: [side, side, 2], scale: 1 },
    encoder: { kind: 'countFrames', steps: 3, downsample: 2, channels: 'last' },
    layers: [conv2d({ filters: 3, size: 3 }), lif(), globalAveragePool(), dense({ units: 2 }), readout()],
  });

test('a network is checked against what its encoder makes of the events, and takes that', async () => {
  expect(await lineOf(() => train(modelOf(4), recordings, { batchSize: 2 }))).toBe(
    "train: the model's input is [4,4,2] = 32 numbers, countFrames makes of camera [3,4,2] = 24; change the model's input",
  );
  const model = { ...modelOf(4), input: { type: 'uint8', shape: [3, 4, 2], scale: 1 } } as const;
  expect(encodedDataset(recordings, model.encoder!).shape).toEqual([3, 4, 2]);
  const reports: number[] = [];
  await train(model, recordings, {
    batchSize: 2,
    epochs: 1,
    threads: 1,
    onProgress: ({ reports: { crossEntropy = Number.NaN } }) => reports.push(crossEntropy),
  });
  expect(reports.map(Number.isFinite)).toEqual([true, true]);
});
