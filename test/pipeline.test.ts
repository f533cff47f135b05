import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { encode, timeFrames } from '../schemas/encoders/index.ts';
import { UserError } from '../schemas/errors.ts';
import { Random } from '../schemas/random.ts';
import { augment, type AugmentationSpec } from '../train/data/augment/index.ts';
import { shuffledOrder } from '../train/data/index.ts';
import {
  batchFiller,
  type BatchOptions,
  type BatchPlan,
  type BatchSource,
  openBatches,
  planBatches,
} from '../train/data/pipeline/index.ts';
import { WorkerBatches } from '../train/data/pipeline/worker-batches.ts';
import type { Recordings } from '../train/data/recordings.ts';
import type { RegressionDataset, TrainingData } from '../train/data/regression.ts';
import type { Dataset } from '../train/index.ts';
import { patternData } from './support/data.ts';
import { lineOf } from './support/error-line.ts';

const open: BatchSource[] = [];

const opened = <Source extends BatchSource>(source: Source): Source => {
  open.push(source);
  return source;
};

afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(open.splice(0).map((source) => source.close()));
});

/** Recordings of up to 40 events on 6 channels, one of them empty. */
function recordings(count: number): Recordings {
  const random = Random.fromSeed(2, 'recordings');
  const lengths = Array.from({ length: count }, (_, index) => (index === 3 ? 0 : 1 + random.nextBelow(40)));
  const offsets = new Uint32Array(count + 1);
  lengths.forEach((length, index) => {
    offsets[index + 1] = offsets[index]! + length;
  });
  return {
    name: 'sounds',
    times: Float32Array.from(
      lengths.flatMap((length) => Array.from({ length }, () => random.nextUniform()).sort((a, b) => a - b)),
    ),
    channels: Uint16Array.from({ length: offsets[count]! }, () => random.nextBelow(6)),
    shape: [6],
    offsets,
    labels: Uint8Array.from({ length: count }, () => random.nextBelow(3)),
    count,
    classes: 3,
    classNames: ['a', 'b', 'c'],
    properties: { speaker: new Uint8Array(count) },
  };
}

const sounds = recordings(23);
const images = patternData(50);

/** 12 examples of 3 steps of [2], whose bytes say where they stand. */
const sequences: Dataset = {
  name: 'sequences',
  inputs: Uint8Array.from({ length: 72 }, (_, place) => place),
  steps: 3,
  shape: [2],
  scale: 0.5,
  labels: Uint8Array.from({ length: 12 }, (_, example) => example % 4),
  count: 12,
  classes: 4,
  classNames: ['a', 'b', 'c', 'd'],
};

interface Batch {
  readonly inputs: number[];
  readonly targets: number[];
}

async function batchOf(source: BatchSource, epoch: number, index: number, rows: number): Promise<Batch> {
  const size = source.shape.reduce((product, axis) => product * axis, 1);
  // Whatever was there before must not matter.
  const inputs = new Float32Array(source.steps * rows * size).fill(7);
  const targets = new Float32Array(rows * source.classes).fill(7);
  await source.fill(epoch, index, inputs, targets);
  return { inputs: [...inputs], targets: [...targets] };
}

const orderOf = (count: number, epoch: number, seed: number): Uint32Array =>
  shuffledOrder(count, Random.fromSeed(seed, `order ${epoch}`));

describe('a batch', () => {
  it('holds images in the order of the epoch, each byte × scale, and their classes', async () => {
    const source = opened(openBatches(images, { batchSize: 8, seed: 5 }));
    expect(source).toMatchObject({ steps: 1, shape: [4, 4], classes: 4, count: 50, batches: 7 });
    for (const [epoch, index] of [
      [0, 0],
      [2, 5],
    ] as const) {
      const examples = [...orderOf(50, epoch, 5).subarray(index * 8, index * 8 + 8)];
      expect(await batchOf(source, epoch, index, 8)).toEqual({
        inputs: examples.flatMap((example) =>
          Array.from(images.inputs.subarray(example * 16, example * 16 + 16), (byte) =>
            Math.fround(byte / 255),
          ),
        ),
        targets: examples.flatMap((example) =>
          [0, 1, 2, 3].map((label) => Number(label === images.labels[example])),
        ),
      });
    }
  });

  it('holds all rows of the first step before those of the second', async () => {
    const source = opened(openBatches(sequences, { batchSize: 2, seed: 1, shuffle: false }));
    expect(source.steps).toBe(3);
    const { inputs } = await batchOf(source, 0, 1, 2);
    // Examples 2 and 3 begin at bytes 12 and 18.
    expect(inputs.map((value) => value * 2)).toEqual([12, 13, 18, 19, 14, 15, 20, 21, 16, 17, 22, 23]);
  });

  it('holds its examples several times over, where asked to', async () => {
    const source = opened(openBatches(sequences, { batchSize: 2, seed: 1, shuffle: false, copies: 2 }));
    const { inputs, targets } = await batchOf(source, 0, 1, 4);
    expect(inputs.map((value) => value * 2)).toEqual(
      [
        [12, 13, 18, 19],
        [14, 15, 20, 21],
        [16, 17, 22, 23],
      ]
        .flatMap((step) => [step, step])
        .flat(),
    );
    expect(targets).toEqual([0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1]);
  });

  it.each([0, 2])(
    'is smaller at the end of an epoch, and filled up with its own, with %i workers',
    async (workers) => {
      const settings = { batchSize: 5, seed: 1, shuffle: false, copies: 2, workers } as const;
      const source = opened(openBatches(sequences, settings));
      expect([source.batches, ...[0, 1, 2].map((index) => source.examplesIn(index))]).toEqual([3, 5, 5, 2]);
      const { inputs, targets } = await batchOf(source, 0, 2, 10);
      // Examples 10 and 11 begin at bytes 60 and 66.
      const rows = [0, 1, 0, 1, 0, 0, 1, 0, 1, 0];
      expect(inputs.map((value) => value * 2)).toEqual(
        [0, 2, 4].flatMap((step) => rows.flatMap((row) => [60 + 6 * row + step, 61 + 6 * row + step])),
      );
      expect(targets).toEqual(rows.flatMap((row) => (row === 0 ? [0, 0, 1, 0] : [0, 0, 0, 1])));
    },
  );

  it('is left out where it would be smaller, where asked to', async () => {
    const source = opened(openBatches(sequences, { batchSize: 5, seed: 1, dropLast: true }));
    expect([source.batches, source.examplesIn(1)]).toEqual([2, 5]);
    await expect(batchOf(source, 0, 2, 5)).rejects.toThrow('an epoch has 2');
  });

  it('smooths labels, where asked to', async () => {
    const source = opened(openBatches(sequences, { batchSize: 1, seed: 1, shuffle: false, smoothing: 0.5 }));
    expect((await batchOf(source, 0, 2, 1)).targets).toEqual([0.125, 0.125, 0.625, 0.125]);
  });

  it('holds the numbers of a regression', async () => {
    const data: RegressionDataset = {
      name: 'curves',
      inputs: Float32Array.of(1, -2, 3, 0.5),
      shape: [2],
      scale: 2,
      targets: Float32Array.of(0.25, -9),
      outputs: 1,
      count: 2,
    };
    const source = opened(openBatches(data, { batchSize: 2, seed: 1, shuffle: false, workers: 1 }));
    expect(await batchOf(source, 0, 0, 2)).toEqual({ inputs: [2, -4, 6, 1], targets: [0.25, -9] });
  });

  it('holds frames of events', async () => {
    const encoder = timeFrames({ steps: 4, duration: 0.75 });
    const source = opened(openBatches(sounds, { batchSize: 5, seed: 5, encoder }));
    expect(source).toMatchObject({ steps: 4, shape: [6], classes: 3, count: 23, batches: 5 });
    const examples = orderOf(23, 1, 5);
    const expected = new Float32Array(4 * 5 * 6);
    for (let row = 0; row < 5; row++) {
      const example = examples[2 * 5 + row]!;
      for (let event = sounds.offsets[example]!; event < sounds.offsets[example + 1]!; event++) {
        const step = Math.floor(sounds.times[event]! / (0.75 / 4));
        if (step < 4) expected[(step * 5 + row) * 6 + sounds.channels[event]!]!++;
      }
    }
    expect((await batchOf(source, 1, 2, 5)).inputs).toEqual([...expected]);
  });

  it('varies and encodes each example from its own streams, anew in every epoch', async () => {
    const encoder = { kind: 'rate', steps: 3, maximum: 0.5 } as const;
    const augmentations: AugmentationSpec[] = [{ kind: 'shift', most: 2, channels: 'last' }];
    const source = opened(openBatches(images, { batchSize: 4, seed: 9, encoder, augment: augmentations }));
    const found = await batchOf(source, 3, 1, 4);
    orderOf(50, 3, 9)
      .subarray(4, 8)
      .forEach((example, row) => {
        const bytes = images.inputs.subarray(example * 16, example * 16 + 16);
        const values = Float32Array.from(bytes, (byte) => byte / 255);
        augment(augmentations, 'images', values, [4, 4], Random.fromSeed(9, `augment 3 ${example}`));
        const encoded = encode(
          encoder,
          { values, steps: 1, shape: [4, 4] },
          Random.fromSeed(9, `encode 3 ${example}`),
        );
        for (let step = 0; step < 3; step++) {
          const start = (step * 4 + row) * 16;
          expect(found.inputs.slice(start, start + 16)).toEqual([
            ...encoded.values.subarray(step * 16, step * 16 + 16),
          ]);
        }
      });
  });

  it('leaves the data as they were', async () => {
    const [bytes, times, channels] = [images.inputs.slice(), sounds.times.slice(), sounds.channels.slice()];
    const one = opened(
      openBatches(images, { batchSize: 4, seed: 1, augment: [{ kind: 'flip', probability: 1 }] }),
    );
    await batchOf(one, 0, 0, 4);
    const other = opened(
      openBatches(sounds, {
        batchSize: 4,
        seed: 1,
        encoder: timeFrames({ steps: 2, duration: 1 }),
        augment: [
          { kind: 'timeJitter', sd: 1 },
          { kind: 'channelShift', most: 3 },
        ],
      }),
    );
    await batchOf(other, 0, 0, 4);
    expect([images.inputs, sounds.times, sounds.channels]).toEqual([bytes, times, channels]);
  });

  it('can be of any examples, to judge a network on', () => {
    const { plan } = planBatches(sounds, {
      batchSize: 4,
      seed: 1,
      encoder: timeFrames({ steps: 2, duration: 1 }),
    });
    const inputs = new Float32Array(2 * 2 * 6);
    batchFiller(plan).fillInputs(0, Uint32Array.of(3, 7), inputs);
    // Example 3 is empty.
    expect([...inputs.subarray(0, 6), ...inputs.subarray(12, 18)]).toEqual(
      Array.from({ length: 12 }, () => 0),
    );
    const events = sounds.offsets[8]! - sounds.offsets[7]!;
    expect(inputs.reduce((sum, value) => sum + value, 0)).toBe(events);
    expect(() => batchFiller(plan).fillInputs(0, Uint32Array.of(23), inputs)).toThrow(RangeError);
    expect(() => batchFiller(plan).fillInputs(0, Uint32Array.of(1), inputs)).toThrow(RangeError);
  });
});

const varied: readonly [string, TrainingData, BatchOptions][] = [
  [
    'images',
    images,
    {
      batchSize: 8,
      seed: 3,
      encoder: { kind: 'rate', steps: 5, maximum: 0.5 },
      augment: [
        { kind: 'crop', padding: 1, fill: 'reflect', channels: 'last' },
        { kind: 'flip', probability: 0.5, channels: 'last' },
      ],
    },
  ],
  [
    'events',
    sounds,
    {
      batchSize: 5,
      seed: 3,
      copies: 2,
      encoder: { kind: 'countFrames', steps: 4, values: 'counts' },
      augment: [
        { kind: 'timeJitter', sd: 0.05 },
        { kind: 'drop', probability: 0.2 },
      ],
    },
  ],
];

describe.each(varied)('workers on %s', (_name, data, options) => {
  const rows = options.batchSize * (options.copies ?? 1);
  const batches = openBatches(data, options).batches;

  /** Batches number first … last − 1, counted through the epochs. */
  async function walk(workers: number, first: number, last: number): Promise<Batch[]> {
    const source = opened(openBatches(data, { ...options, workers }));
    const found: Batch[] = [];
    for (let step = first; step < last; step++) {
      found.push(await batchOf(source, Math.floor(step / batches), step % batches, rows));
    }
    await source.close();
    return found;
  }

  it('give the same numbers as there are without, however many, and from the middle on', async () => {
    const last = 2 * batches + 2;
    const expected = await walk(0, 0, last);
    expect(new Set(expected.map((batch) => JSON.stringify(batch))).size).toBe(last);
    expect(await walk(1, 0, last)).toEqual(expected);
    expect(await walk(3, 0, last)).toEqual(expected);
    expect(await walk(3, batches - 1, last)).toEqual(expected.slice(batches - 1));
    expect(await walk(0, batches - 1, last)).toEqual(expected.slice(batches - 1));
  });

  it('give the same numbers in any order, and the same batch again', async () => {
    const without = opened(openBatches(data, options));
    const source = opened(openBatches(data, { ...options, workers: 2 }));
    const random = Random.fromSeed(6, 'walk');
    for (let step = 0; step < 30; step++) {
      const [epoch, index] = [random.nextBelow(3), random.nextBelow(2)];
      expect(await batchOf(source, epoch, index, rows)).toEqual(await batchOf(without, epoch, index, rows));
      expect(await batchOf(source, epoch, index, rows)).toEqual(await batchOf(without, epoch, index, rows));
    }
  });
});

describe('errors', () => {
  const { plan } = planBatches(images, { batchSize: 8, seed: 3 });
  const inputs = new Float32Array(8 * 16);
  const targets = new Float32Array(8 * 4);
  const pool = (changes: Partial<BatchPlan>, entry?: URL) =>
    opened(new WorkerBatches({ ...plan, ...changes }, batchFiller(plan), 1, entry));

  it('of a batch reach who asks for it, as they would without workers, and stay', async () => {
    const source = pool({ seed: -1 });
    expect(await lineOf(() => source.fill(0, 0, inputs, targets))).toContain('The seed is -1');
    expect(await lineOf(() => source.fill(0, 1, inputs, targets))).toContain('The seed is -1');
  });

  it('that are defects name the batch and keep their stack', async () => {
    const source = pool({ copies: 3 });
    const error = await source.fill(1, 2, inputs, targets).catch((error: unknown) => error);
    expect(error).not.toBeInstanceOf(UserError);
    expect((error as Error).message).toMatch(
      /^batches of patterns: a worker failed at batch \d of epoch 1: the batch's arrays hold 128/,
    );
    expect(((error as Error).cause as Error).stack).toContain('fill');
  });

  it('of a worker that cannot start, or ends, reach who asks', async () => {
    const broken = pool({ augment: [{ kind: 'none' }] as never, encoder: { kind: 'none' } as never });
    await expect(broken.fill(0, 0, inputs, targets)).rejects.toThrow(
      'batches of patterns: a worker failed: ',
    );
    const ends = pool({}, new URL('data:text/javascript,process.exit(3)'));
    await expect(ends.fill(0, 0, inputs, targets)).rejects.toThrow('it ended by itself, with code 3');
    const missing = pool({}, new URL('./none.js', import.meta.url));
    await expect(missing.fill(0, 0, inputs, targets)).rejects.toThrow('none.js');
  });

  it.each([0, 2])('refuse batches that there are not, with %i workers', async (workers) => {
    const source = opened(openBatches(images, { batchSize: 8, seed: 3, workers }));
    await expect(source.fill(0, 7, inputs, targets)).rejects.toThrow(
      'no batch 7 in epoch 0 of patterns: an epoch has 7',
    );
    await expect(source.fill(-1, 0, inputs, targets)).rejects.toThrow(RangeError);
    await expect(source.fill(0, 0, targets, inputs)).rejects.toThrow('hold 32 and 128; expected 128 and 32');
    await source.fill(0, 6, inputs, targets);
  });

  it('refuse a batch asked for before the last was there', async () => {
    const source = opened(openBatches(images, { batchSize: 8, seed: 3, workers: 1 }));
    const first = source.fill(0, 0, inputs, targets);
    await expect(source.fill(0, 1, inputs, targets)).rejects.toThrow('await fill');
    await first;
    await source.fill(0, 1, inputs, targets);
  });

  it.each<[TrainingData, object, string]>([
    [images, { batchSize: 51, seed: 1 }, 'patterns has 50 examples, fewer than batchSize 51'],
    [images, { batchSize: 5, seed: 1, workers: -1 }, 'workers'],
    [
      images,
      { batchSize: 5, seed: 1, encoder: { kind: 'magic' } },
      'encoder.kind: expected an encoder of one of',
    ],
    [
      images,
      { batchSize: 5, seed: 1, augment: [{ kind: 'magic' }] },
      'augment.0.kind: expected an augmentation of',
    ],
    [
      images,
      { batchSize: 5, seed: 1, encoder: { kind: 'countFrames', steps: 2 } },
      'takes events, an example of',
    ],
    [
      images,
      { batchSize: 5, seed: 1, encoder: { kind: 'delta', threshold: 1 } },
      'takes a signal of several',
    ],
    [
      sequences,
      { batchSize: 5, seed: 1, encoder: { kind: 'direct', steps: 2 } },
      'takes a signal of one step',
    ],
    [sounds, { batchSize: 5, seed: 1 }, 'sounds holds events; give an encoder'],
    [
      images,
      { batchSize: 5, seed: 1, augment: [{ kind: 'drop', probability: 0.5 }] },
      'does not vary images',
    ],
    [{ ...sounds, channels: sounds.channels.map(() => 6) }, { batchSize: 5, seed: 1 }, 'expected below 6'],
    [{ ...images, labels: images.labels.map(() => 4) }, { batchSize: 5, seed: 1 }, 'expected below 4'],
  ])('refuse what does not fit: %#', async (data, options, expected) => {
    expect(await lineOf(() => openBatches(data, options as BatchOptions))).toContain(expected);
  });
});

describe('closing', () => {
  const [inputs, targets] = [new Float32Array(8 * 16), new Float32Array(8 * 4)];

  it('ends the workers, whoever waits and however often', async () => {
    const terminate = vi.spyOn(Worker.prototype, 'terminate');
    const source = openBatches(images, { batchSize: 8, seed: 3, workers: 3 });
    await source.fill(0, 0, inputs, targets);
    const waiting = source.fill(2, 0, inputs, targets);
    await Promise.all([expect(waiting).rejects.toThrow('batches of patterns: closed'), source.close()]);
    await source.close();
    await expect(source.fill(0, 0, inputs, targets)).rejects.toThrow('closed');
    const workers = [...new Set(terminate.mock.contexts as Worker[])];
    // A thread that has ended has no number any more.
    expect(workers.map(({ threadId }) => threadId)).toEqual([-1, -1, -1]);
  });

  it('holds without workers too', async () => {
    const source = openBatches(images, { batchSize: 8, seed: 3 });
    await source.close();
    await expect(source.fill(0, 0, inputs, targets)).rejects.toThrow('closed');
  });
});
