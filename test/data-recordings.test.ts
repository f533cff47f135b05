import { describe, expect, test } from 'vitest';
import { RecordingCollector } from '../train/data/formats/collector.ts';
import {
  checkDataset,
  checkRecordings,
  firstExamples,
  givenBy,
  openRecordings,
  type Recordings,
} from '../train/data/index.ts';
import { digestOf } from '../train/data/digest.ts';
import { lineOf } from './support/error-line.ts';

const tiny: Recordings = {
  name: 'tiny',
  times: Float32Array.of(0, 1, 0.5),
  channels: Uint16Array.of(0, 5, 3),
  shape: [2, 3],
  offsets: Uint32Array.of(0, 2, 3),
  labels: Uint8Array.of(1, 0),
  count: 2,
  classes: 2,
  classNames: ['a', 'b'],
  properties: { speaker: [4, 5] },
};

describe('checkRecordings', () => {
  test('gives recordings that fit', () => {
    expect(checkRecordings(tiny)).toBe(tiny);
  });

  test.each<[Partial<Recordings>, string]>([
    [{ count: 0 }, 'data tiny: count is 0'],
    [{ shape: [] }, 'shape is []'],
    [{ shape: [2, 0] }, 'shape is [2,0]'],
    [{ classes: 257 }, 'classes is 257'],
    [{ channels: new Uint16Array(2) }, 'channels holds 2; expected one per event, 3'],
    [{ labels: new Uint8Array(3) }, 'labels holds 3; expected one per recording, 2'],
    [{ classNames: [] }, 'classNames holds 0; expected one per class, 2'],
    [{ properties: { speaker: [1] } }, 'speaker holds 1; expected one per recording, 2'],
    [{ offsets: Uint32Array.of(0, 3) }, 'offsets holds 2; expected 3'],
    [{ offsets: Uint32Array.of(0, 2, 2) }, 'offsets runs from 0 to 2; expected 0 to 3'],
    [{ offsets: Uint32Array.of(0, 4, 3) }, 'offsets of recording 0 go from 0 to 4'],
    [{ labels: Uint8Array.of(1, 2) }, 'label of recording 1 is 2; expected below 2'],
    [{ times: Float32Array.of(1, 0, 0) }, 'time of event 1 of recording 0 is 0 s; expected at least 1 s'],
    [{ times: Float32Array.of(0, Number.NaN, 0) }, 'time of event 1 of recording 0 is NaN s'],
    [{ times: Float32Array.of(0, 1, Infinity) }, 'time of event 0 of recording 1 is Infinity s'],
    [{ channels: Uint16Array.of(0, 6, 0) }, 'channel of event 1 of recording 0 is 6; expected below 6'],
  ])('refuses %j', async (change, line) => {
    expect(await lineOf(() => checkRecordings({ ...tiny, ...change }))).toContain(line);
  });
});

describe('RecordingCollector', () => {
  test('grows, and orders events by time without changing the order of equal ones', () => {
    const collector = new RecordingCollector('many', [300, 300]);
    const count = 100_000;
    for (let event = 0; event < count; event++)
      collector.add(Math.floor((count - event) / 2), event % 90_000);
    collector.end(0);
    collector.add(7, 89_999);
    collector.end(1);
    const { times, channels, offsets } = collector.finish(['a', 'b']);
    expect(channels).toBeInstanceOf(Uint32Array);
    expect([...offsets]).toEqual([0, count, count + 1]);
    expect([...times.subarray(0, 3)]).toEqual([0, 1, 1]);
    expect([...channels.subarray(0, 3)]).toEqual([9999, 9997, 9998]);
    expect([times[count], channels[count]]).toEqual([7, 89_999]);
  });
});

describe('kinds of data', () => {
  test('say what they give', async () => {
    expect(givenBy('mnist')).toBe('examples');
    expect(givenBy('shd:a?test=speaker:1')).toBe('recordings');
    expect(await lineOf(() => openRecordings('mnist', 'train'))).toContain('gives examples, not events');
    expect(await lineOf(() => openRecordings('nmnist', 'train'))).toContain('names no file or folder');
    expect(await lineOf(() => openRecordings('shd:nowhere', 'train'))).toContain(
      'nowhere: cannot be read: ENOENT',
    );
    expect(await lineOf(() => openRecordings('nmnist:nowhere', 'train'))).toContain(
      'nowhere: cannot be read',
    );
  });
});

describe('examples with steps', () => {
  const moving = {
    name: 'moving',
    inputs: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
    shape: [2],
    steps: 3,
    scale: 1,
    labels: Uint8Array.of(0, 1),
    count: 2,
    classes: 2,
    classNames: ['a', 'b'],
  };

  test('are checked, taken and told apart with their steps', async () => {
    expect(checkDataset(moving)).toBe(moving);
    expect([...firstExamples(moving, 1).inputs]).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await lineOf(() => checkDataset({ ...moving, steps: 2 }))).toContain(
      'holds 12 bytes; expected 2 examples × 4',
    );
    expect(await lineOf(() => checkDataset({ ...moving, steps: 0 }))).toContain('steps is 0');
    expect(digestOf(moving).sha256).not.toBe(digestOf({ ...moving, shape: [3], steps: 2 }).sha256);
  });
});
