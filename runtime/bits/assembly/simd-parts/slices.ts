import { eventBytes, eventRow, put } from './events';
import { population } from './population';
import { bytesOf, interleave } from './transpose';

/** Rows that are sliced at once. */
const BLOCK = 64;

/** Bytes of a slice: a bit for each of so many rows. */
@inline
function sliceWidth(rows: usize): usize {
  return ((rows + 127) >> 7) << 4;
}

/** Bytes of scratch for so many rows. */
export function sliceBytes(rows: usize, bytes: usize): usize {
  const width = sliceWidth(rows);
  return eventBytes(bytes, width << 3) + width * (bytes << 3) + width * 128 + 2048 + 128;
}

/** 128 bits of 64 rows: a word for every bit. @param list numbers of the rows */
@inline
function sliceBlock(x: usize, rowBytes: usize, list: usize, y: usize, width: usize, scratch: usize): void {
  const words = scratch + 2048;
  for (let eight: usize = 0; eight < 2048; eight += 256, list += 32) {
    const planes = scratch + eight;
    for (let row: usize = 0; row < 8; row++) {
      v128.store(planes + (row << 5), v128.load(x + load<u32>(list + (row << 2)) * rowBytes));
    }
    bytesOf(planes);
  }
  for (let first: usize = 0; first < 128; first += 16) {
    const bytes = scratch + first;
    interleave(
      v128.load(bytes),
      v128.load(bytes, 256),
      v128.load(bytes, 512),
      v128.load(bytes, 768),
      v128.load(bytes, 1024),
      v128.load(bytes, 1280),
      v128.load(bytes, 1536),
      v128.load(bytes, 1792),
      words,
    );
    for (let word: usize = 0; word < 128; word += 8, y += width) store<u64>(y, load<u64>(words + word));
  }
}

/** Four sums of each of four outputs, as those of four rows. */
@inline
function turned(a: v128, b: v128, c: v128, d: v128, y: usize): void {
  const ab = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const cd = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  v128.store(y, v128.shuffle<i64>(ab, cd, 0, 2));
  v128.store(y, v128.shuffle<i64>(ab, cd, 1, 3), 16);
  const ab1 = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const cd1 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  v128.store(y, v128.shuffle<i64>(ab1, cd1, 0, 2), 32);
  v128.store(y, v128.shuffle<i64>(ab1, cd1, 1, 3), 48);
}

/**
 * The sums of many rows at once, with the parts of inputs and weights exchanged: 128 rows are the lanes of a vector
 * for every input, and the weights of +1 of an output are the events that add them up.
 *
 * @param list int32, numbers of the rows; up to 63 numbers are written behind them
 * @param sets int32 [rows], how many bits of each are set, by the number of the row
 * @param scratch `sliceBytes` bytes
 */
export function sliceRows(
  x: usize,
  rowBytes: usize,
  list: usize,
  rows: usize,
  sets: usize,
  w: usize,
  y: usize,
  outputs: usize,
  bytes: usize,
  stride: usize,
  shift: i32,
  scratch: usize,
): void {
  const width = sliceWidth(rows);
  const slices = scratch + eventBytes(bytes, width << 3);
  const sums = slices + width * (bytes << 3);
  const spare = sums + width * 128;
  // What is behind the last row is computed and forgotten.
  for (let row = rows; row & (BLOCK - 1); row++) store<u32>(list + (row << 2), load<u32>(list));
  for (let row: usize = 0; row < rows; row += BLOCK) {
    for (let at: usize = 0; at < bytes; at += 16) {
      sliceBlock(x + at, rowBytes, list + (row << 2), slices + (at << 3) * width + (row >> 3), width, spare);
    }
  }
  memory.fill(scratch, 0, width);
  const apart = width << 5;
  for (let output: usize = 0; output < outputs; output += 4, y += 16) {
    for (let each: usize = 0; each < 4; each++, w += bytes) {
      store<i32>(spare + 64 + (each << 2), population(w, bytes));
      eventRow(w, bytes, slices, sums + each * apart, width << 3, 0, scratch);
    }
    // 2 · |x ∧ w| − |w| is there, 2 · |x ∧ w| − |x| is wanted.
    const weights = v128.load(spare, 64);
    for (let row: usize = 0; row < rows; row += 4) {
      const four = sums + (row << 2);
      turned(v128.load(four), v128.load(four + apart), v128.load(four + 2 * apart), v128.load(four + 3 * apart), spare);
      const count = min<usize>(4, rows - row);
      for (let each: usize = 0; each < count; each++) {
        const number = load<u32>(list + ((row + each) << 2));
        const set = v128.load32_splat(sets + (number << 2));
        put(y + number * stride, i32x4.sub(i32x4.add(v128.load(spare + (each << 4)), weights), set), shift);
      }
    }
  }
}
