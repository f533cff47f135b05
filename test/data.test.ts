import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { UserError } from '../schemas/errors.ts';
import { Random } from '../schemas/random.ts';
import {
  type Dataset,
  checkDataset,
  firstExamples,
  idx,
  mnist,
  openDataset,
  readIdx,
  shuffledOrder,
} from '../train/data/index.ts';
import { lineOf } from './support/error-line.ts';

/** An IDX file of bytes, whose header declares `shape` whatever the data. */
function idxFile(shape: number[], data: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, 8, shape.length]);
  shape.forEach((axis, place) => header.writeUInt32BE(axis, 4 + 4 * place));
  return Buffer.concat([header, data]);
}

const ramp = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => (at * 7) % 256);

/** Three images of 2 × 4 bytes. */
const images = idxFile([3, 2, 4], ramp(24));
const labels = idxFile([3], Uint8Array.of(5, 0, 9));

const tiny: Dataset = {
  name: 'tiny',
  inputs: Uint8Array.of(0, 255, 10, 20, 30, 40),
  shape: [2],
  scale: 1 / 255,
  labels: Uint8Array.of(1, 0, 2),
  count: 3,
  classes: 3,
  classNames: ['a', 'b', 'c'],
};

let root: string;
let folder: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bitspike-data-'));
});
beforeEach(async () => {
  folder = await mkdtemp(join(root, 'idx-'));
});
afterAll(async () => {
  await rm(root, { recursive: true });
});

const put = (name: string, bytes: Uint8Array): Promise<void> => writeFile(join(folder, name), bytes);

async function putTrain(imageBytes: Uint8Array, labelBytes: Uint8Array): Promise<void> {
  await put('train-images-idx3-ubyte', imageBytes);
  await put('train-labels-idx1-ubyte', labelBytes);
}

/** The line for images in these bytes. */
async function lineOfImages(bytes: Uint8Array): Promise<string> {
  await putTrain(bytes, labels);
  return lineOf(() => idx(folder, 'train'));
}

/** Whether the bytes give an array that fits its shape, or else a UserError. */
function readsOrRefuses(bytes: Uint8Array): boolean {
  try {
    const { shape, data } = readIdx(bytes, 'f');
    return data.length === shape.reduce((product, axis) => product * axis, 1);
  } catch (error) {
    return error instanceof UserError;
  }
}

const orderOf = (seed: number) => [...shuffledOrder(1000, Random.fromSeed(seed))];

describe('readIdx', () => {
  test('gives shape and bytes', () => {
    expect(readIdx(images, 'f')).toEqual({ shape: [3, 2, 4], data: Buffer.from(ramp(24)) });
    expect(readIdx(idxFile([2, 1, 1, 2], ramp(4)), 'f').shape).toEqual([2, 1, 1, 2]);
    expect(readIdx(idxFile([0], ramp(0)), 'f')).toEqual({ shape: [0], data: Buffer.alloc(0) });
  });

  test('reads bytes that begin inside a larger buffer', () => {
    const larger = Buffer.concat([Buffer.alloc(3, 0xee), images]);
    expect(readIdx(larger.subarray(3), 'f').shape).toEqual([3, 2, 4]);
  });

  test.each([
    ['no bytes', Buffer.alloc(0), 'f: byte 0: the file ends within the 4 bytes'],
    [
      'a float file',
      Buffer.from([0, 0, 0x0d, 1, 0, 0, 0, 0]),
      'f: byte 0: begins 00 00 0d 01; expected an IDX file',
    ],
    ['no axes', Buffer.from([0, 0, 8, 0]), 'f: byte 0: begins 00 00 08 00'],
    ['five axes', idxFile([1, 1, 1, 1, 1], ramp(1)), 'f: byte 0: begins 00 00 08 05'],
    ['half a header', images.subarray(0, 9), 'f: byte 9: the file ends within its header; expected 16 bytes'],
    [
      'a byte less',
      images.subarray(0, 39),
      'f: byte 39: the file is cut short; its header declares 3 × 2 × 4 and so 40',
    ],
    ['a byte more', Buffer.concat([images, ramp(1)]), 'f: byte 40: bytes follow the data'],
    [
      'sizes past 2⁵³',
      idxFile([2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1], ramp(8)),
      'f: byte 24: the file is cut short',
    ],
  ])('refuses %s', async (_, bytes, line) => {
    expect(await lineOf(() => readIdx(bytes, 'f'))).toContain(line);
  });

  test('takes any bytes: a fitting array or a UserError', () => {
    const change = fc.tuple(fc.nat(images.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 3 }), fc.nat(images.length + 2), (changes, length) => {
        const bytes = Buffer.alloc(length);
        images.copy(bytes);
        for (const [at, value] of changes) bytes[at] = value;
        expect(readsOrRefuses(bytes)).toBe(true);
      }),
      { seed: 1, numRuns: 2000 },
    );
  });
});

describe('idx', () => {
  test('opens a split', async () => {
    await putTrain(images, labels);
    const dataset = await idx(folder, 'train');
    expect(dataset).toEqual({
      name: `idx:${folder} train`,
      inputs: Buffer.from(ramp(24)),
      shape: [2, 4],
      scale: 1 / 255,
      labels: Buffer.from([5, 0, 9]),
      count: 3,
      classes: 10,
      classNames: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
    });
  });

  test('finds the other spellings, packed or not, and a file unpacked under a packed name', async () => {
    await put('t10k-images.idx3-ubyte.gz', gzipSync(images));
    await put('t10k-labels-idx1-ubyte.gz', labels);
    const { inputs, labels: read } = await idx(folder, 'test');
    expect([...inputs]).toEqual([...ramp(24)]);
    expect([...read]).toEqual([5, 0, 9]);
  });

  test('has a class for every label, and ten at least', async () => {
    await putTrain(images, idxFile([3], Uint8Array.of(26, 1, 2)));
    expect((await idx(folder, 'train')).classes).toBe(27);
    await putTrain(images, idxFile([3], Uint8Array.of(1, 1, 1)));
    expect((await idx(folder, 'train')).classes).toBe(10);
    expect((await idx(folder, 'train', { classes: 2 })).classNames).toEqual(['0', '1']);
  });

  test('refuses a label out of range', async () => {
    await putTrain(images, labels);
    const line = await lineOf(() => idx(folder, 'train', { classes: 9 }));
    expect(line).toBe(
      `${join(folder, 'train-labels-idx1-ubyte')}: byte 10: label 9 of example 2; expected below 9, the number of classes`,
    );
  });

  test('refuses a folder that is not there', async () => {
    expect(await lineOf(() => idx(join(folder, 'none'), 'train'))).toContain(
      `${join(folder, 'none')}: cannot be read as a folder (ENOENT`,
    );
  });

  test('names the files it looked for', async () => {
    await put('train-images-idx3-ubyte', images);
    expect(await lineOf(() => idx(folder, 'train'))).toContain(
      `${folder}: has no train-labels-idx1-ubyte or train-labels.idx1-ubyte, with or without .gz`,
    );
  });

  test('refuses a folder in the place of a file', async () => {
    await putTrain(images, labels);
    await mkdir(join(folder, 't10k-images-idx3-ubyte'));
    await put('t10k-labels-idx1-ubyte', labels);
    expect(await lineOf(() => idx(folder, 'test'))).toContain('t10k-images-idx3-ubyte: cannot be read');
  });

  test('refuses images and labels of different number', async () => {
    await putTrain(images, idxFile([2], ramp(2)));
    expect(await lineOf(() => idx(folder, 'train'))).toMatch(
      /train-labels-idx1-ubyte: has 2 labels for the 3 images of/,
    );
  });

  test('refuses images and labels exchanged', async () => {
    await putTrain(labels, images);
    expect(await lineOf(() => idx(folder, 'train'))).toContain('byte 3: has 1 axes; expected 3');
  });

  test('refuses files without examples, and examples without bytes', async () => {
    await putTrain(idxFile([0, 2, 4], ramp(0)), idxFile([0], ramp(0)));
    expect(await lineOf(() => idx(folder, 'train'))).toContain('expected at least one example');
    await putTrain(idxFile([3, 0, 4], ramp(0)), labels);
    expect(await lineOf(() => idx(folder, 'train'))).toContain('shape is [0, 4]');
  });
});

describe('gzip', () => {
  /** Bytes that do not pack, so that the file is longer than its head. */
  const noise = Uint8Array.from({ length: 3 * 100 * 100 }, (_, at) => (at * at * 2654435761) >>> 13);

  test('refuses damage in the head, after it, and a cut', async () => {
    const packed = gzipSync(idxFile([3, 100, 100], noise));
    expect(packed.length).toBeGreaterThan(8192);
    await putTrain(packed, labels);
    expect((await idx(folder, 'train')).inputs).toEqual(Buffer.from(noise));

    const damagedHead = Buffer.from(packed).fill(0xff, 10, 30);
    expect(await lineOfImages(damagedHead)).toContain('damaged gzip data');
    const damagedSum = Buffer.from(packed);
    damagedSum.writeUInt32LE(0, packed.length - 8);
    expect(await lineOfImages(damagedSum)).toContain('damaged gzip data (incorrect data check)');
    expect(await lineOfImages(packed.subarray(0, 6000))).toContain(
      'damaged gzip data (unexpected end of file)',
    );
    expect(await lineOfImages(packed.subarray(0, 4))).toContain('the file ends within the 4 bytes');
  });

  test('stops where the header says that the data end', async () => {
    const bomb = gzipSync(idxFile([3, 2, 4], new Uint8Array(64 << 20)));
    expect(bomb.length).toBeLessThan(100_000);
    expect(await lineOfImages(bomb)).toContain('unpacks to more than the 40 bytes it declares');
    expect(await lineOfImages(gzipSync(Buffer.concat([images, ramp(1)])))).toContain(
      'more than the 40 bytes it declares',
    );
  });

  test('refuses a header that declares more than the file can hold, or than memory should', async () => {
    expect(await lineOfImages(gzipSync(idxFile([3, 5000, 5000], ramp(8))))).toContain(
      'declares 75000016 bytes, more than',
    );
    expect(await lineOfImages(gzipSync(idxFile([3, 50000, 50000], ramp(8))))).toContain(
      'declares 7500000016 bytes; expected at most 2147483647',
    );
    expect(await lineOfImages(gzipSync(images.subarray(0, 30)))).toContain('the file is cut short');
  });
});

describe('mnist', () => {
  test.each([
    ['train', 60_000, [5, 0, 4, 1, 9]],
    ['test', 10_000, [7, 2, 1, 0, 4]],
  ] as const)('has the %s split', async (split, count, first) => {
    const dataset = await mnist(split);
    expect(dataset).toMatchObject({
      name: `mnist ${split}`,
      count,
      shape: [28, 28],
      classes: 10,
      scale: 1 / 255,
    });
    expect(dataset.inputs.length).toBe(count * 784);
    expect([...dataset.labels.subarray(0, 5)]).toEqual(first);
  });
});

describe('openDataset', () => {
  test('opens each kind', async () => {
    await putTrain(images, labels);
    expect((await openDataset(`idx:${folder}`, 'train')).count).toBe(3);
    expect((await openDataset('mnist', 'test')).name).toBe('mnist test');
    expect((await openDataset('mnist:', 'test')).count).toBe(10_000);
  });

  test.each([
    ['cats', 'data cats: no such kind of data; expected one of mnist, idx:FOLDER, cifar10:FOLDER, '],
    ['shd:x', 'data shd:x: gives recordings of events; expected examples'],
    ['mnist?size=2', "data mnist?size=2: unknown option 'size'"],
    ['constructor:x', 'no such kind of data'],
    ['', 'no such kind of data'],
    ['idx', 'data idx: names no folder; expected idx:FOLDER'],
    ['idx:', 'names no folder'],
    [
      'mnist:digits',
      'data mnist:digits: mnist takes no path; write mnist, or idx:digits for files of your own',
    ],
  ])('refuses %j', async (spec, line) => {
    expect(await lineOf(() => openDataset(spec, 'train'))).toContain(line);
  });
});

describe('checkDataset', () => {
  test('gives a dataset that fits', () => {
    expect(checkDataset(tiny)).toBe(tiny);
  });

  test.each<[Partial<Dataset>, string]>([
    [{ count: 0 }, 'data tiny: count is 0'],
    [{ shape: [2, 0.5] }, 'shape is [2, 0.5]'],
    [{ inputs: new Uint8Array(7) }, 'inputs holds 7 bytes; expected 3 examples × 2 bytes'],
    [{ scale: Number.NaN }, 'scale is NaN'],
    [{ labels: new Uint8Array(2) }, 'labels holds 2; expected one per example, 3'],
    [{ classes: 257 }, 'classes is 257'],
    [{ classNames: ['a'] }, 'classNames holds 1; expected one per class, 3'],
    [{ labels: Uint8Array.of(0, 3, 1) }, 'label of example 1 is 3; expected below 3'],
  ])('refuses %j', async (change, line) => {
    expect(await lineOf(() => checkDataset({ ...tiny, ...change }))).toContain(line);
  });
});

describe('firstExamples', () => {
  test('takes a prefix that still fits', () => {
    const two = checkDataset(firstExamples(tiny, 2));
    expect([...two.inputs]).toEqual([0, 255, 10, 20]);
    expect([...two.labels]).toEqual([1, 0]);
    expect(firstExamples(tiny, 100)).toEqual(tiny);
  });

  test.each([0, -1, 1.5, Number.NaN])('refuses %d examples', async (count) => {
    expect(await lineOf(() => firstExamples(tiny, count))).toContain('expected a whole number above 0');
  });
});

describe('shuffledOrder', () => {
  test('names every example once, in an order that the seed decides', () => {
    const inOrder = Array.from({ length: 1000 }, (_, index) => index);
    expect(orderOf(1).sort((a, b) => a - b)).toEqual(inOrder);
    expect(orderOf(1)).toEqual(orderOf(1));
    expect(orderOf(1)).not.toEqual(orderOf(2));
    expect(orderOf(1)).not.toEqual(inOrder);
    expect([...shuffledOrder(0, Random.fromSeed(1))]).toEqual([]);
  });

  test('makes all six orders of three about equally often', () => {
    const random = Random.fromSeed(1);
    const seen = new Map<string, number>();
    for (let draw = 0; draw < 6000; draw++) {
      const order = shuffledOrder(3, random).join('');
      seen.set(order, (seen.get(order) ?? 0) + 1);
    }
    expect(seen.size).toBe(6);
    // 1000 expected; five standard deviations are 144.
    for (const times of seen.values()) expect(Math.abs(times - 1000)).toBeLessThan(144);
  });
});
