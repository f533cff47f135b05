import { crc32, gzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { halfToNumber } from '../train/data/formats/half.ts';
import { readNpy } from '../train/data/formats/npy.ts';
import { readZipEntry } from '../train/data/formats/zip.ts';
import { openDataset } from '../train/data/index.ts';
import { lineOf } from './support/error-line.ts';
import { freshFolder } from './support/folder.ts';
import { readMutations } from './support/mutations.ts';

const folder = freshFolder();

/** An npy file, whose header declares `shape` whatever the data. */
function npyFile(
  type: string,
  shape: readonly (number | string)[],
  data: Uint8Array,
  fortran = false,
): Buffer {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const header = `{'descr': '${type}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': ${tuple}, }\n`;
  const start = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 0, 0]);
  start.writeUInt16LE(header.length, 8);
  return Buffer.concat([start, Buffer.from(header), data]);
}

const ramp = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => (at * 7) % 256);
const labels = (...values: number[]): Buffer => npyFile('|u1', [values.length], Uint8Array.from(values));
const bytesOf = (array: { buffer: ArrayBufferLike }): Uint8Array => new Uint8Array(array.buffer);

describe('halfToNumber', () => {
  test.each([
    [0x0000, 0],
    [0x3c00, 1],
    [0xc000, -2],
    [0x3555, 0.333251953125],
    [0x0001, 2 ** -24],
    [0x03ff, 1023 * 2 ** -24],
    [0x7bff, 65504],
    [0x7c00, Infinity],
    [0xfc00, -Infinity],
    [0x7e00, Number.NaN],
  ])('reads %i', (bits, value) => {
    expect(halfToNumber(bits)).toBe(value);
  });
});

describe('readNpy', () => {
  const big = Buffer.alloc(12);
  [-2, 3, 70_000].forEach((value, at) => big.writeInt32BE(value, 4 * at));
  test.each<[string, Uint8Array, number[]]>([
    ['|b1', Uint8Array.of(0, 1, 2), [0, 1, 1]],
    ['|u1', Uint8Array.of(0, 200, 255), [0, 200, 255]],
    ['|i1', Uint8Array.of(0, 128, 255), [0, -128, -1]],
    ['<i2', bytesOf(Int16Array.of(1, -2, 300)), [1, -2, 300]],
    ['>i4', big, [-2, 3, 70_000]],
    ['<i8', bytesOf(BigInt64Array.of(1n, -2n, 3n)), [1, -2, 3]],
    ['>f2', Uint8Array.of(0x3c, 0, 0xc0, 0, 0x38, 0), [1, -2, 0.5]],
    ['<f4', bytesOf(Float32Array.of(0.5, -1, 3)), [0.5, -1, 3]],
    ['<f8', bytesOf(Float64Array.of(0.1, -1, 1e300)), [0.1, -1, 1e300]],
  ])('reads %s', (type, data, values) => {
    const { at, shape } = readNpy(npyFile(type, [3], data), 'f');
    expect(shape).toEqual([3]);
    expect([0, 1, 2].map(at)).toEqual(values);
  });

  test('knows both orders of axes', () => {
    expect(readNpy(npyFile('|u1', [2, 3, 4], ramp(24)), 'f').strides).toEqual([12, 4, 1]);
    expect(readNpy(npyFile('|u1', [2, 3, 4], ramp(24), true), 'f').strides).toEqual([1, 2, 6]);
  });

  test.each([
    ['no npy file', Buffer.from('hello, hello'), 'f: byte 0: does not begin as an npy file'],
    ['no bytes', Buffer.alloc(0), 'f: byte 0'],
    ['version 4', npyFile('|u1', [1], ramp(1)).fill(4, 6, 7), 'byte 6: npy version 4'],
    ['a header past the end', npyFile('|u1', [1], ramp(1)).subarray(0, 40), 'byte 8: a header of'],
    ['objects', npyFile('|O', [1], ramp(8)), "expected 'descr' of"],
    ['floats of three bytes', npyFile('<f3', [1], ramp(3)), "expected 'descr' of"],
    ['a negative size', npyFile('|u1', [-1], ramp(1)), 'header of another form'],
    [
      'a size past 2⁵³',
      npyFile('|u1', ['9999999999999999', '9999999999999999'], ramp(1)),
      'the file is cut short',
    ],
    ['too few bytes', npyFile('<f4', [2], ramp(7)), 'the file is cut short'],
    ['too many bytes', npyFile('<f4', [2], ramp(9)), 'bytes follow the data'],
    ['nine axes', npyFile('|u1', [1, 1, 1, 1, 1, 1, 1, 1, 1], ramp(1)), 'at most 8 axes'],
  ])('refuses %s', async (_, bytes, line) => {
    expect(await lineOf(() => readNpy(bytes, 'f'))).toContain(line);
  });

  test('reads mutations or refuses them', async () => {
    const verdicts = await readMutations(npyFile('<f4', [2, 3], ramp(24)), (bytes) => readNpy(bytes, 'f'), {
      numRuns: 1000,
    });
    expect(Math.min(verdicts.taken, verdicts.refused)).toBeGreaterThan(20);
  });
});

describe('readZipEntry', () => {
  const zip = zipSync({ 'a.npy': [ramp(50), { level: 0 }], 'b.npy': [new Uint8Array(5000), { level: 9 }] });

  test('gives stored and deflated files', () => {
    expect(Buffer.from(readZipEntry(zip, 'f', 'a.npy')!)).toEqual(Buffer.from(ramp(50)));
    expect(Buffer.from(readZipEntry(zip, 'f', 'b.npy')!)).toEqual(Buffer.alloc(5000));
    expect(readZipEntry(zip, 'f', 'c.npy')).toBeUndefined();
  });

  test('refuses what is cut short, damaged or declares too much', async () => {
    expect(await lineOf(() => readZipEntry(zip.subarray(0, -30), 'f', 'a.npy'))).toContain(
      'has no end record',
    );
    const flipped = zip.slice();
    flipped[40]! ^= 1;
    expect(await lineOf(() => readZipEntry(flipped, 'f', 'a.npy'))).toContain(
      'is not what its size and checksum say',
    );
    const declared = (size: number): Uint8Array => {
      const changed = Buffer.from(zip);
      const entry = changed.lastIndexOf('b.npy') - 46;
      changed.writeUInt32LE(size, entry + 24);
      return changed;
    };
    expect(await lineOf(() => readZipEntry(declared(2 ** 32 - 1), 'f', 'b.npy'))).toContain(
      'declares 4294967295 bytes',
    );
    expect(await lineOf(() => readZipEntry(declared(4999), 'f', 'b.npy'))).toContain('damaged data');
    expect(crc32(ramp(50))).toBe(Buffer.from(zip).readUInt32LE(14));
  });

  test('reads mutations or refuses them', async () => {
    const verdicts = await readMutations(zip, (bytes) => readZipEntry(bytes, 'f', 'b.npy'), {
      numRuns: 1000,
    });
    expect(Math.min(verdicts.taken, verdicts.refused)).toBeGreaterThan(20);
  });
});

/** Two examples of 3 steps, 2 channels, 4 rows and 5 columns, and where each byte goes with channels last. */
const frames = npyFile('|u1', [2, 3, 2, 4, 5], ramp(240));
const channelsLast = Uint8Array.from({ length: 240 }, (_, place) => {
  const [channel, pixel, step] = [place % 2, Math.floor(place / 2) % 20, Math.floor(place / 40)];
  return ramp(240)[(step * 2 + channel) * 20 + pixel]!;
});

describe('frames', () => {
  test('moves channels to the end and keeps the steps', async () => {
    await folder.put('train.frames.npy.gz', gzipSync(frames));
    await folder.put('train.labels.npy', labels(1, 0));
    expect(await openDataset(`frames:${folder.path()}?scale=1/4`, 'train')).toEqual({
      name: `frames:${folder.path()} train`,
      inputs: channelsLast,
      shape: [4, 5, 2],
      steps: 3,
      scale: 0.25,
      labels: Uint8Array.of(1, 0),
      count: 2,
      classes: 2,
      classNames: ['0', '1'],
    });
    const last = await openDataset(`frames:${folder.path()}?channels=last`, 'train');
    expect(last.shape).toEqual([2, 4, 5]);
    expect(Buffer.from(last.inputs)).toEqual(Buffer.from(ramp(240)));
  });

  test('leaves a label out, reads npz, and finds a validation split', async () => {
    const npz = zipSync({ 'frames.npy': frames, 'labels.npy': labels(3, 1) });
    await folder.put('validation.npz', npz);
    const dataset = await openDataset(`frames:${folder.path()}?without=3`, 'test');
    expect(dataset).toMatchObject({ count: 1, classes: 3, classNames: ['0', '1', '2'] });
    expect([...dataset.labels]).toEqual([1]);
    expect(Buffer.from(dataset.inputs)).toEqual(Buffer.from(channelsLast.subarray(120)));
    expect(await lineOf(() => openDataset(`frames:${folder.path()}`, 'train'))).toContain(
      'has no train split',
    );
  });
});

const openNpy = (options = '') => openDataset(`npy:${folder.path()}${options}`, 'train');

describe('npy', () => {
  test('turns floats in the order of Fortran into bytes', async () => {
    await folder.put(
      'inputs.npy',
      npyFile('<f4', [2, 3], bytesOf(Float32Array.of(0, 0.1, 0.2, 0.3, 0.4, 1)), true),
    );
    await folder.put('labels.npy', labels(0, 1));
    expect([...(await openNpy('?scale=0.1')).inputs]).toEqual([0, 2, 4, 1, 3, 10]);
    expect(await lineOf(() => openNpy('?scale=0.25'))).toContain(
      'is no multiple of 0.25; give another scale=, or round',
    );
    expect([...(await openNpy('?scale=0.25&round=true')).inputs]).toEqual([0, 1, 2, 0, 1, 4]);
    expect(await lineOf(() => openNpy('?scale=0.001'))).toContain(
      'is no byte; expected 0 … 0.255, with scale=0.001',
    );
  });

  test.each([
    ['NaN', npyFile('<f4', [1, 1], bytesOf(Float32Array.of(Number.NaN))), labels(0), '', 'NaN is no byte'],
    ['a negative number', npyFile('|i1', [1, 1], Uint8Array.of(255)), labels(0), '', '-1 is no byte'],
    [
      'more labels',
      npyFile('|u1', [1, 1], ramp(1)),
      labels(0, 1),
      '',
      'has shape (2); expected one label per example',
    ],
    [
      'a label past the classes',
      npyFile('|u1', [1, 1], ramp(1)),
      labels(4),
      '?classes=4',
      'label 4 of example 0',
    ],
    ['one axis', npyFile('|u1', [1], ramp(1)), labels(0), '', 'has shape (1); expected examples and'],
    ['no bytes', npyFile('|u1', [0, '9999999999'], ramp(0)), labels(0), '', 'none of size 0'],
    ['every label left out', npyFile('|u1', [1, 1], ramp(1)), labels(0), '?without=0', 'leaves no label'],
    ['an unknown option', npyFile('|u1', [1, 1], ramp(1)), labels(0), '?scales=1', "unknown option 'scales'"],
    ['a scale of 0', npyFile('|u1', [1, 1], ramp(1)), labels(0), '?scale=0', 'scale: '],
    [
      'an option twice',
      npyFile('|u1', [1, 1], ramp(1)),
      labels(0),
      '?scale=1&scale=2',
      'scale is given twice',
    ],
    [
      'an option without a value',
      npyFile('|u1', [1, 1], ramp(1)),
      labels(0),
      '?scale',
      'expected name=value',
    ],
  ])('refuses %s', async (_, inputs, labelled, options, line) => {
    await folder.put('train.inputs.npy', inputs);
    await folder.put('train.labels.npy', labelled);
    expect(await lineOf(() => openNpy(options))).toContain(line);
  });

  test('unpacks no more than the header declares', async () => {
    await folder.put('train.labels.npy', labels(0));
    await folder.put('train.inputs.npy.gz', gzipSync(npyFile('|u1', [1, 9], new Uint8Array(32 << 20))));
    expect(await lineOf(openNpy)).toContain('bytes it declares, so unpacking stopped there');
    await folder.put('train.inputs.npy.gz', gzipSync(npyFile('|u1', [70_000, 70_000], ramp(9))));
    expect(await lineOf(openNpy)).toMatch(/declares 49000000\d+ bytes; expected at most 2147483647/);
  });
});

const image = (label: number, seed: number): Buffer =>
  Buffer.concat([
    Buffer.of(label),
    Uint8Array.from({ length: 3072 }, (_, at) => (at * 5 + (at >> 10) + seed) % 256),
  ]);
const openCifar = () => openDataset(`cifar10:${folder.path()}`, 'train');

describe('cifar10', () => {
  test('joins batches in order and puts colours last', async () => {
    await folder.put('data_batch_10.bin', image(9, 3));
    await folder.put('data_batch_2.bin.gz', gzipSync(Buffer.concat([image(4, 1), image(0, 2)])));
    await folder.put('batches.meta.txt', 'a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n');
    const dataset = await openCifar();
    expect(dataset).toMatchObject({
      count: 3,
      shape: [32, 32, 3],
      classes: 10,
      classNames: [...'abcdefghij'],
    });
    expect([...dataset.labels]).toEqual([4, 0, 9]);
    const second = image(0, 2);
    const pixel = 5 * 32 + 17;
    expect([...dataset.inputs.subarray(3072 + 3 * pixel, 3072 + 3 * pixel + 3)]).toEqual(
      [0, 1, 2].map((colour) => second[1 + colour * 1024 + pixel]),
    );
  });

  test('refuses records cut short, labels past 9 and archives that unpack to too much', async () => {
    await folder.put('train.bin', image(3, 0).subarray(0, 3000));
    expect(await lineOf(openCifar)).toContain('has 3000 bytes; expected a multiple of 3073');
    await folder.put('train.bin', Buffer.concat([image(3, 0), image(10, 0)]));
    expect(await lineOf(openCifar)).toContain('byte 3073: label 10 of image 1');
    await folder.put('train.bin', gzipSync(Buffer.alloc(3073 * 10_000)));
    expect(await lineOf(openCifar)).toContain('declares 30730000 unpacked bytes');
    await folder.put('train.bin', image(3, 0));
    await folder.put('batches.meta.txt', 'cat\n');
    expect(await lineOf(openCifar)).toContain('has 1 names; expected 10');
  });

  test('reads mutations or refuses them', async () => {
    const verdicts = await readMutations(gzipSync(image(3, 0)), async (bytes) => {
      await folder.put('train.bin', bytes);
      await openCifar();
    });
    expect(verdicts.refused).toBeGreaterThan(20);
  });
});
