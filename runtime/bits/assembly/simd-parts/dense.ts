import { eventBytes, eventRow, put } from './events';
import { population, widen } from './population';
import { sliceBytes, sliceRows } from './slices';

/** Vectors whose bytes are counted before a byte could overflow: 31 · 8 = 248. */
const CHUNK: usize = 31 * 16;

/** The four totals of four vectors. */
@inline
function totals(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const cd = i32x4.add(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  return i32x4.add(v128.shuffle<i64>(ab, cd, 0, 2), v128.shuffle<i64>(ab, cd, 1, 3));
}

@inline
function counted(sum: v128, x: v128, weights: usize): v128 {
  return i8x16.add(sum, i8x16.popcnt(v128.and(x, v128.load(weights))));
}

@inline
function signed(sums: v128, population: v128): v128 {
  return i32x4.sub(i32x4.shl(sums, 1), population);
}

/** One plane of one row against weights of four outputs at a time. */
function oneRow(x: usize, w: usize, y: usize, outputs: usize, bytes: usize, set: i32, shift: i32): void {
  const population = i32x4.splat(set);
  const end = y + outputs * 4;
  for (; y < end; y += 16) {
    const w1 = w + bytes;
    const w2 = w1 + bytes;
    const w3 = w2 + bytes;
    let s0 = i64x2.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    for (let at: usize = 0; at < bytes; ) {
      const stop = min(at + CHUNK, bytes);
      let a = i64x2.splat(0);
      let b = a;
      let c = a;
      let d = a;
      for (; at < stop; at += 16) {
        const v = v128.load(x + at);
        a = counted(a, v, w + at);
        b = counted(b, v, w1 + at);
        c = counted(c, v, w2 + at);
        d = counted(d, v, w3 + at);
      }
      s0 = i32x4.add(s0, widen(a));
      s1 = i32x4.add(s1, widen(b));
      s2 = i32x4.add(s2, widen(c));
      s3 = i32x4.add(s3, widen(d));
    }
    put(y, signed(totals(s0, s1, s2, s3), population), shift);
    w = w3 + bytes;
  }
}

/** The same for two rows, which share what is loaded of the weights. */
function twoRows(
  x: usize,
  x1: usize,
  w: usize,
  y: usize,
  y1: usize,
  outputs: usize,
  bytes: usize,
  set: i32,
  set1: i32,
  shift: i32,
): void {
  const population = i32x4.splat(set);
  const population1 = i32x4.splat(set1);
  const end = y + outputs * 4;
  for (; y < end; y += 16, y1 += 16) {
    const w1 = w + bytes;
    const w2 = w1 + bytes;
    const w3 = w2 + bytes;
    let s0 = i64x2.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    let t0 = s0;
    let t1 = s0;
    let t2 = s0;
    let t3 = s0;
    for (let at: usize = 0; at < bytes; ) {
      const stop = min(at + CHUNK, bytes);
      let a = i64x2.splat(0);
      let b = a;
      let c = a;
      let d = a;
      let e = a;
      let f = a;
      let g = a;
      let h = a;
      for (; at < stop; at += 16) {
        const v = v128.load(x + at);
        const u = v128.load(x1 + at);
        const p = v128.load(w + at);
        const q = v128.load(w1 + at);
        const r = v128.load(w2 + at);
        const s = v128.load(w3 + at);
        a = i8x16.add(a, i8x16.popcnt(v128.and(v, p)));
        b = i8x16.add(b, i8x16.popcnt(v128.and(v, q)));
        c = i8x16.add(c, i8x16.popcnt(v128.and(v, r)));
        d = i8x16.add(d, i8x16.popcnt(v128.and(v, s)));
        e = i8x16.add(e, i8x16.popcnt(v128.and(u, p)));
        f = i8x16.add(f, i8x16.popcnt(v128.and(u, q)));
        g = i8x16.add(g, i8x16.popcnt(v128.and(u, r)));
        h = i8x16.add(h, i8x16.popcnt(v128.and(u, s)));
      }
      s0 = i32x4.add(s0, widen(a));
      s1 = i32x4.add(s1, widen(b));
      s2 = i32x4.add(s2, widen(c));
      s3 = i32x4.add(s3, widen(d));
      t0 = i32x4.add(t0, widen(e));
      t1 = i32x4.add(t1, widen(f));
      t2 = i32x4.add(t2, widen(g));
      t3 = i32x4.add(t3, widen(h));
    }
    put(y, signed(totals(s0, s1, s2, s3), population), shift);
    put(y1, signed(totals(t0, t1, t2, t3), population1), shift);
    w = w3 + bytes;
  }
}

/** Bytes of weights that stay in the first-level cache while all rows pass over them. */
const BLOCK: usize = 16384;

/** Whether rows are sliced rather than counted in one by one: where that is faster, and the counters can hold them. */
@inline
function isSliced(rows: i32, bytes: usize): bool {
  return rows >= 224 && bytes < 4096;
}

/** Bytes of scratch for so many rows. */
export function denseScratch(rows: i32, outputs: usize, bytes: usize): usize {
  const lists = eventBytes(bytes, outputs) + <usize>rows * 8 + 256;
  return isSliced(rows, bytes) ? lists + sliceBytes(rows, bytes) : lists;
}

/**
 * Sums of whole inputs under weights of −1 and +1, one bit each:
 *
 *     y[row][output] = Σ_plane 2^plane · (2 · |x[row][plane] ∧ w[output]| − |x[row][plane]|)
 *
 * with |·| the number of set bits. A plane of a row whose set bits are no more than `limit` adds up, for each of them, the
 * weights that it meets, and skips all others (`events.ts`). The other rows are sliced where they are many (`slices.ts`),
 * and counted in two by two where they are few.
 *
 * @param x bits [rows][planes][bytes]
 * @param w bits [outputs][bytes], read only where a plane may have more set bits than `limit`; outputs is a multiple of 4
 * @param t bits [inputs][⌈outputs / 128⌉ · 16], the same weights input by input, read only where `limit` is not below 0
 * @param y int32 [rows], `stride` bytes apart
 * @param bytes a multiple of 16
 * @param scratch `denseScratch` bytes, zeros before the first call
 */
export function dense(
  x: usize,
  w: usize,
  t: usize,
  y: usize,
  rows: i32,
  outputs: usize,
  bytes: usize,
  planes: i32,
  stride: usize,
  limit: i32,
  scratch: usize,
): void {
  const sets = scratch + eventBytes(bytes, outputs);
  const list = sets + rows * 4;
  const rowBytes = bytes * planes;
  // As many outputs at a time as stay in the cache; one pass where there is but one row.
  const group = rows == 1 ? outputs : max<usize>((BLOCK / bytes) & ~3, 4);
  for (let plane = 0; plane < planes; plane++) {
    const plain = x + plane * bytes;
    let busy = 0;
    for (let row = 0; row < rows; row++) {
      const set = population(plain + row * rowBytes, bytes);
      store<i32>(sets + row * 4, set);
      if (set > limit) store<i32>(list + (busy++ << 2), row);
      else eventRow(plain + row * rowBytes, bytes, t, y + row * stride, outputs, plane, scratch);
    }
    if (!busy) continue;
    if (isSliced(busy, bytes)) {
      const spare = list + rows * 4 + 256;
      sliceRows(plain, rowBytes, list, busy, sets, w, y, outputs, bytes, stride, plane, spare);
      continue;
    }
    for (let first: usize = 0; first < outputs; first += group) {
      const count = min(group, outputs - first);
      const weights = w + first * bytes;
      const target = y + first * 4;
      let held = -1;
      for (let row = 0; row < rows; row++) {
        const set = load<i32>(sets + row * 4);
        if (set <= limit) continue;
        if (held < 0) {
          held = row;
          continue;
        }
        twoRows(
          plain + held * rowBytes,
          plain + row * rowBytes,
          weights,
          target + held * stride,
          target + row * stride,
          count,
          bytes,
          load<i32>(sets + held * 4),
          set,
          plane,
        );
        held = -1;
      }
      if (held >= 0) {
        const set = load<i32>(sets + held * 4);
        oneRow(plain + held * rowBytes, weights, target + held * stride, count, bytes, set, plane);
      }
    }
  }
}
