/**
 * Seeded randomness that can be saved and resumed, with the same bits from the same seed on every machine.
 *
 * Bits come from xoshiro128** (Blackman and Vigna, 2018), Gaussian numbers from those bits by a ziggurat
 * (Marsaglia and Tsang, 2000). JavaScript engines may differ in the last bits of `Math.exp` and `Math.log`,
 * so neither is used: tables and decisions rest on + − × ÷ and `Math.sqrt`, which every engine rounds alike.
 */
import { UserError } from './errors.ts';

/** A stream of random bits. */
export interface RandomSource {
  /** 32 random bits, as an integer 0 … 2³² − 1. */
  nextUint32(): number;
}

/** All that a generator remembers: four integers 0 … 2³² − 1, at least one of them not 0. */
export type RandomState = readonly [number, number, number, number];

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

  /**
   * Fills an array with standard normal numbers. Filling 7 and then 5 gives the same as filling 12.
   *
   * This is `nextUint32` and the first test of the ziggurat written out in one loop, with the state in local
   * variables: a training step needs some hundred thousand of these numbers. 99 in 100 leave at that test.
   */
  fillGaussian(into: Float32Array): void {
    const state = this.#state;
    const { steps, inner } = ZIGGURAT;
    let a = state[0]!;
    let b = state[1]!;
    let c = state[2]!;
    let d = state[3]!;
    for (let index = 0; index < into.length; index++) {
      const draw = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9);
      const shifted = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= shifted;
      d = rotateLeft(d, 11);

      const layer = draw & LAYER_MASK;
      const position = positionOf(draw);
      const sign = position >> 31;
      into[index] = position * steps[layer]!;
      if ((position ^ sign) - sign < inner[layer]!) continue;

      state[0] = a;
      state[1] = b;
      state[2] = c;
      state[3] = d;
      into[index] = this.#gaussianAtEdge(layer, position);
      a = state[0]!;
      b = state[1]!;
      c = state[2]!;
      d = state[3]!;
    }
    state[0] = a;
    state[1] = b;
    state[2] = c;
    state[3] = d;
  }

  /** The rest of the ziggurat, for a point outside the part of its layer that lies wholly under the curve. */
  #gaussianAtEdge(layer: number, position: number): number {
    const { steps, inner, heights } = ZIGGURAT;
    for (;;) {
      if (layer === 0) return position < 0 ? -this.#gaussianTail() : this.#gaussianTail();
      const value = position * steps[layer]!;
      const low = heights[layer]!;
      const high = heights[layer + 1]!;
      if (low + (high - low) * this.#nextInside() < density(value)) return value;

      const draw = this.nextUint32() | 0;
      layer = draw & LAYER_MASK;
      position = positionOf(draw);
      if (Math.abs(position) < inner[layer]!) return position * steps[layer]!;
    }
  }

  /** A normal number beyond TAIL_START (Marsaglia, 1964). */
  #gaussianTail(): number {
    for (;;) {
      const excess = -logarithm(this.#nextInside()) / TAIL_START;
      const bound = -2 * logarithm(this.#nextInside());
      if (excess * excess < bound) return TAIL_START + excess;
    }
  }

  /** A number uniform in (0, 1), neither end included, from one draw. */
  #nextInside(): number {
    return (this.nextUint32() + 0.5) / 2 ** 32;
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

/**
 * The ziggurat: the area under exp(−x²/2), x ≥ 0, covered by 256 layers of equal area LAYER_AREA. Layer 0 is
 * everything below the density at TAIL_START, tail included; layer i ≥ 1 is the rectangle from x = 0 to
 * edges[i], between the densities at edges[i] and edges[i + 1]. TAIL_START is where the last edge comes out
 * at 0.
 */
const LAYERS = 256;
const LAYER_MASK = LAYERS - 1;
const TAIL_START = 3.654152885361009;
const LAYER_AREA = 0.004928673233974655;

/**
 * Bits 0–7 of a draw choose the layer; bits 8–31 place the point in it: an odd integer between ±2²⁴, so that
 * both signs are alike, 0 never comes, and the place says nothing about the layer.
 */
const positionOf = (draw: number): number => (draw >> 7) | 1;

/** e^x for −8 ≤ x ≤ 0, to a relative error of 10⁻¹²: a Taylor sum at x / 64, squared six times. */
const exponential = (x: number): number => {
  const y = x / 64;
  let term = 1;
  let result = 1;
  for (let n = 1; n <= 8; n++) {
    term *= y / n;
    result += term;
  }
  for (let n = 0; n < 6; n++) result *= result;
  return result;
};

const density = (x: number): number => exponential(-0.5 * x * x);

/** log x for 0 < x ≤ 1, to 10⁻¹⁵: doubled into [¾, 1½), then the series of 2 artanh((x − 1) / (x + 1)). */
const logarithm = (x: number): number => {
  let mantissa = x;
  let exponent = 0;
  while (mantissa < 0.75) {
    mantissa *= 2;
    exponent--;
  }
  const ratio = (mantissa - 1) / (mantissa + 1);
  let sum = 0;
  for (let n = 21; n > 0; n -= 2) sum = 1 / n + sum * ratio * ratio;
  return 2 * ratio * sum + exponent * Math.LN2;
};

const ZIGGURAT = (() => {
  const edges = new Float64Array(LAYERS + 1);
  edges[0] = LAYER_AREA / density(TAIL_START);
  edges[1] = TAIL_START;
  for (let layer = 2; layer < LAYERS; layer++) {
    const below = edges[layer - 1]!;
    edges[layer] = Math.sqrt(-2 * logarithm(LAYER_AREA / below + density(below)));
  }
  return {
    /** The value of one unit of position, by layer. */
    steps: edges.map((edge) => edge / 2 ** 24).subarray(0, LAYERS),
    /** Positions nearer to 0 than this lie under the curve whatever their height, by layer. */
    inner: Int32Array.from({ length: LAYERS }, (_, layer) => (edges[layer + 1]! / edges[layer]!) * 2 ** 24),
    /** The density at the edge where a layer starts, by layer; layer 0 starts at 0 and is never looked up. */
    heights: edges.map(density),
  };
})();
