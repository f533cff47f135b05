/** Which bytes are above 0, one bit each, as the kernel of the same name with SIMD. */
export function packBytes(x: usize, y: usize, rows: i32, count: usize, bytes: usize): void {
  for (let row = 0; row < rows; row++, x += count, y += bytes) {
    for (let at: usize = 0; at < count; at += 8) {
      let found = 0;
      const stop = min<usize>(8, count - at);
      for (let lane: usize = 0; lane < stop; lane++) found |= <i32>(load<u8>(x + at + lane) != 0) << <i32>lane;
      store<u8>(y + (at >> 3), <u8>found);
    }
  }
}

/** The lowest `planes` bits of bytes, plane by plane, as the kernel of the same name with SIMD. */
export function packPlanes(
  x: usize,
  y: usize,
  rows: i32,
  count: usize,
  bytes: usize,
  planes: i32,
  stride: usize,
): void {
  for (let row = 0; row < rows; row++, x += stride) {
    for (let plane = 0; plane < planes; plane++, y += bytes) {
      for (let at: usize = 0; at < count; at += 8) {
        let found = 0;
        const stop = min<usize>(8, count - at);
        for (let lane: usize = 0; lane < stop; lane++) {
          found |= ((load<u8>(x + at + lane) >> <u8>plane) & 1) << <i32>lane;
        }
        store<u8>(y + (at >> 3), <u8>found);
      }
    }
  }
}
