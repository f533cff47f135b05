/** Positions of the set bits of a row, as int32; returns how many. */
function positions(x: usize, bytes: usize, found: usize): i32 {
  let count: i32 = 0;
  for (let at: usize = 0; at < bytes; at += 8) {
    let word = load<u64>(x + at);
    while (word) {
      store<i32>(found + count * 4, (<i32>at << 3) + <i32>ctz(word));
      count++;
      word &= word - 1;
    }
  }
  return count;
}

@inline
function majority(a: v128, b: v128, odd: v128, c: v128): v128 {
  return v128.or(v128.and(a, b), v128.and(odd, c));
}

/** Up to 2¹³ − 1 spikes are counted: three bits by adders over eight rows, ten by carrying on. */
const PLANES: usize = 13;

/** Adds bit `lane` of a counter's plane, times `factor`, to eight int16 sums, for 16 groups of 8 lanes. */
@inline
function lanes(plane: v128, group: i32): v128 {
  const bits = v128.swizzle(plane, i8x16.splat(<i8>group));
  const chosen = i16x8(1, 2, 4, 8, 16, 32, 64, 128);
  return i16x8.ne(v128.and(v128.and(bits, i16x8.splat(255)), chosen), i16x8.splat(0));
}

/**
 * One row of sums from its set bits alone: y = 2 · (how many of them meet a weight of +1) − (how many there are).
 * Weights of 128 outputs are one vector; the counters are bit-sliced, plane by plane, and vectors of eight inputs
 * go through a tree of full adders.
 *
 * @param t bits [inputs][⌈outputs / 128⌉ · 16]
 * @param y int32 [outputs]; outputs is a multiple of 4
 * @param scratch room for 4 bytes per input, 64 of zeros behind them, and 256 for the counters
 */
export function eventRow(x: usize, bytes: usize, t: usize, y: usize, outputs: usize, scratch: usize): void {
  const active = positions(x, bytes, scratch);
  const width = ((outputs + 127) >> 7) << 4;
  const counters = scratch + (bytes << 5);
  const zero = i64x2.splat(0);
  const whole = active & ~7;
  for (let at: usize = 0; at < width; at += 16) {
    let ones = zero;
    let twos = zero;
    let fours = zero;
    for (let plane: usize = 3; plane < PLANES; plane++) v128.store(counters + (plane << 4), zero);
    const column = t + at;
    let index = 0;
    for (; index < whole; index += 8) {
      const list = scratch + index * 4;
      const a0 = v128.load(column + load<u32>(list) * width);
      const a1 = v128.load(column + load<u32>(list, 4) * width);
      const a2 = v128.load(column + load<u32>(list, 8) * width);
      const a3 = v128.load(column + load<u32>(list, 12) * width);
      const a4 = v128.load(column + load<u32>(list, 16) * width);
      const a5 = v128.load(column + load<u32>(list, 20) * width);
      const a6 = v128.load(column + load<u32>(list, 24) * width);
      const a7 = v128.load(column + load<u32>(list, 28) * width);
      let odd = v128.xor(ones, a0);
      const t0 = majority(ones, a0, odd, a1);
      ones = v128.xor(odd, a1);
      odd = v128.xor(ones, a2);
      const t1 = majority(ones, a2, odd, a3);
      ones = v128.xor(odd, a3);
      odd = v128.xor(twos, t0);
      const f0 = majority(twos, t0, odd, t1);
      twos = v128.xor(odd, t1);
      odd = v128.xor(ones, a4);
      const t2 = majority(ones, a4, odd, a5);
      ones = v128.xor(odd, a5);
      odd = v128.xor(ones, a6);
      const t3 = majority(ones, a6, odd, a7);
      ones = v128.xor(odd, a7);
      odd = v128.xor(twos, t2);
      const f1 = majority(twos, t2, odd, t3);
      twos = v128.xor(odd, t3);
      odd = v128.xor(fours, f0);
      let carry = majority(fours, f0, odd, f1);
      fours = v128.xor(odd, f1);
      for (let plane = counters + 48; v128.any_true(carry); plane += 16) {
        const before = v128.load(plane);
        v128.store(plane, v128.xor(before, carry));
        carry = v128.and(before, carry);
      }
    }
    for (; index < active; index++) {
      let carry = v128.load(column + load<u32>(scratch + index * 4) * width);
      let after = v128.and(ones, carry);
      ones = v128.xor(ones, carry);
      carry = after;
      after = v128.and(twos, carry);
      twos = v128.xor(twos, carry);
      carry = after;
      after = v128.and(fours, carry);
      fours = v128.xor(fours, carry);
      carry = after;
      for (let plane = counters + 48; v128.any_true(carry); plane += 16) {
        const before = v128.load(plane);
        v128.store(plane, v128.xor(before, carry));
        carry = v128.and(before, carry);
      }
    }
    v128.store(counters, ones);
    v128.store(counters, twos, 16);
    v128.store(counters, fours, 32);
    const planes: i32 = 32 - clz<i32>(active);
    const all = i16x8.splat(<i16>active);
    const left = outputs - (at << 3);
    for (let group: i32 = 0; group < 16; group++) {
      const first: usize = group << 3;
      if (first >= left) break;
      let sums = i16x8.splat(0);
      for (let plane = planes - 1; plane >= 0; plane--) {
        sums = i16x8.sub(i16x8.shl(sums, 1), lanes(v128.load(counters + (plane << 4)), group));
      }
      sums = i16x8.sub(i16x8.shl(sums, 1), all);
      const target = y + (((at << 3) + first) << 2);
      v128.store(target, i32x4.extend_low_i16x8_s(sums));
      if (first + 4 < left) v128.store(target, i32x4.extend_high_i16x8_s(sums), 16);
    }
  }
}
