/**
 * Sums of real inputs under real weights, y[row][output] = Σ_input x · w, added up input by input.
 *
 * @param x float32 [rows][inputs]
 * @param w float32 [inputs][width]; width is a multiple of 16 numbers, as is that of y
 * @param y float32 [rows][width], rows `yStride` bytes apart
 */
export function floatDense(x: usize, w: usize, y: usize, rows: i32, inputs: i32, width: usize, xStride: usize, yStride: usize): void {
  const bytes = width * 4;
  for (let row = 0; row < rows; row++, x += xStride, y += yStride) {
    for (let at: usize = 0; at < bytes; at += 64) {
      let a = f32x4.splat(0);
      let b = a;
      let c = a;
      let d = a;
      let weights = w + at;
      for (let input = 0; input < inputs; input++, weights += bytes) {
        const v = v128.load32_splat(x + input * 4);
        a = f32x4.add(a, f32x4.mul(v, v128.load(weights)));
        b = f32x4.add(b, f32x4.mul(v, v128.load(weights, 16)));
        c = f32x4.add(c, f32x4.mul(v, v128.load(weights, 32)));
        d = f32x4.add(d, f32x4.mul(v, v128.load(weights, 48)));
      }
      v128.store(y + at, a);
      v128.store(y + at, b, 16);
      v128.store(y + at, c, 32);
      v128.store(y + at, d, 48);
    }
  }
}

@inline
function signed(v: v128, bits: v128, chosen: v128): v128 {
  // A bit that is not set turns the sign.
  const off = i32x4.eq(v128.and(bits, chosen), i32x4.splat(0));
  return v128.xor(v, v128.and(off, i32x4.splat(i32.MIN_VALUE)));
}

/**
 * The same under weights of −1 and +1, one bit each.
 *
 * @param t bits [inputs][tBytes]
 */
export function signedDense(
  x: usize,
  t: usize,
  y: usize,
  rows: i32,
  inputs: i32,
  width: usize,
  xStride: usize,
  yStride: usize,
  tBytes: usize,
): void {
  const first = i32x4(1, 2, 4, 8);
  const second = i32x4(16, 32, 64, 128);
  const third = i32x4(256, 512, 1024, 2048);
  const fourth = i32x4(4096, 8192, 16384, 32768);
  for (let row = 0; row < rows; row++, x += xStride, y += yStride) {
    for (let at: usize = 0; at < width; at += 16) {
      let a = f32x4.splat(0);
      let b = a;
      let c = a;
      let d = a;
      let weights = t + (at >> 3);
      for (let input = 0; input < inputs; input++, weights += tBytes) {
        const v = v128.load32_splat(x + input * 4);
        const bits = i32x4.splat(load<u16>(weights));
        a = f32x4.add(a, signed(v, bits, first));
        b = f32x4.add(b, signed(v, bits, second));
        c = f32x4.add(c, signed(v, bits, third));
        d = f32x4.add(d, signed(v, bits, fourth));
      }
      const target = y + at * 4;
      v128.store(target, a);
      v128.store(target, b, 16);
      v128.store(target, c, 32);
      v128.store(target, d, 48);
    }
  }
}
