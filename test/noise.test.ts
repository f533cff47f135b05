import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { UserError } from '../schemas/errors.ts';
import { Random } from '../schemas/random.ts';
import { type NoiseState, NoiseSource } from '../train/noise/noise-source.ts';
import { chiSquare } from './support/numbers.ts';

const COUNT = 1 << 23;

const drawn = (source: NoiseSource, count: number): Float32Array => {
  const into = new Float32Array(count);
  source.fillGaussian(into);
  return into;
};

const noise = drawn(NoiseSource.fromSeed(1, 'moments'), COUNT);

/** How many standard errors the sample's mean of `statistic` lies from what it should be. */
const standardErrors = (
  statistic: (value: number, index: number) => number,
  expected: number,
  deviation: number,
  count = COUNT,
): number => {
  let sum = 0;
  for (let index = 0; index < count; index++) sum += statistic(noise[index]!, index);
  return Math.abs(sum / count - expected) / (deviation / Math.sqrt(count));
};

/** The method of Box and Muller in double precision, each number with the radius that its error counts against. */
const reference = (seed: number, stream: string, count: number): { value: number; radius: number }[] => {
  const lanes = Array.from({ length: 4 }, (_, lane) => Random.fromSeed(seed, `${stream} ${lane}`));
  return Array.from({ length: count / 8 }, () => {
    const pairs = lanes.map((lane) => {
      const first = lane.nextUint32();
      const uniform = Math.fround(Math.fround(first >>> 1) + 0.5) / 2 ** 31;
      const radius = Math.sqrt(-2 * Math.log(uniform));
      const angle = (Math.fround(lane.nextUint32() | 0) / 2 ** 31) * (Math.PI / 2);
      const sign = first % 2 === 0 ? 1 : -1;
      return { radius, cosine: sign * radius * Math.cos(angle), sine: radius * Math.sin(angle) };
    });
    return [
      ...pairs.map(({ radius, cosine }) => ({ radius, value: cosine })),
      ...pairs.map(({ radius, sine }) => ({ radius, value: sine })),
    ];
  }).flat();
};

describe('the kernel', () => {
  it.each([1, 2])('computes what double precision does, from seed %d', (seed) => {
    const expected = reference(seed, 'noise', 400_000);
    const actual = drawn(NoiseSource.fromSeed(seed, 'noise'), expected.length);
    const worst = expected.reduce(
      (worst, { value, radius }, index) => Math.max(worst, Math.abs(actual[index]! - value) / radius),
      0,
    );
    expect(worst).toBeLessThan(5e-7);
  });

  it('has the same bits on every machine', () => {
    const sample = drawn(NoiseSource.fromSeed(1, 'noise'), 1_000_000);
    const digest = createHash('sha256').update(new Uint8Array(sample.buffer)).digest('hex');
    expect(digest).toBe('4443162441d5ecc22f8bc1ce59922e9296523adaad93053cd08e9778aabd243c');
  });

  it('stays finite for the least and the greatest draw', () => {
    const state: NoiseState = [
      [1, 0, 0, 0],
      [1, 0x831c71c7, 0, 0],
      [1, 1, 0, 0],
      [1, 2, 0, 0],
    ];
    expect(Random.restore(state[0]).nextUint32()).toBe(0);
    expect(Random.restore(state[1]).nextUint32()).toBe(0xffff_ffff);
    const numbers = drawn(NoiseSource.restore(state), 8);
    expect(Math.hypot(numbers[0]!, numbers[4]!)).toBeCloseTo(Math.sqrt(64 * Math.LN2), 5);
    expect(Math.hypot(numbers[1]!, numbers[5]!)).toBe(0);
  });
});

describe('seeds and states', () => {
  it('give other numbers for another seed and another stream', () => {
    const starts = [
      [1, 'noise'],
      [2, 'noise'],
      [1, 'other'],
    ] as const;
    const numbers = starts.flatMap(([seed, stream]) =>
      Array.from(drawn(NoiseSource.fromSeed(seed, stream), 64)),
    );
    expect(new Set(numbers).size).toBe(3 * 64);
  });

  it('resume exactly, through JSON', () => {
    const source = NoiseSource.fromSeed(3, 'noise');
    drawn(source, 20_001);
    const copy = NoiseSource.restore(JSON.parse(JSON.stringify(source.save())) as NoiseState);
    expect(copy.save()).toEqual(source.save());
    expect(drawn(copy, 1001)).toEqual(drawn(source, 1001));
    expect(copy.save()).toEqual(source.save());
  });

  it.each([-1, 0.5, 2 ** 53])('refuse the seed %d', (seed) => {
    expect(() => NoiseSource.fromSeed(seed, 'noise')).toThrow(UserError);
  });

  const sound = [1, 2, 3, 4];
  it.each([
    [null],
    [[1, 2, 3, 4]],
    [[sound, sound, sound]],
    [[sound, sound, sound, sound, sound]],
    [[sound, sound, sound, [0, 0, 0, 0]]],
    [[sound, sound, [1, 2, 3], sound]],
    [[sound, [1, 2, 3, 2 ** 32], sound, sound]],
    [[[1, 2, 3, -1], sound, sound, sound]],
  ])('refuse the state %j', (state) => {
    expect(() => NoiseSource.restore(state as unknown as NoiseState)).toThrow(UserError);
  });
});

describe('lengths', () => {
  it('of whole eights do not notice how they are cut', () => {
    const pieces = NoiseSource.fromSeed(4, 'noise');
    const lengths = [8, 24, 8192, 8200, 40, 16_384, 11];
    const cut = lengths.flatMap((length) => Array.from(drawn(pieces, length)));
    const whole = NoiseSource.fromSeed(4, 'noise');
    expect(cut).toEqual([...drawn(whole, cut.length)]);
    expect(pieces.save()).toEqual(whole.save());
  });

  it('of other numbers throw away the rest of their last eight', () => {
    const whole = drawn(NoiseSource.fromSeed(5, 'noise'), 32);
    const source = NoiseSource.fromSeed(5, 'noise');
    expect(drawn(source, 3)).toEqual(whole.slice(0, 3));
    expect(drawn(source, 0)).toEqual(whole.slice(0, 0));
    expect(drawn(source, 9)).toEqual(whole.slice(8, 17));
    expect(drawn(source, 8)).toEqual(whole.slice(24, 32));
  });
});

describe('the numbers', () => {
  it('have the moments 0, 1, 0, 3', () => {
    expect(standardErrors((x) => x, 0, 1)).toBeLessThan(4);
    expect(standardErrors((x) => x * x, 1, Math.sqrt(2))).toBeLessThan(4);
    expect(standardErrors((x) => x * x * x, 0, Math.sqrt(15))).toBeLessThan(4);
    expect(standardErrors((x) => x * x * x * x, 3, Math.sqrt(96))).toBeLessThan(4);
  });

  it.each([
    [3, 0.0026997960632601913],
    [3.5, 0.0004652581580710501],
    [4, 0.00006334248366623993],
    [4.5, 0.000006795346249460121],
  ])('lie beyond ±%d as often as they should', (bound, probability) => {
    const deviation = Math.sqrt(probability * (1 - probability));
    expect(standardErrors((x) => Number(Math.abs(x) > bound), probability, deviation)).toBeLessThan(4);
  });

  it.each([
    ['every', () => true],
    ['the cosines', (index: number) => index % 8 < 4],
    ['the sines', (index: number) => index % 8 >= 4],
    ['the first lane', (index: number) => index % 4 === 0],
  ] as const)('fill 512 bins as the density says: %s', (_, chosen) => {
    const bins = new Float64Array(514);
    let count = 0;
    for (let index = 0; index < COUNT; index++) {
      if (!chosen(index)) continue;
      count++;
      bins[Math.min(Math.max(Math.floor(noise[index]! * 64) + 257, 0), 513)]!++;
    }
    const cumulative = cumulativeNormal(-4, 1 / 64, 512);
    const expected = bins.map((_, bin) => ((cumulative[bin] ?? 1) - (cumulative[bin - 1] ?? 0)) * count);
    expect(chiSquare(bins, expected)).toBeLessThan(513 + 4 * Math.sqrt(2 * 513));
  });

  it('have signs independent of magnitudes', () => {
    expect(standardErrors((x) => Math.sign(x), 0, 1)).toBeLessThan(4);
    const mean = Math.sqrt(2 / Math.PI);
    const deviation = Math.sqrt(1 - mean ** 2);
    expect(standardErrors((x) => Math.sign(x) * (Math.abs(x) - mean), 0, deviation)).toBeLessThan(4);
  });

  // 1, 2 and 3 apart are the lanes, 4 apart the two of a pair, 8 apart the rounds.
  it.each([1, 2, 3, 4, 5, 7, 8, 12, 16, 784])('are independent of the number %d later', (lag) => {
    const later = (index: number) => noise[index + lag]!;
    const count = COUNT - lag;
    expect(standardErrors((x, index) => x * later(index), 0, 1, count)).toBeLessThan(4);
    expect(standardErrors((x, index) => (x * x - 1) * (later(index) ** 2 - 1), 0, 2, count)).toBeLessThan(4);
    expect(standardErrors((x, index) => x * (later(index) ** 2 - 1), 0, Math.SQRT2, count)).toBeLessThan(4);
  });

  it('are independent of the other of their pair, and make pairs of every angle', () => {
    const bins = new Float64Array(64);
    let products = 0;
    for (let round = 0; round < COUNT; round += 8) {
      for (let lane = round; lane < round + 4; lane++) {
        products += noise[lane]! * noise[lane + 4]!;
        bins[Math.floor((Math.atan2(noise[lane + 4]!, noise[lane]!) / Math.PI + 1) * 32) % 64]!++;
      }
    }
    expect(Math.abs(products) / Math.sqrt(COUNT / 2)).toBeLessThan(4);
    expect(
      chiSquare(
        bins,
        bins.map(() => COUNT / 128),
      ),
    ).toBeLessThan(63 + 4 * Math.sqrt(2 * 63));
  });
});

const density = (x: number) => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);

/** Φ at start, start + step, … (count + 1 numbers), by Simpson's rule on the density from −12. */
const cumulativeNormal = (start: number, step: number, count: number): number[] => {
  const strip = (x: number) => (step / 6) * (density(x) + 4 * density(x + step / 2) + density(x + step));
  let sum = 0;
  for (let x = -12; x < start; x += step) sum += strip(x);
  return Array.from({ length: count + 1 }, (_, index) => {
    const here = sum;
    sum += strip(start + index * step);
    return here;
  });
};
