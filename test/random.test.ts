import { createHash } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { UserError } from '../schemas/errors.ts';
import { Random, type RandomState } from '../schemas/random.ts';

const COUNT = 1 << 23;
const gaussians = new Float32Array(COUNT);
Random.fromSeed(1, 'moments').fillGaussian(gaussians);

/** How many standard errors the sample's mean of `statistic` lies from what it should be. */
const standardErrors = (
  statistic: (value: number, index: number) => number,
  expected: number,
  deviation: number,
  count = COUNT,
): number => {
  let sum = 0;
  for (let index = 0; index < count; index++) sum += statistic(gaussians[index]!, index);
  return Math.abs(sum / count - expected) / (deviation / Math.sqrt(count));
};

const draws = (random: Random, count: number) => Array.from({ length: count }, () => random.nextUint32());

const filled = (random: Random, count: number) => {
  const into = new Float32Array(count);
  random.fillGaussian(into);
  return [...into];
};

const word = (value: bigint) => BigInt.asUintN(32, value);
const rotate = (value: bigint, count: bigint) => word((value << count) | (value >> (32n - count)));

/** xoshiro128** as its authors write it in C, on unbounded integers. */
const xoshiro = (state: RandomState, count: number): number[] => {
  const s = state.map(BigInt) as [bigint, bigint, bigint, bigint];
  return Array.from({ length: count }, () => {
    const result = word(rotate(word(s[1] * 5n), 7n) * 9n);
    const t = word(s[1] << 9n);
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 11n);
    return Number(result);
  });
};

describe('bits', () => {
  it('are those of the reference implementation', () => {
    // The published first outputs of xoshiro128** 1.1 from the state 1, 2, 3, 4.
    const published = [11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849];
    expect(draws(Random.restore([1, 2, 3, 4]), 8)).toEqual(published);
  });

  it.each<RandomState>([
    [1, 0, 0, 0],
    [0xffffffff, 0x80000000, 0x7fffffff, 1],
    [1123405233, 3380667344, 2436634558, 2529431578],
  ])('agree with xoshiro128** on unbounded integers from %j', (...state) => {
    expect(draws(Random.restore(state), 2000)).toEqual(xoshiro(state, 2000));
  });

  it.each([
    [0, '', [4202164556, 1528952463, 1824562279, 2901427724]],
    [1, 'noise', [1123405233, 3380667344, 2436634558, 2529431578]],
    [Number.MAX_SAFE_INTEGER, 'α', [3375856629, 2313843316, 921144207, 1027221813]],
  ])('start from seed %d, stream "%s" where splitmix64 and FNV-1a put them', (seed, stream, state) => {
    expect(Random.fromSeed(seed, stream).save()).toEqual(state);
  });

  it('differ between seeds and between streams', () => {
    const seeds = [0, 1, 2, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER];
    const states = seeds.flatMap((seed) =>
      ['', 'noise', 'shuffle', 'noise '].map((stream) => Random.fromSeed(seed, stream).save()),
    );
    expect(new Set(states.flat()).size).toBe(states.length * 4);
  });

  it.each([-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY])('refuse the seed %d', (seed) => {
    expect(() => Random.fromSeed(seed)).toThrow(UserError);
  });
});

describe('save and restore', () => {
  it('resume exactly, through JSON', () => {
    const random = Random.fromSeed(3);
    filled(random, 1001);
    const copy = Random.restore(JSON.parse(JSON.stringify(random.save())) as RandomState);
    expect(draws(copy, 100)).toEqual(draws(random, 100));
    expect(filled(copy, 1001)).toEqual(filled(random, 1001));
  });

  it('save without moving on', () => {
    const random = Random.fromSeed(3);
    expect(random.save()).toEqual(random.save());
  });

  it('do not notice how a stretch of numbers is cut', () => {
    const whole = Random.fromSeed(4);
    const pieces = Random.fromSeed(4);
    for (let repeat = 0; repeat < 500; repeat++) {
      expect([...filled(pieces, 7), ...filled(pieces, 5)]).toEqual(filled(whole, 12));
    }
    expect(pieces.save()).toEqual(whole.save());
  });

  it.each([
    [[0, 0, 0, 0]],
    [[1, 2, 3]],
    [[1, 2, 3, 4, 5]],
    [[1, 2, 3, 2 ** 32]],
    [[1, 2, 3, -1]],
    [[1, 2, 3, 0.5]],
    [['1', 2, 3, 4]],
    [null],
  ])('refuse the state %j', (state) => {
    expect(() => Random.restore(state as unknown as RandomState)).toThrow(UserError);
  });
});

describe('whole and uniform numbers', () => {
  it('are uniform in [0, 1) on 53 bits', () => {
    const random = Random.fromSeed(5);
    const bins = new Float64Array(64);
    for (let index = 0; index < 640_000; index++) bins[Math.floor(random.nextUniform() * 64)]!++;
    expect(
      chiSquare(
        bins,
        bins.map(() => 10_000),
      ),
    ).toBeLessThan(63 + 4 * Math.sqrt(2 * 63));
    expect(Math.max(...Array.from({ length: 64 }, () => (random.nextUniform() * 2 ** 53) % 2))).toBe(1);
  });

  it('are unbiased below a limit that does not divide 2³²', () => {
    const random = Random.fromSeed(6);
    // A plain remainder would put half of the draws into the first third.
    const low = Array.from({ length: 90_000 }, () => random.nextBelow(3 * 2 ** 30)).filter(
      (n) => n < 2 ** 30,
    );
    expect(Math.abs(low.length - 30_000)).toBeLessThan(4 * Math.sqrt(20_000));
    expect(random.nextBelow(1)).toBe(0);
  });

  it('shuffle into every order alike', () => {
    const random = Random.fromSeed(7);
    const seen = new Map<string, number>();
    for (let repeat = 0; repeat < 24_000; repeat++) {
      const items = Uint8Array.of(0, 1, 2, 3);
      random.shuffle(items);
      seen.set(items.join(), (seen.get(items.join()) ?? 0) + 1);
    }
    expect(seen.size).toBe(24);
    expect(chiSquare([...seen.values()], Array(24).fill(1000))).toBeLessThan(23 + 4 * Math.sqrt(2 * 23));
  });
});

describe('Gaussian numbers', () => {
  it('have the same bits on every machine', () => {
    const sample = new Float32Array(1_000_000);
    Random.fromSeed(1, 'noise').fillGaussian(sample);
    const digest = createHash('sha256').update(new Uint8Array(sample.buffer)).digest('hex');
    expect(digest).toBe('44be5bf02c2dc554c2e7d159df9250e3eca9831b7b5f90d82a578217a116624c');
  });

  it('do not depend on how an engine rounds transcendental functions', async () => {
    vi.resetModules();
    for (const name of ['exp', 'log', 'log1p', 'expm1', 'pow', 'cos', 'sin', 'tanh'] as const) {
      vi.spyOn(Math, name).mockImplementation(() => {
        throw new Error(`Math.${name} differs between engines`);
      });
    }
    try {
      const fresh = await import('../schemas/random.ts');
      const sample = new Float32Array(100_000);
      fresh.Random.fromSeed(1, 'moments').fillGaussian(sample);
      expect(sample).toEqual(gaussians.subarray(0, sample.length));
    } finally {
      vi.restoreAllMocks();
    }
  });

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
  ])('lie beyond ±%d as often as they should', (bound, probability) => {
    const deviation = Math.sqrt(probability * (1 - probability));
    expect(standardErrors((x) => Number(Math.abs(x) > bound), probability, deviation)).toBeLessThan(4);
  });

  it('fill 512 bins as the density says', () => {
    const bins = new Float64Array(514);
    for (const x of gaussians) bins[Math.min(Math.max(Math.floor(x * 64) + 257, 0), 513)]!++;
    const cumulative = cumulativeNormal(-4, 1 / 64, 512);
    const probabilities = bins.map((_, bin) => (cumulative[bin] ?? 1) - (cumulative[bin - 1] ?? 0));
    const expected = probabilities.map((probability) => probability * COUNT);
    expect(chiSquare(bins, expected)).toBeLessThan(513 + 4 * Math.sqrt(2 * 513));
  });

  it('have signs independent of magnitudes', () => {
    expect(standardErrors((x) => Math.sign(x), 0, 1)).toBeLessThan(4);
    const deviation = Math.sqrt(1 - MEAN_MAGNITUDE ** 2);
    expect(standardErrors((x) => Math.sign(x) * (Math.abs(x) - MEAN_MAGNITUDE), 0, deviation)).toBeLessThan(
      4,
    );
  });

  it.each([1, 2, 3, 784])('are independent of the number %d before', (lag) => {
    const before = (index: number) => gaussians[index + lag]!;
    const count = COUNT - lag;
    expect(standardErrors((x, index) => x * before(index), 0, 1, count)).toBeLessThan(4);
    expect(
      standardErrors((x, index) => (x * x - 1) * (before(index) * before(index) - 1), 0, 2, count),
    ).toBeLessThan(4);
  });
});

const MEAN_MAGNITUDE = Math.sqrt(2 / Math.PI);

const chiSquare = (observed: ArrayLike<number>, expected: ArrayLike<number>): number =>
  Array.from(observed).reduce((sum, count, bin) => sum + (count - expected[bin]!) ** 2 / expected[bin]!, 0);

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
