/**
 * Which bytes are above 0, one bit each; bits after a row's last are 0.
 *
 * @param x bytes [rows][count], one row after another; 16 bytes behind them may be read
 * @param y bits [rows][bytes]
 */
export function packBytes(x: usize, y: usize, rows: i32, count: usize, bytes: usize): void {
  const zero = i64x2.splat(0);
  for (let row = 0; row < rows; row++, x += count, y += bytes) {
    let at: usize = 0;
    for (; at + 16 <= count; at += 16) {
      store<u16>(y + (at >> 3), <u16>i8x16.bitmask(i8x16.ne(v128.load(x + at), zero)));
    }
    if (at < count) {
      const mask = i8x16.bitmask(i8x16.ne(v128.load(x + at), zero));
      store<u16>(y + (at >> 3), <u16>(mask & ((1 << <i32>(count - at)) - 1)));
    }
  }
}

/**
 * The lowest `planes` bits of bytes, plane by plane.
 *
 * @param x bytes [rows], `stride` apart
 * @param y bits [rows][planes][bytes]
 */
export function packPlanes(
  x: usize,
  y: usize,
  rows: i32,
  count: usize,
  bytes: usize,
  planes: i32,
  stride: usize,
): void {
  for (let row = 0; row < rows; row++, x += stride, y += bytes * planes) {
    for (let at: usize = 0; at < count; at += 16) {
      const left = <i32>(count - at);
      const kept = left < 16 ? (1 << left) - 1 : 0xffff;
      const v = v128.load(x + at);
      let target = y + (at >> 3);
      for (let plane = 0; plane < planes; plane++, target += bytes) {
        store<u16>(target, <u16>(i8x16.bitmask(i8x16.shl(v, 7 - plane)) & kept));
      }
    }
  }
}
