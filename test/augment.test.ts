import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../schemas/random.ts';
import {
  augment,
  augmentations,
  augmentationSchema,
  type AugmentationSpec,
  checkAugmentations,
  type EventList,
} from '../train/data/augment/index.ts';
import { lineOf } from './support/error-line.ts';

const { crop, flip, shift, channelShift, drop, timeJitter, timeShift, timeStretch, timeMask } = augmentations;

/** A random source whose next numbers are known, and which counts what is taken of it. */
function scripted(uniforms: readonly number[], integers: readonly number[] = []): Random {
  const [left, below] = [[...uniforms], [...integers]];
  return {
    nextUniform: () => left.shift()!,
    nextUint32: () => Math.floor(left.shift()! * 2 ** 32),
    nextBelow: (limit: number) => {
      expect(below[0]).toBeLessThan(limit);
      return below.shift()!;
    },
  } as Random;
}

function varied(
  spec: AugmentationSpec,
  values: readonly number[],
  shape: number[],
  random: Random,
): number[] {
  const images = Float32Array.from(values);
  augment([spec], 'images', images, shape, random);
  return [...images];
}

const listOf = (events: readonly (readonly [number, number])[]): EventList => ({
  times: Float32Array.from(events, ([time]) => time),
  channels: Uint16Array.from(events, ([, channel]) => channel),
  count: events.length,
});

const eventsOf = ({ times, channels, count }: EventList): [number, number][] =>
  Array.from({ length: count }, (_, event) => [times[event]!, channels[event]!]);

function variedEvents(
  specs: AugmentationSpec | AugmentationSpec[],
  events: readonly (readonly [number, number])[],
  shape: number[],
  random: Random,
): [number, number][] {
  const list = listOf(events);
  augment([specs].flat(), 'events', list, shape, random);
  return eventsOf(list);
}

/** How many events each of 24 pixels has. */
function imageOf(events: readonly (readonly [number, number])[]): number[] {
  const values = Array.from({ length: 24 }, () => 0);
  for (const [, channel] of events) values[channel]!++;
  return values;
}

describe('images', () => {
  // 1 2 3
  // 4 5 6
  const image = [1, 2, 3, 4, 5, 6];

  it('are cropped out of what was added around them', () => {
    // Two more than no move: from two rows above and one column to the left.
    const spec = crop({ padding: 2 });
    expect(varied(spec, image, [2, 3], scripted([], [1, 1]))).toEqual([0, 0, 0, 0, 1, 2]);
    expect(varied(spec, image, [2, 3], scripted([], [2, 4]))).toEqual([3, 0, 0, 6, 0, 0]);
    expect(varied(spec, image, [2, 3], scripted([], [2, 2]))).toEqual(image);
  });

  it('go on at their edges as asked', () => {
    const of = (fill: 'edge' | 'reflect', top: number, left: number) =>
      varied(crop({ padding: 3, fill }), image, [2, 3], scripted([], [top + 3, left + 3]));
    expect(of('edge', -1, 0)).toEqual([1, 2, 3, 1, 2, 3]);
    expect(of('edge', 0, 2)).toEqual([3, 3, 3, 6, 6, 6]);
    expect(of('reflect', 0, -2)).toEqual([3, 2, 1, 6, 5, 4]);
    expect(of('reflect', 0, 3)).toEqual([2, 1, 2, 5, 4, 5]);
    expect(of('reflect', -1, 0)).toEqual([4, 5, 6, 1, 2, 3]);
    // A mirror in front of a mirror.
    expect(of('reflect', 3, 0)).toEqual([4, 5, 6, 1, 2, 3]);
    expect(varied(crop({ padding: 1, fill: 'reflect' }), [1, 2], [1, 2], scripted([], [0, 1]))).toEqual([
      1, 2,
    ]);
  });

  it('are flipped, left for right, as often as asked', () => {
    const spec = flip({ probability: 0.25 });
    expect(varied(spec, image, [2, 3], scripted([0.2499]))).toEqual([3, 2, 1, 6, 5, 4]);
    expect(varied(spec, image, [2, 3], scripted([0.25]))).toEqual(image);
    expect(varied(flip(), image, [1, 3, 2], scripted([0]))).toEqual([5, 6, 3, 4, 1, 2]);
    expect(varied(flip({ channels: 'first' }), image, [2, 1, 3], scripted([0]))).toEqual([3, 2, 1, 6, 5, 4]);
  });

  it('are shifted', () => {
    const spec = shift({ most: 1 });
    expect(varied(spec, image, [2, 3], scripted([], [2, 0]))).toEqual([0, 0, 0, 2, 3, 0]);
    expect(varied(spec, image, [1, 3, 2], scripted([], [1, 2]))).toEqual([0, 0, 1, 2, 3, 4]);
    const planes = shift({ most: 1, channels: 'first' });
    expect(varied(planes, image, [2, 1, 3], scripted([], [1, 2]))).toEqual([0, 1, 2, 0, 4, 5]);
  });

  it('are all varied alike where they make up a sequence', () => {
    const twice = [...image, ...image.map((value) => value + 10)];
    for (const spec of [crop({ padding: 1 }), flip(), shift({ most: 1 })]) {
      for (let seed = 0; seed < 8; seed++) {
        const both = varied(spec, twice, [2, 3], Random.fromSeed(seed));
        const one = varied(spec, image, [2, 3], Random.fromSeed(seed));
        expect(both).toEqual([...one, ...one.map((value) => (value === 0 ? 0 : value + 10))]);
      }
    }
  });

  it('move as far as asked, and every distance comes', () => {
    for (const spec of [crop({ padding: 2 }), shift({ most: 2 })]) {
      const places = new Set<number>();
      for (let seed = 0; seed < 400; seed++) {
        const point = Array.from({ length: 49 }, (_, at) => Number(at === 24));
        places.add(varied(spec, point, [7, 7], Random.fromSeed(seed)).indexOf(1));
      }
      const expected = [1, 2, 3, 4, 5].flatMap((row) => [1, 2, 3, 4, 5].map((column) => row * 7 + column));
      expect([...places].sort((a, b) => a - b)).toEqual(expected);
    }
  });
});

describe('events', () => {
  const four = [
    [0, 0],
    [0.25, 2],
    [0.5, 2],
    [1, 3],
  ] as const;

  it('are moved in time together', () => {
    const spec = timeShift({ most: 0.5 });
    expect(variedEvents(spec, four, [4], scripted([0])).map(([time]) => time)).toEqual([-0.5, -0.25, 0, 0.5]);
    expect(variedEvents(spec, four, [4], scripted([0.75])).map(([time]) => time)).toEqual([
      0.25, 0.5, 0.75, 1.25,
    ]);
  });

  it('are stretched in time', () => {
    const spec = timeStretch({ from: 0.5, to: 1.5 });
    expect(variedEvents(spec, four, [4], scripted([0])).map(([time]) => time)).toEqual([0, 0.125, 0.25, 0.5]);
    expect(variedEvents(spec, four, [4], scripted([0.5]))).toEqual(four);
  });

  it('are silenced in a span that lies within the recording', () => {
    const spec = timeMask({ longest: 0.5 });
    // Length 0.25, start 0.25: 0.25 is within, 0.5 is not.
    expect(variedEvents(spec, four, [4], scripted([0.5, 1 / 3]))).toEqual([four[0], four[2], four[3]]);
    // Longer than the recording: the whole of it but its last event, which is the end.
    expect(variedEvents(timeMask({ longest: 8 }), four, [4], scripted([0.125, 0.5]))).toEqual([four[3]]);
  });

  it('are moved by channels; what leaves is dropped', () => {
    const spec = channelShift({ most: 2 });
    expect(variedEvents(spec, four, [4], scripted([], [3]))).toEqual([
      [0, 1],
      [0.25, 3],
      [0.5, 3],
    ]);
    expect(variedEvents(spec, four, [4], scripted([], [0]))).toEqual([
      [0.25, 0],
      [0.5, 0],
      [1, 1],
    ]);
  });

  it('are moved and flipped as pixels; what leaves is dropped', () => {
    // Of [2, 2, 3]: on (1, 0, 2), off (0, 1, 0), on (1, 1, 1).
    const pixels = [
      [0, 8],
      [1, 3],
      [2, 10],
    ] as const;
    expect(variedEvents(flip({ probability: 1 }), pixels, [2, 2, 3], scripted([0.5]))).toEqual([
      [0, 6],
      [1, 5],
      [2, 10],
    ]);
    const spec = shift({ most: 1 });
    expect(variedEvents(spec, pixels, [2, 2, 3], scripted([], [2, 1]))).toEqual([[0, 11]]);
    expect(variedEvents(spec, pixels, [2, 2, 3], scripted([], [1, 2]))).toEqual([
      [1, 4],
      [2, 11],
    ]);
    expect(variedEvents(spec, pixels, [2, 2, 3], scripted([], [0, 0]))).toEqual([[2, 6]]);
  });

  it('move as images of them would', () => {
    const pixel = fc.tuple(fc.constant(0), fc.integer({ min: 0, max: 23 }));
    fc.assert(
      fc.property(fc.array(pixel), fc.nat(500), fc.boolean(), (pixels, seed, moves) => {
        const spec = moves ? shift({ most: 3, channels: 'first' }) : flip({ channels: 'first' });
        const moved = variedEvents(spec, pixels, [2, 3, 4], Random.fromSeed(seed));
        expect(imageOf(moved)).toEqual(varied(spec, imageOf(pixels), [2, 3, 4], Random.fromSeed(seed)));
      }),
      { seed: 1 },
    );
  });

  const many = Array.from({ length: 20_000 }, (_, event): [number, number] => [event, event % 50]);

  it('are jittered by normal numbers, and none is lost', () => {
    const moved = variedEvents(timeJitter({ sd: 0.25 }), many, [50], Random.fromSeed(3));
    expect(moved.map(([, channel]) => channel)).toEqual(many.map(([, channel]) => channel));
    // Times of whole numbers up to 20,000 lose less than 0.001 as floats.
    const parts = moved.map(([time], event) => (time - event) / 0.25);
    const meanOf = (power: number) => parts.reduce((sum, part) => sum + part ** power, 0) / parts.length;
    // Moments of a standard normal number, within four of their standard errors.
    const errors = [1, 2, 15, 96].map((variance) => 4 * Math.sqrt(variance / parts.length));
    [0, 1, 0, 3].forEach((moment, power) => {
      expect(Math.abs(meanOf(power + 1) - moment)).toBeLessThan(errors[power]!);
    });
    const odd = variedEvents(timeJitter({ sd: 1 }), four.slice(0, 3), [4], Random.fromSeed(3));
    expect(odd.every(([time], event) => time !== four[event]![0])).toBe(true);
  });

  it('are dropped as often as asked, each by itself', () => {
    const left = variedEvents(drop({ probability: 0.3 }), many, [50], Random.fromSeed(3));
    const error = Math.sqrt(0.3 * 0.7 * many.length);
    expect(Math.abs(left.length - 0.7 * many.length)).toBeLessThan(4 * error);
    const kept = new Set(left.map(([time]) => time));
    const pairs = many.filter(([time]) => !kept.has(time) && !kept.has(time + 1)).length;
    expect(Math.abs(pairs - 0.09 * many.length)).toBeLessThan(4 * Math.sqrt(0.2 * many.length));
  });

  const recording = fc.array(
    fc.tuple(fc.float({ min: 0, max: 2, noNaN: true }), fc.integer({ min: 0, max: 11 })),
    { maxLength: 50 },
  );

  it('stay within their shape, keep their order where times do, and are never more', () => {
    const specs = fc.array(
      fc.constantFrom<AugmentationSpec>(
        channelShift({ most: 4 }),
        drop({ probability: 0.2 }),
        timeJitter({ sd: 0.1 }),
        timeShift({ most: 0.3 }),
        timeStretch({ from: 0.8, to: 1.2 }),
        timeMask({ longest: 0.5 }),
      ),
    );
    fc.assert(
      fc.property(recording, specs, fc.nat(1000), (events, specs, seed) => {
        const sorted = events.toSorted(([one], [other]) => one - other);
        const found = variedEvents(specs, sorted, [12], Random.fromSeed(seed));
        const keepsAll = !specs.some(({ kind }) => ['channelShift', 'drop', 'timeMask'].includes(kind));
        expect(found.length).toBeLessThanOrEqual(events.length);
        expect(found.length).toBeGreaterThanOrEqual(keepsAll ? events.length : 0);
        expect(found.every(([time, channel]) => Number.isFinite(time) && channel >= 0 && channel < 12)).toBe(
          true,
        );
        const times = found.map(([time]) => time);
        const inOrder = times.toSorted((one, other) => one - other);
        const isJittered = specs.some(({ kind }) => kind === 'timeJitter');
        expect(isJittered ? inOrder : times).toEqual(inOrder);
        expect(variedEvents(specs, sorted, [12], Random.fromSeed(seed))).toEqual(found);
      }),
      { seed: 1 },
    );
  });

  it('are varied in the order given', () => {
    const [later, faster] = [timeShift({ most: 1 }), timeStretch({ from: 0.5, to: 1 })];
    expect(variedEvents([later, faster], [[1, 0]], [1], scripted([0.75, 0]))).toEqual([[0.75, 0]]);
    expect(variedEvents([faster, later], [[1, 0]], [1], scripted([0, 0.75]))).toEqual([[1, 0]]);
  });
});

describe('augmentations', () => {
  const specs: AugmentationSpec[] = [
    crop({ padding: 1 }),
    flip(),
    shift({ most: 1 }),
    channelShift({ most: 1 }),
    drop({ probability: 0.1 }),
    timeJitter({ sd: 1 }),
    timeShift({ most: 1 }),
    timeStretch({ from: 1, to: 2 }),
    timeMask({ longest: 1 }),
  ];

  it('are plain data that the schema of all kinds takes', () => {
    expect(specs.map(({ kind }) => kind)).toEqual(Object.keys(augmentations));
    for (const spec of specs)
      expect(augmentationSchema.parse(JSON.parse(JSON.stringify(spec)))).toEqual(spec);
    expect(specs.map(({ kind }) => augmentations[kind].augmentation.kind)).toEqual(
      Object.keys(augmentations),
    );
  });

  it.each([
    [() => drop({ probability: 1 }), 'probability'],
    [() => crop({ padding: 1.5 }), 'padding'],
    [() => timeStretch({ from: 1 } as never), 'to'],
    [
      () => checkAugmentations([flip(), drop({ probability: 0.1 })], 'images', [4, 4], 'digits'),
      'augment 1 (drop): does not vary images, which digits holds; crop, flip, shift do',
    ],
    [
      () => checkAugmentations([crop({ padding: 1 })], 'events', [4, 4], 'gestures'),
      'augment 0 (crop): does not vary events, which gestures holds; flip, shift, channelShift,',
    ],
    [
      () => checkAugmentations([flip()], 'images', [4], 'sounds'),
      'expected images of shape [rows, columns], with channels or without, those of sounds are [4]',
    ],
    [
      () => checkAugmentations([channelShift({ most: 1 })], 'events', [2, 4, 4], 'gestures'),
      'shape [channels]',
    ],
  ])('that do not fit are refused: %#', async (attempt, expected) => {
    expect(await lineOf(attempt)).toContain(expected);
  });
});
