import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { spikesHdf5 as spikes } from '../bench/hostile/spikes.ts';
import { readSpikesHere } from '../train/data/formats/shd-recordings.ts';
import { readSpikes } from '../train/data/formats/shd-thread.ts';
import { openRecordings } from '../train/data/index.ts';
import { lineOf } from './support/error-line.ts';
import { freshFolder } from './support/folder.ts';
import { readMutations } from './support/mutations.ts';

const folder = freshFolder();

const halves = (numbers: number[]): Buffer => Buffer.from(Uint16Array.from(numbers).buffer);

/** The file with the bytes of numbers of 16 bits replaced, which must be in it once. */
function replaced(from: number[], to: number[]): Buffer {
  const changed = Buffer.from(spikes);
  const place = changed.indexOf(halves(from));
  expect(place).toBeGreaterThan(0);
  expect(changed.indexOf(halves(from), place + 1)).toBe(-1);
  changed.set(halves(to), place);
  return changed;
}

const firstTimes = [0, 0x3400, 0x3800];
const firstUnits = [0, 699, 350];
const allLabels = [1, 0, 2, 1];

/** The line for these bytes, read in this thread: that is quicker than a worker for each. */
async function lineFor(bytes: Uint8Array): Promise<string> {
  const file = folder.path('s.h5');
  await folder.put('s.h5', bytes);
  const line = await lineOf(() => readSpikesHere({ file, name: 'shd', fewestClasses: 20 }));
  return line.replaceAll(file, 'FILE');
}

describe('shd', () => {
  test('gives the events of a file, in order of time', async () => {
    await folder.put('s.h5', spikes);
    const recordings = await openRecordings(`shd:${folder.path('s.h5')}`, 'train');
    expect(recordings).toEqual({
      name: `shd:${folder.path('s.h5')} train`,
      times: Float32Array.of(0, 0.25, 0.5, 0.0625, 0.125, 1.5),
      channels: Uint16Array.of(0, 699, 350, 8, 7, 42),
      shape: [700],
      offsets: Uint32Array.of(0, 3, 3, 5, 6),
      labels: Uint8Array.of(1, 0, 2, 1),
      count: 4,
      classes: 3,
      classNames: ['zero', 'one', 'two'],
      properties: { speaker: [3, 1, 3, 2] },
    });
  });

  test('finds the files of a folder, packed or not', async () => {
    await folder.put('shd_train.h5.gz', gzipSync(spikes));
    await folder.put('shd_test.h5', replaced(firstUnits, [1, 2, 3]));
    const [train, judged] = await Promise.all([
      openRecordings(`shd:${folder.path()}`, 'train'),
      openRecordings(`shd:${folder.path()}`, 'test'),
    ]);
    expect([...train.channels.subarray(0, 3)]).toEqual([0, 699, 350]);
    expect([...judged.channels.subarray(0, 3)]).toEqual([1, 2, 3]);
    expect(await lineOf(() => openRecordings(`ssc:${folder.path()}`, 'train'))).toContain(
      'has no ssc_train.h5',
    );
    await folder.put('ssc_valid.h5', spikes);
    expect((await openRecordings(`ssc:${folder.path()}?test=valid`, 'test')).count).toBe(4);
  });

  test('holds out recordings of one file by a property', async () => {
    await folder.put('s.h5', spikes);
    const spec = `shd:${folder.path('s.h5')}?test=speaker:1-2`;
    const train = await openRecordings(spec, 'train');
    expect([...train.channels]).toEqual([0, 699, 350, 8, 7]);
    expect(train).toMatchObject({ count: 2, properties: { speaker: [3, 3] } });
    expect([...train.labels]).toEqual([1, 2]);
    const judged = await openRecordings(spec, 'test');
    expect([...judged.offsets]).toEqual([0, 0, 1]);
    expect([...judged.times]).toEqual([1.5]);
  });

  test('refuses a test split that is not there', async () => {
    await folder.put('s.h5', spikes);
    const spec = `shd:${folder.path('s.h5')}`;
    const lineWith = (options: string) => lineOf(() => openRecordings(`${spec}${options}`, 'test'));
    expect(await lineWith('')).toContain('one file has no test split; hold out a part such as');
    expect(await lineWith('?test=age:1')).toContain('recordings have no age; expected one of speaker');
    expect(await lineWith('?test=constructor:1')).toContain('recordings have no constructor');
    expect(await lineWith('?test=speaker:7')).toContain('holds out no recording of 4');
    expect(await lineWith('?test=speaker:3-1')).toContain('expected a property and its values');
    expect(await lineOf(() => openRecordings(`${spec}?test=speaker:1-3`, 'train'))).toContain(
      'leaves no recording',
    );
  });

  test.each([
    ['another file', Buffer.from('not HDF5'), 'FILE: byte 0: does not begin as an HDF5 file does'],
    ['an empty file', Buffer.alloc(0), 'FILE: byte 0: does not begin'],
    ['a file cut short', spikes.subarray(0, 6000), 'FILE: damaged HDF5 data (truncated file: eof = 6000'],
    [
      'a time that is none',
      replaced(firstTimes, [0, 0x7e00, 0x3800]),
      'recording 0: event 1: time NaN; expected',
    ],
    ['a time before the start', replaced(firstTimes, [0x8001, 0x3400, 0x3800]), 'event 0: time -5.9'],
    ['an infinite time', replaced(firstTimes, [0, 0x3400, 0x7c00]), 'event 2: time Infinity'],
    ['a unit out of range', replaced(firstUnits, [0, 700, 1]), 'event 1: unit 700; expected 0 … 699'],
    ['a label past a byte', replaced(allLabels, [1, 0, 256, 1]), 'labels: recording 2 has label 256'],
    [
      'a label without a name',
      replaced(allLabels, [1, 0, 3, 1]),
      'label of recording 2 is 3; expected below 3',
    ],
  ])('refuses %s', async (_, bytes, line) => {
    expect(await lineFor(bytes)).toContain(line);
  });

  test('refuses a dataset that is missing, or is a group', async () => {
    const renamed = Buffer.from(spikes.toString('latin1').replaceAll('labels', 'lebals'), 'latin1');
    expect(await lineFor(renamed)).toContain('FILE: has no dataset labels');
    const moved = Buffer.from(spikes.toString('latin1').replaceAll('spikes', 'spices'), 'latin1');
    expect(await lineFor(moved)).toContain('FILE: has no dataset spikes/times');
  });

  test('unpacks no more than the file declares', async () => {
    const bomb = gzipSync(Buffer.concat([spikes, Buffer.alloc(32 << 20)]));
    expect(await lineFor(bomb)).toContain(`unpacks to more than the ${spikes.length} bytes it declares`);
    const huge = Buffer.from(spikes);
    huge.writeBigUInt64LE(2n ** 40n, 40);
    expect(await lineFor(gzipSync(huge))).toContain('FILE: byte 40: declares 1099511627776 bytes');
    expect(await lineFor(gzipSync(spikes).subarray(0, 300))).toContain('damaged gzip data');
  });

  test('ends a reading that stands still', async () => {
    // Found by mutation: with these two bytes the library walks a heap for ever.
    const endless = Buffer.from(spikes);
    endless[2816] = 229;
    endless[11210] = 255;
    await folder.put('s.h5', endless);
    const line = await lineOf(() =>
      readSpikes({ file: folder.path('s.h5'), name: 'shd', fewestClasses: 20 }, 300),
    );
    expect(line).toContain('damaged HDF5 data (reading stood still for 0.3 s)');
  });

  test('reads mutations or refuses them', async () => {
    const file = folder.path('s.h5');
    // A seed without a mutation that reads for ever: the library has those, and the worker above ends them.
    const read = async (bytes: Uint8Array) => {
      await folder.put('s.h5', bytes);
      await readSpikesHere({ file, name: 'shd', fewestClasses: 20 });
    };
    const verdicts = await readMutations(spikes, read, { seed: 2, numRuns: 320 });
    expect(verdicts.taken).toBeGreaterThan(20);
    expect(verdicts.refused).toBeGreaterThan(20);
  });
});
