@inline
function low(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

@inline
function high(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

@inline
function join(even: v128, odd: v128, target: usize): void {
  v128.store(target, low(even, odd));
  v128.store(target, high(even, odd), 16);
}

/** Byte j of the vectors a to h, in their order, as the eight bytes of word j of `y`. */
@inline
export function interleave(
  a: v128,
  b: v128,
  c: v128,
  d: v128,
  e: v128,
  f: v128,
  g: v128,
  h: v128,
  y: usize,
): void {
  let t = low(a, e);
  let v = low(c, g);
  let w = low(b, f);
  let u = low(d, h);
  join(low(t, v), low(w, u), y);
  join(high(t, v), high(w, u), y + 32);
  t = high(a, e);
  v = high(c, g);
  w = high(b, f);
  u = high(d, h);
  join(low(t, v), low(w, u), y + 64);
  join(high(t, v), high(w, u), y + 96);
}

/** Where `a`, `shift` bits further down, and `b` differ: what has to change in both for these bits to change places. */
@inline
function differing(a: v128, b: v128, shift: i32, mask: v128): v128 {
  return v128.and(v128.xor(i16x8.shr_u(a, shift), b), mask);
}

/** Eight planes of 128 bits, 32 bytes apart, become 128 bytes in the place of the first, in the order of the bits. */
export function bytesOf(planes: usize): void {
  let a = v128.load(planes);
  let b = v128.load(planes, 32);
  let c = v128.load(planes, 64);
  let d = v128.load(planes, 96);
  let e = v128.load(planes, 128);
  let f = v128.load(planes, 160);
  let g = v128.load(planes, 192);
  let h = v128.load(planes, 224);
  // Bits of every 8 × 8 are transposed: blocks of four change places, then of two, then single ones.
  let mask = i8x16.splat(0x0f);
  let t = differing(a, e, 4, mask);
  e = v128.xor(e, t);
  a = v128.xor(a, i16x8.shl(t, 4));
  t = differing(b, f, 4, mask);
  f = v128.xor(f, t);
  b = v128.xor(b, i16x8.shl(t, 4));
  t = differing(c, g, 4, mask);
  g = v128.xor(g, t);
  c = v128.xor(c, i16x8.shl(t, 4));
  t = differing(d, h, 4, mask);
  h = v128.xor(h, t);
  d = v128.xor(d, i16x8.shl(t, 4));
  mask = i8x16.splat(0x33);
  t = differing(a, c, 2, mask);
  c = v128.xor(c, t);
  a = v128.xor(a, i16x8.shl(t, 2));
  t = differing(b, d, 2, mask);
  d = v128.xor(d, t);
  b = v128.xor(b, i16x8.shl(t, 2));
  t = differing(e, g, 2, mask);
  g = v128.xor(g, t);
  e = v128.xor(e, i16x8.shl(t, 2));
  t = differing(f, h, 2, mask);
  h = v128.xor(h, t);
  f = v128.xor(f, i16x8.shl(t, 2));
  mask = i8x16.splat(0x55);
  t = differing(a, b, 1, mask);
  b = v128.xor(b, t);
  a = v128.xor(a, i16x8.shl(t, 1));
  t = differing(c, d, 1, mask);
  d = v128.xor(d, t);
  c = v128.xor(c, i16x8.shl(t, 1));
  t = differing(e, f, 1, mask);
  f = v128.xor(f, t);
  e = v128.xor(e, i16x8.shl(t, 1));
  t = differing(g, h, 1, mask);
  h = v128.xor(h, t);
  g = v128.xor(g, i16x8.shl(t, 1));
  // Byte j of vector k is now that of bit 8 · j + k.
  interleave(a, b, c, d, e, f, g, h, planes);
}
