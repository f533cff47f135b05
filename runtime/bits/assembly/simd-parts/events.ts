import { bytesOf } from './transpose';

/**
 * Where the weights of the inputs that fire are, as offsets of their rows; returns how many. Up to 7 numbers more are
 * written behind them.
 */
function offsets(x: usize, bytes: usize, width: usize, found: usize): i32 {
  const start = found;
  for (let at: usize = 0; at < bytes; at += 8) {
    let word = load<u64>(x + at);
    const first = (at << 3) * width;
    const end = found + (<usize>popcnt(word) << 2);
    // Eight at a time, whether there are so many or not: fewer branches that nothing foretells.
    for (; found < end; found += 32) {
      for (let each: usize = 0; each < 32; each += 4) {
        store<u32>(found + each, first + <usize>ctz(word) * width);
        word &= word - 1;
      }
    }
    found = end;
  }
  return <i32>((found - start) >> 2);
}

/** The carry of a full adder of a, b and c, where `odd` is a ⊕ b; its sum is odd ⊕ c. */
@inline
function carried(a: v128, b: v128, odd: v128, c: v128): v128 {
  return v128.or(v128.and(a, b), v128.and(odd, c));
}

/**
 * Adds a carry to the counters from 8 on: plane by plane, it waits for a second one, and both are added at once.
 * `count` is how many were added before.
 */
@inline
function carry(sum: v128, count: i32, plane: usize): void {
  for (; count & 1; count >>= 1, plane += 32) {
    const before = v128.load(plane);
    const waited = v128.load(plane, 16);
    const odd = v128.xor(waited, sum);
    v128.store(plane, v128.xor(before, odd));
    sum = carried(waited, sum, odd, before);
  }
  v128.store(plane, sum, 16);
}

/** Adds what still waits after `count` carries. */
@inline
function settle(count: i32, plane: usize): void {
  let sum = i64x2.splat(0);
  for (; count; count >>= 1, plane += 32) {
    const before = v128.load(plane);
    const waited = count & 1 ? v128.load(plane, 16) : i64x2.splat(0);
    const odd = v128.xor(waited, sum);
    v128.store(plane, v128.xor(before, odd));
    sum = carried(waited, sum, odd, before);
  }
}

/** Four sums times 2^shift, added to those of the planes below. */
@inline
export function put(y: usize, sums: v128, shift: i32): void {
  v128.store(y, shift ? i32x4.add(v128.load(y), i32x4.shl(sums, shift)) : sums);
}

/**
 * Sums of 128 outputs from the planes of their counters, in place of which their bytes are then.
 *
 * @param isLong whether there are 16 planes, not eight
 * @param outputs how many of them to write, a multiple of 4
 */
@inline
function write(planes: usize, isLong: bool, active: i32, y: usize, outputs: usize, shift: i32): void {
  const all = i16x8.splat(<i16>active);
  bytesOf(planes);
  if (isLong) bytesOf(planes + 256);
  for (let first: usize = 0; first < outputs; first += 8) {
    let sums = v128.load_ext<u8>(planes + first);
    if (isLong) sums = v128.or(sums, i16x8.shl(v128.load_ext<u8>(planes + first, 256), 8));
    sums = i16x8.sub(i16x8.shl(sums, 1), all);
    const target = y + (first << 2);
    put(target, i32x4.extend_low_i16x8_s(sums), shift);
    if (first + 4 < outputs) put(target + 16, i32x4.extend_high_i16x8_s(sums), shift);
  }
}

/** Bytes of the numbers that `offsets` writes. */
@inline
function listBytes(bytes: usize): usize {
  return (bytes << 5) + 32;
}

/** Bytes of scratch that a row needs. */
export function eventBytes(bytes: usize, outputs: usize): usize {
  const width = ((outputs + 127) >> 7) << 4;
  // Weights that are 0 everywhere, the offsets, and 16 planes of two vectors for each of weights.
  return width + listBytes(bytes) + width * 32;
}

/**
 * One plane of one row of sums from its set bits alone: 2 · (how many of them meet a weight of +1) − (how many there
 * are). Weights of 128 outputs are one vector. Their counters are bit-sliced, a vector for every plane, and the weights
 * of eight inputs at a time go through a tree of full adders into the planes of 1, 2 and 4, and on as a carry of 8.
 *
 * @param x bits, of which up to 32767 are set
 * @param t bits [inputs][⌈outputs / 128⌉ · 16]
 * @param y int32 [outputs]; outputs is a multiple of 4
 * @param scratch `eventBytes` bytes, zeros before the first row
 */
export function eventRow(
  x: usize,
  bytes: usize,
  t: usize,
  y: usize,
  outputs: usize,
  shift: i32,
  scratch: usize,
): void {
  const width = ((outputs + 127) >> 7) << 4;
  const zeros = scratch;
  const list = zeros + width;
  const active = offsets(x, bytes, width, list);
  const end = list + (<usize>((active + 7) >> 3) << 5);
  // The last eight are filled up with weights that are 0 everywhere.
  for (let place = list + (active << 2); place < end; place += 4) store<u32>(place, zeros - t);
  // Sum and waiting carry of a plane lie side by side.
  const isLong = active > 255;
  const room: usize = isLong ? 512 : 256;
  const counters = list + listBytes(bytes);
  memory.fill(counters, 0, (width >> 4) * room);
  let count = 0;
  for (let eight = list; eight < end; eight += 32, count++) {
    const row0 = t + load<u32>(eight);
    const row1 = t + load<u32>(eight, 4);
    const row2 = t + load<u32>(eight, 8);
    const row3 = t + load<u32>(eight, 12);
    const row4 = t + load<u32>(eight, 16);
    const row5 = t + load<u32>(eight, 20);
    const row6 = t + load<u32>(eight, 24);
    const row7 = t + load<u32>(eight, 28);
    let planes = counters;
    for (let at: usize = 0; at < width; at += 16) {
      let ones = v128.load(planes);
      let twos = v128.load(planes, 32);
      let fours = v128.load(planes, 64);
      let a = v128.load(row0 + at);
      let b = v128.load(row1 + at);
      let odd = v128.xor(a, b);
      const two0 = carried(a, b, odd, ones);
      ones = v128.xor(odd, ones);
      a = v128.load(row2 + at);
      b = v128.load(row3 + at);
      odd = v128.xor(a, b);
      const two1 = carried(a, b, odd, ones);
      ones = v128.xor(odd, ones);
      odd = v128.xor(two0, two1);
      const four0 = carried(two0, two1, odd, twos);
      twos = v128.xor(odd, twos);
      a = v128.load(row4 + at);
      b = v128.load(row5 + at);
      odd = v128.xor(a, b);
      const two2 = carried(a, b, odd, ones);
      ones = v128.xor(odd, ones);
      a = v128.load(row6 + at);
      b = v128.load(row7 + at);
      odd = v128.xor(a, b);
      const two3 = carried(a, b, odd, ones);
      v128.store(planes, v128.xor(odd, ones));
      odd = v128.xor(two2, two3);
      const four1 = carried(two2, two3, odd, twos);
      v128.store(planes, v128.xor(odd, twos), 32);
      odd = v128.xor(four0, four1);
      v128.store(planes, v128.xor(odd, fours), 64);
      carry(carried(four0, four1, odd, fours), count, planes + 96);
      planes += room;
    }
  }
  for (let at: usize = 0, planes = counters; at < width; at += 16, planes += room) {
    settle(count, planes + 96);
    write(planes, isLong, active, y + (at << 5), min<usize>(outputs - (at << 3), 128), shift);
  }
}
