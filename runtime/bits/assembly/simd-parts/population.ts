/** Bytes → four sums of 32 bits. */
@inline
export function widen(bytes: v128): v128 {
  return i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(bytes));
}

/** How many bits are set. `bytes` is a multiple of 16. */
export function population(x: usize, bytes: usize): i32 {
  let sum = i64x2.splat(0);
  for (let at: usize = 0; at < bytes; at += 16) {
    sum = i32x4.add(sum, widen(i8x16.popcnt(v128.load(x + at))));
  }
  return (
    i32x4.extract_lane(sum, 0) +
    i32x4.extract_lane(sum, 1) +
    i32x4.extract_lane(sum, 2) +
    i32x4.extract_lane(sum, 3)
  );
}
