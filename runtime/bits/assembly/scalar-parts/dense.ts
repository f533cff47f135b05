/** How many bits are set. `bytes` is a multiple of 16. */
function population(x: usize, bytes: usize): i32 {
  let sum: i64 = 0;
  for (let at: usize = 0; at < bytes; at += 8) sum += popcnt(load<i64>(x + at));
  return <i32>sum;
}

/** Bytes of scratch for so many rows: none. */
export function denseScratch(_rows: i32, _outputs: usize, _bytes: usize): usize {
  return 0;
}

/**
 * Sums of whole inputs under weights of −1 and +1, as the kernel of the same name with SIMD: `t`, `limit` and
 * `scratch` are its alone.
 */
export function dense(
  x: usize,
  w: usize,
  _t: usize,
  y: usize,
  rows: i32,
  outputs: usize,
  bytes: usize,
  planes: i32,
  stride: usize,
  _limit: i32,
  _scratch: usize,
): void {
  for (let row = 0; row < rows; row++, y += stride) {
    for (let plane = 0; plane < planes; plane++, x += bytes) {
      const set = population(x, bytes);
      let weights = w;
      for (let output: usize = 0; output < outputs; output++) {
        let sum: i64 = 0;
        for (let at: usize = 0; at < bytes; at += 8, weights += 8) {
          sum += popcnt(load<i64>(x + at) & load<i64>(weights));
        }
        const signed = (2 * <i32>sum - set) << plane;
        const target = y + output * 4;
        store<i32>(target, plane ? load<i32>(target) + signed : signed);
      }
    }
  }
}
