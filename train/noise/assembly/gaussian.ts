/**
 * Standard normal numbers, eight a round, by the method of Box and Muller (1958): from u uniform in (0, 1] and φ
 * uniform on the circle,
 *
 *     √(−2 ln u) cos φ     √(−2 ln u) sin φ
 *
 * A generator xoshiro128** runs in each of the four lanes; two draws of it make one u and one φ. Nothing is rejected
 * and nothing looked up, so all lanes take the same way. Every operation is one that WebAssembly rounds exactly, so
 * the bits are the same on every machine.
 *
 * `count` is rounded up to a multiple of eight.
 *
 * @param state byte offset of the generators: a vector of the lanes' first words, one of their second words, …
 * @param target byte offset of the numbers: four cosines, four sines, four cosines, …
 */
export function gaussian(state: usize, target: usize, count: usize): void {
  const one = f32x4.splat(1);
  const two = f32x4.splat(2);
  let a = v128.load(state);
  let b = v128.load(state, 16);
  let c = v128.load(state, 32);
  let d = v128.load(state, 48);
  const end = target + count * 4;
  for (let at = target; at < end; at += 32) {
    const first = scrambled(b);
    let shifted = i32x4.shl(b, 9);
    c = v128.xor(c, a);
    d = v128.xor(d, b);
    b = v128.xor(b, c);
    a = v128.xor(a, d);
    c = v128.xor(c, shifted);
    d = rotated(d, 11);

    const second = scrambled(b);
    shifted = i32x4.shl(b, 9);
    c = v128.xor(c, a);
    d = v128.xor(d, b);
    b = v128.xor(b, c);
    a = v128.xor(a, d);
    c = v128.xor(c, shifted);
    d = rotated(d, 11);

    // With h = √2 sin(φ/2), cos φ is 1 − h² and sin φ is h √(2 − h²): one series serves both. It runs over the half
    // of the circle where the cosine is positive; the bit that u leaves over is the sign of the cosine.
    const power = minusTwoLogarithm(first);
    const half = halfAngleSine(second);
    const square = f32x4.mul(half, half);
    const cosine = f32x4.mul(f32x4.sqrt(power), f32x4.sub(one, square));
    const sine = f32x4.mul(half, f32x4.sqrt(f32x4.mul(power, f32x4.sub(two, square))));
    v128.store(at, v128.xor(cosine, i32x4.shl(first, 31)));
    v128.store(at, sine, 16);
  }
  v128.store(state, a);
  v128.store(state, b, 16);
  v128.store(state, c, 32);
  v128.store(state, d, 48);
}

function rotated(word: v128, count: i32): v128 {
  return v128.or(i32x4.shl(word, count), i32x4.shr_u(word, 32 - count));
}

/** What xoshiro128** gives out for its second word: rotated(5 · word, 7) · 9. Shifts are faster than products. */
function scrambled(word: v128): v128 {
  const turned = rotated(i32x4.add(i32x4.shl(word, 2), word), 7);
  return i32x4.add(i32x4.shl(turned, 3), turned);
}

/** √½ as bits of a float. */
const ROOT_HALF: i32 = 0x3f3504f3;
const MANTISSA: i32 = 0x7fffff;
const MANTISSA_BITS: i32 = 23;
const LN2: f32 = 0.6931471805599453;

/**
 * −2 ln u of u = (bits 1–31 of the draw + ½) · 2⁻³¹, so that numbers reach to √(64 ln 2) = 6.66. As a float, u is
 * rounded, to 1 in one of 2²⁵ draws.
 *
 * With u = 2ᵏ m, √½ ≤ m < √2, and s = (m − 1)/(m + 1): ln u = k ln 2 + 2 (s + s³/3 + s⁵/5 + s⁷/7 + …). As
 * s² < 0.0295, what is left out is below s⁸/9 · 1/(1 − s²) < 9 · 10⁻⁸ of the sum: a float's rounding.
 */
function minusTwoLogarithm(draw: v128): v128 {
  const scaled = f32x4.add(f32x4.convert_i32x4_s(i32x4.shr_u(draw, 1)), f32x4.splat(0.5));
  // Counted from the bits of √½ · 2³¹, the exponent's bits are k and the mantissa's how far m lies above √½.
  const offset = i32x4.sub(scaled, i32x4.splat(ROOT_HALF + (31 << MANTISSA_BITS)));
  const exponent = f32x4.convert_i32x4_s(i32x4.shr_s(offset, MANTISSA_BITS));
  const mantissa = i32x4.add(v128.and(offset, i32x4.splat(MANTISSA)), i32x4.splat(ROOT_HALF));
  const one = f32x4.splat(1);
  const s = f32x4.div(f32x4.sub(mantissa, one), f32x4.add(mantissa, one));
  const square = f32x4.mul(s, s);
  let series = f32x4.add(f32x4.mul(square, f32x4.splat(-4.0 / 7.0)), f32x4.splat(-4.0 / 5.0));
  series = f32x4.add(f32x4.mul(square, series), f32x4.splat(-4.0 / 3.0));
  series = f32x4.add(f32x4.mul(square, series), f32x4.splat(-4));
  return f32x4.add(f32x4.mul(exponent, f32x4.splat(-2 * LN2)), f32x4.mul(s, series));
}

const ROOT_TWO: f32 = 1.4142135623730951;
const EIGHTH_TURN: f32 = 0.7853981633974483;

/**
 * √2 sin x of x = draw · 2⁻³¹ · π/4, the draw taken as signed: Taylor's series to x⁹. What is left out is below
 * x¹⁰/11! < 3 · 10⁻⁹ of the sum.
 */
function halfAngleSine(draw: v128): v128 {
  const angle = f32x4.mul(f32x4.convert_i32x4_s(draw), f32x4.splat(EIGHTH_TURN / 2147483648));
  const square = f32x4.mul(angle, angle);
  let series = f32x4.add(f32x4.mul(square, f32x4.splat(ROOT_TWO / 362880)), f32x4.splat(-ROOT_TWO / 5040));
  series = f32x4.add(f32x4.mul(square, series), f32x4.splat(ROOT_TWO / 120));
  series = f32x4.add(f32x4.mul(square, series), f32x4.splat(-ROOT_TWO / 6));
  series = f32x4.add(f32x4.mul(square, series), f32x4.splat(ROOT_TWO));
  return f32x4.mul(angle, series);
}
