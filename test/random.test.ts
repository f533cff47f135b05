import { describe, expect, it } from 'vitest';
import { UserError } from '../schemas/errors.ts';
import { Random, type RandomState } from '../schemas/random.ts';
import { chiSquare } from './support/numbers.ts';

const draws = (random: Random, count: number) => Array.from({ length: count }, () => random.nextUint32());

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
    draws(random, 1001);
    const copy = Random.restore(JSON.parse(JSON.stringify(random.save())) as RandomState);
    expect(draws(copy, 100)).toEqual(draws(random, 100));
  });

  it('save without moving on', () => {
    const random = Random.fromSeed(3);
    expect(random.save()).toEqual(random.save());
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
