/**
 * Seeded randomness that can be saved and resumed, with the same bits from the same seed on every machine.
 *
 * Bits come from xoshiro128** (Blackman and Vigna, 2018).
 */
import { UserError } from './errors.ts';

/** A stream of random bits. */
export interface RandomSource {
  /** 32 random bits, as an integer 0 … 2³² − 1. */
  nextUint32(): number;
}

/** All that a generator remembers: four integers 0 … 2³² − 1, at least one of them not 0. */
export type RandomState = readonly [number, number, number, number];

/** A generator of random numbers, xoshiro128**: the same seed gives the same numbers on every machine, and its state can be saved. */
export class Random implements RandomSource {
  readonly #state: Int32Array;

  private constructor(state: Int32Array) {
    this.#state = state;
  }

  /**
   * The generator of a seed and a stream. Each use names its own stream (`'shuffle'`, `'noise'`), so that
   * drawing more numbers in one place changes nothing in another.
   *
   * @throws UserError unless the seed is an integer 0 … 2⁵³ − 1
   */
  static fromSeed(seed: number, stream = ''): Random {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new UserError(`The seed is ${seed}; give an integer from 0 to ${Number.MAX_SAFE_INTEGER}.`);
    }
    const start = splitmix64(BigInt(seed)) ^ hashOf(stream);
    const words = [splitmix64(start), splitmix64(start + SPLITMIX_STEP)];
    return new Random(
      Int32Array.from(words.flatMap((word) => [Number(word & MASK_32), Number(word >> 32n)])),
    );
  }

  /**
   * The generator that `save` described: it continues with the very number that would have come next.
   *
   * @throws UserError when the state is not one that a generator can have
   */
  static restore(state: RandomState): Random {
    const sound =
      Array.isArray(state) &&
      state.length === 4 &&
      state.every((word) => word === word >>> 0) &&
      state.some(Boolean);
    if (!sound) {
      throw new UserError(
        `${JSON.stringify(state)} is no state of a random generator; give four integers from 0 to 4294967295, not all 0.`,
      );
    }
    return new Random(Int32Array.from(state));
  }

  /** The state as plain JSON, for `restore`. */
  save(): RandomState {
    const [a, b, c, d] = new Uint32Array(this.#state);
    return [a!, b!, c!, d!];
  }

  nextUint32(): number {
    const state = this.#state;
    const second = state[1]!;
    state[2]! ^= state[0]!;
    state[3]! ^= second;
    state[1]! ^= state[2]!;
    state[0]! ^= state[3]!;
    state[2]! ^= second << 9;
    state[3] = rotateLeft(state[3]!, 11);
    return Math.imul(rotateLeft(Math.imul(second, 5), 7), 9) >>> 0;
  }

  /** A number uniform in [0, 1): a multiple of 2⁻⁵³, from two draws of 32 bits. */
  nextUniform(): number {
    const high = this.nextUint32() >>> 5;
    const low = this.nextUint32() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  /** An integer uniform in 0 … limit − 1, without the bias of a plain remainder; limit is 1 … 2³². */
  nextBelow(limit: number): number {
    const whole = 2 ** 32 - (2 ** 32 % limit);
    let draw = this.nextUint32();
    while (draw >= whole) draw = this.nextUint32();
    return draw % limit;
  }

  /** Puts the items in a random order, in place; every order is as probable (Fisher–Yates). */
  shuffle<T>(items: { readonly length: number; [index: number]: T }): void {
    for (let last = items.length - 1; last > 0; last--) {
      const chosen = this.nextBelow(last + 1);
      const item = items[last] as T;
      items[last] = items[chosen] as T;
      items[chosen] = item;
    }
  }
}

const rotateLeft = (word: number, count: number): number => (word << count) | (word >>> (32 - count));

const MASK_32 = 0xffff_ffffn;
const MASK_64 = 0xffff_ffff_ffff_ffffn;
const SPLITMIX_STEP = 0x9e37_79b9_7f4a_7c15n;

/** The number that splitmix64 (Steele, Lea and Flood, 2014) gives at a state: a bijection of 64 bits. */
const splitmix64 = (state: bigint): bigint => {
  let word = (state + SPLITMIX_STEP) & MASK_64;
  word = ((word ^ (word >> 30n)) * 0xbf58_476d_1ce4_e5b9n) & MASK_64;
  word = ((word ^ (word >> 27n)) * 0x94d0_49bb_1331_11ebn) & MASK_64;
  return word ^ (word >> 31n);
};

/** FNV-1a of the text's UTF-8 bytes, 64 bits. */
const hashOf = (text: string): bigint => {
  let hash = 0xcbf2_9ce4_8422_2325n;
  for (const byte of new TextEncoder().encode(text)) {
    hash = ((hash ^ BigInt(byte)) * 0x100_0000_01b3n) & MASK_64;
  }
  return hash;
};
