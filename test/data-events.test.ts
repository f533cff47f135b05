import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readAedat } from '../train/data/formats/aedat.ts';
import { readSlices } from '../train/data/formats/dvs-gesture.ts';
import { readNmnistEvents } from '../train/data/formats/nmnist.ts';
import { readTar } from '../train/data/formats/tar.ts';
import { openRecordings } from '../train/data/index.ts';
import { lineOf } from './support/error-line.ts';
import { freshFolder } from './support/folder.ts';
import { readMutations } from './support/mutations.ts';

const folder = freshFolder();

/** One event of N-MNIST. */
const saccade = (column: number, row: number, on: number, time: number): number[] => [
  column,
  row,
  (on << 7) | (time >> 16),
  (time >> 8) & 255,
  time & 255,
];

/** A tar file of plain files, in the old format with a sum that readers must check. */
function tarOf(files: Readonly<Record<string, Uint8Array | string>>): Buffer {
  const blocks = Object.entries(files).flatMap(([name, content]) => {
    const data = Buffer.from(content);
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write(`${data.length.toString(8).padStart(11, '0')} `, 124);
    header.write('        ', 148);
    header.write('0', 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [header, data, Buffer.alloc((512 - (data.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

const five = Uint8Array.from([...saccade(1, 2, 1, 10), ...saccade(33, 33, 0, 70_000)]);
const seven = Uint8Array.from(saccade(0, 0, 1, 3));

/** Index into [2, side, side]. */
const channel = (side: number, on: number, row: number, column: number): number =>
  (on * side + row) * side + column;

describe('nmnist', () => {
  test('reads the published folders, each file by its digit', async () => {
    await folder.put('Train/7/00002.bin', seven);
    await folder.put('Train/5/00001.bin', five);
    await folder.put('Train/5/._00001.bin', 'what a Mac leaves');
    await folder.put('Test/0/00009.bin', seven);
    const train = await openRecordings(`nmnist:${folder.path()}`, 'train');
    expect(train).toMatchObject({
      shape: [2, 34, 34],
      count: 2,
      classes: 10,
      properties: { recording: [1, 2] },
    });
    expect([...train.times]).toEqual([10e-6, 0.07, 3e-6].map(Math.fround));
    expect([...train.channels]).toEqual([channel(34, 1, 2, 1), channel(34, 0, 33, 33), channel(34, 1, 0, 0)]);
    expect([...train.offsets]).toEqual([0, 2, 3]);
    expect([...train.labels]).toEqual([5, 7]);
    expect([...(await openRecordings(`nmnist:${folder.path()}`, 'test')).labels]).toEqual([0]);
  });

  test('reads a tar file with lists', async () => {
    const files = {
      'small/bs2/17.bs2': five,
      'small/bs2/3.bs2': seven,
      'small/train.txt': '#sample #class\r\n17\t5\r\n',
      'small/test9.txt': '3 7\n',
    };
    await folder.put('data.tar.gz', gzipSync(tarOf(files)));
    const train = await openRecordings(`nmnist:${folder.path()}`, 'train');
    expect(train.properties).toEqual({ recording: [17] });
    expect([...train.labels]).toEqual([5]);
    await folder.put('plain.tar', tarOf(files));
    const judged = await openRecordings(`nmnist:${folder.path('plain.tar')}`, 'test');
    expect([...judged.channels]).toEqual([channel(34, 1, 0, 0)]);
  });

  test('adds 2¹³ µs at each overflow and drops its event', () => {
    const seen: number[] = [];
    const bytes = Uint8Array.from([
      ...saccade(0, 0, 0, 8000),
      ...saccade(0, 240, 0, 0),
      ...saccade(1, 0, 0, 10),
      ...saccade(99, 240, 1, 5),
      ...saccade(2, 0, 0, 20),
    ]);
    readNmnistEvents(bytes, 'f', (time, place) => seen.push(Math.round(time * 1e6), place));
    expect(seen).toEqual([8000, 0, 8192 + 10, 1, 2 * 8192 + 20, 2]);
  });

  test.each([
    [
      'half an event',
      { 'Train/1/1.bin': five.subarray(0, 7) },
      '1.bin: has 7 bytes; expected a multiple of 5',
    ],
    [
      'a column outside',
      { 'Train/1/1.bin': Uint8Array.from(saccade(34, 0, 0, 0)) },
      'byte 0: event at column 34',
    ],
    [
      'a row outside',
      { 'Train/1/1.bin': Uint8Array.from([...five, ...saccade(0, 34, 0, 0)]) },
      'byte 10: event',
    ],
    ['a folder of nothing', { 'a.txt': '' }, 'has 0 lists train….txt and no Train/DIGIT/*.bin'],
    ['two lists', { 'train1.txt': '', 'train2.txt': '' }, 'has 2 lists'],
    ['an id without a file', { 'train.txt': '#\n4 1\n' }, 'line 2: there is no 4.bs2 or 4.bin'],
    ['a path for an id', { 'train.txt': '../4 1\n' }, 'line 1: expected an id and a digit'],
    ['a label past 9', { 'train.txt': '4 10\n', '4.bs2': '' }, 'line 1: expected an id and a digit'],
    ['an empty list', { 'train.txt': '\n' }, 'count is 0; expected at least one recording'],
    ['no tar file', { 'a.tar': 'text' }, 'a.tar: byte 0: ends without the empty block'],
  ])('refuses %s', async (_, files: Record<string, Uint8Array | string>, line) => {
    for (const [name, content] of Object.entries(files)) await folder.put(name, content);
    expect(await lineOf(() => openRecordings(`nmnist:${folder.path()}`, 'train'))).toContain(line);
  });

  test('unpacks no more than is plausible', async () => {
    await folder.put('a.tar.gz', gzipSync(Buffer.alloc(64 << 20)));
    expect(await lineOf(() => openRecordings(`nmnist:${folder.path()}`, 'train'))).toContain(
      'declares 67108864 unpacked bytes; expected 1 … 16777216',
    );
  });

  test('reads mutations of a tar file, and of events, or refuses them', async () => {
    const tar = tarOf({ 'bs2/1.bs2': five, 'train.txt': '1 5\n' });
    const archives = await readMutations(tar, async (bytes) => {
      await folder.put('a.tar', bytes);
      await openRecordings(`nmnist:${folder.path('a.tar')}`, 'train');
    });
    expect(Math.min(archives.taken, archives.refused)).toBeGreaterThan(20);
    const events = await readMutations(five, (bytes) => readNmnistEvents(bytes, 'f', () => {}));
    expect(Math.min(events.taken, events.refused)).toBeGreaterThan(20);
  });
});

describe('readTar', () => {
  test('refuses a damaged header, and data cut short', async () => {
    const tar = tarOf({ a: 'abc' });
    expect([...readTar(tar, 'f').keys()]).toEqual(['a']);
    const renamed = Buffer.from(tar).fill('b', 0, 1);
    expect(await lineOf(() => readTar(renamed, 'f'))).toContain('f: byte 0: damaged tar header');
    expect(await lineOf(() => readTar(tar.subarray(0, 514), 'f'))).toContain(
      'declares 3 bytes of data, 2 follow',
    );
    expect(await lineOf(() => readTar(tar.subarray(0, 1024), 'f'))).toContain('byte 1024: ends without');
  });
});

interface Packet {
  readonly type?: number;
  readonly size?: number;
  readonly overflow?: number;
  readonly capacity?: number;
  readonly number?: number;
  /** Column, row, polarity, time; an event of time −1 is marked invalid. */
  readonly events: readonly (readonly [number, number, number, number])[];
}

const aedatHeader = '#!AER-DAT3.1\r\n#Format: RAW\r\n#!END-HEADER\r\n';

function packetOf({ type = 1, size = 8, overflow = 0, events, ...declared }: Packet): Buffer {
  const { capacity = events.length, number = events.length } = declared;
  const bytes = Buffer.alloc(28 + 8 * events.length);
  bytes.writeInt16LE(type, 0);
  [size, 4, overflow, capacity, number, events.length].forEach((value, at) =>
    bytes.writeInt32LE(value, 4 + 4 * at),
  );
  events.forEach(([column, row, polarity, time], at) => {
    const valid = time < 0 ? 0 : 1;
    bytes.writeUInt32LE(((column << 17) | (row << 2) | (polarity << 1) | valid) >>> 0, 28 + 8 * at);
    bytes.writeInt32LE(Math.max(0, time), 32 + 8 * at);
  });
  return bytes;
}

const aedatOf = (...packets: Packet[]): Buffer =>
  Buffer.concat([Buffer.from(aedatHeader), ...packets.map(packetOf)]);

const recording = aedatOf(
  {
    events: [
      [127, 3, 1, 1000],
      [5, 127, 0, 1500],
    ],
  },
  { type: 0, events: [[9, 9, 1, 7]] },
  {
    events: [
      [1, 1, 1, -1],
      [2, 4, 1, 2000],
    ],
  },
);

const csv = 'class,startTime_usec,endTime_usec\n1,1000,2000\n11,1500,2001\n';

async function putGestures(
  aedat: Uint8Array = recording,
  labels = csv,
  list = 'user07_led.aedat\n',
): Promise<string> {
  await folder.put('trials_to_train.txt', list);
  await folder.put('user07_led.aedat', aedat);
  await folder.put('user07_led_labels.csv', labels);
  return `dvs-gesture:${folder.path()}`;
}

describe('dvs-gesture', () => {
  test('cuts a recording into the slices of its labels', async () => {
    const recordings = await openRecordings(await putGestures(), 'train');
    expect([...recordings.times]).toEqual([0, 500e-6, 0, 500e-6].map(Math.fround));
    const [first, second, third] = [channel(128, 1, 3, 127), channel(128, 0, 127, 5), channel(128, 1, 4, 2)];
    expect([...recordings.channels]).toEqual([first, second, second, third]);
    expect([...recordings.offsets]).toEqual([0, 2, 4]);
    expect([...recordings.labels]).toEqual([0, 10]);
    expect(recordings).toMatchObject({
      shape: [2, 128, 128],
      count: 2,
      classes: 11,
      properties: { recording: [0, 0], user: [7, 7] },
    });
  });

  test('leaves labels out and moves the later ones down', async () => {
    const spec = await putGestures();
    const without10 = await openRecordings(`${spec}?without=10`, 'train');
    expect(without10).toMatchObject({ count: 1, classes: 10 });
    const without0 = await openRecordings(`${spec}?without=0,3`, 'train');
    expect([...without0.labels]).toEqual([8]);
    expect(without0.classNames.slice(0, 2)).toEqual(['right hand wave', 'left hand wave']);
    expect(await lineOf(() => openRecordings(`${spec}?without=11`, 'train'))).toContain(
      'label 11 is none of the 11',
    );
    expect(await lineOf(() => openRecordings(`${spec}?without=x`, 'train'))).toContain(
      'expected labels with commas',
    );
  });

  test.each([
    [
      'a list that leaves the folder',
      recording,
      csv,
      '../user07_led.aedat\n',
      'line 1: expected the name of a file',
    ],
    [
      'a list of a missing file',
      recording,
      csv,
      'user08_led.aedat\n',
      'user08_led_labels.csv: cannot be read',
    ],
    ['labels without a header', recording, '1,2,3\n', undefined, 'line 1: expected class,start'],
    ['class 12', recording, csv.replace('11,', '12,'), undefined, 'line 3: expected a class 1 … 11'],
    ['class 0', recording, csv.replace('11,', '0,'), undefined, 'line 3: expected a class 1 … 11'],
    [
      'a slice that ends before it starts',
      recording,
      csv.replace('2000', '1000'),
      undefined,
      'line 2: expected',
    ],
    ['an event outside', aedatOf({ events: [[128, 0, 1, 1200]] }), csv, undefined, 'event 0: at column 128'],
  ])('refuses %s', async (_, aedat, labels, list, line) => {
    const spec = await putGestures(aedat, labels, list);
    expect(await lineOf(() => openRecordings(spec, 'train'))).toContain(line);
  });

  test('reads mutations of labels or refuses them', async () => {
    const verdicts = await readMutations(Buffer.from(csv), (bytes) =>
      readSlices(Buffer.from(bytes).toString('latin1'), 'f'),
    );
    expect(Math.min(verdicts.taken, verdicts.refused)).toBeGreaterThan(0);
  });
});

describe('readAedat', () => {
  test('passes over invalid events and other types', () => {
    const { times, columns, rows, polarities } = readAedat(recording, 'f');
    expect([...times]).toEqual([1000, 1500, 2000]);
    expect([...columns]).toEqual([127, 5, 2]);
    expect([...rows]).toEqual([3, 127, 4]);
    expect([...polarities]).toEqual([1, 0, 1]);
  });

  test('counts times past the overflow of the clock', () => {
    const { times } = readAedat(aedatOf({ overflow: 3, events: [[0, 0, 0, 5]] }), 'f');
    expect([...times]).toEqual([3 * 2 ** 31 + 5]);
  });

  test.each([
    ['another version', Buffer.from(aedatHeader.replace('3.1', '2.0')), 'f: byte 0: no line #!AER-DAT3.1'],
    ['a header without end', Buffer.from('#!AER-DAT3.1\r\n#x\r\n'), 'does not end in #!END-HEADER'],
    ['half a packet header', recording.subarray(0, 60), 'packet header is cut short'],
    ['half an event', recording.subarray(0, 80), 'declares 2 events of 8 bytes, more than the file has left'],
    ['a huge capacity', aedatOf({ events: [], capacity: 2 ** 31 - 1 }), 'declares 2147483647 events'],
    ['a negative capacity', aedatOf({ events: [], capacity: -1 }), 'declares -1 events'],
    ['events of no size', aedatOf({ events: [], size: 0 }), 'of 0 bytes'],
    ['events of another size', aedatOf({ events: [[0, 0, 0, 0]], size: 4 }), 'polarity events of 4 bytes'],
    [
      'fewer events than room',
      aedatOf({ events: [[0, 0, 0, 0]], number: 0 }),
      'declares 0 events in the room of 1',
    ],
    ['a clock that went back', aedatOf({ events: [], overflow: -1 }), 'started anew -1 times'],
  ])('refuses %s', async (_, bytes, line) => {
    expect(await lineOf(() => readAedat(bytes, 'f'))).toContain(line);
  });

  test('reads mutations or refuses them', async () => {
    const verdicts = await readMutations(recording, (bytes) => readAedat(bytes, 'f'), { numRuns: 1000 });
    expect(Math.min(verdicts.taken, verdicts.refused)).toBeGreaterThan(20);
  });
});
