/**
 * Scales a run of numbers down to the length `limit` if it is longer; returns the length it had.
 *
 * Squares are summed in double precision, which no float32 can overflow. `gradient` is a byte offset into the
 * memory. `count` is rounded up to a multiple of four: what lies behind must be zeros.
 */
export function clip(gradient: usize, count: usize, limit: f64): f64 {
  const end = count * 4;
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (let at: usize = 0; at < end; at += 16) {
    const g = v128.load(gradient + at);
    const first = f64x2.promote_low_f32x4(g);
    const last = f64x2.promote_low_f32x4(v128.shuffle<f32>(g, g, 2, 3, 2, 3));
    low = f64x2.add(low, f64x2.mul(first, first));
    high = f64x2.add(high, f64x2.mul(last, last));
  }
  const sums = f64x2.add(low, high);
  const norm = Math.sqrt(f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1));
  if (norm > limit) {
    const factors = f32x4.splat(<f32>(limit / norm));
    for (let at: usize = 0; at < end; at += 16)
      v128.store(gradient + at, f32x4.mul(v128.load(gradient + at), factors));
  }
  return norm;
}
