/** Sums of real inputs under real weights, as the kernel of the same name with SIMD. */
export function floatDense(x: usize, w: usize, y: usize, rows: i32, inputs: i32, width: usize, xStride: usize, yStride: usize): void {
  for (let row = 0; row < rows; row++, x += xStride, y += yStride) {
    for (let output: usize = 0; output < width; output++) {
      let sum: f32 = 0;
      let weights = w + output * 4;
      for (let input = 0; input < inputs; input++, weights += width * 4) {
        sum += load<f32>(x + input * 4) * load<f32>(weights);
      }
      store<f32>(y + output * 4, sum);
    }
  }
}

/** The same under weights of −1 and +1, one bit each. */
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
  for (let row = 0; row < rows; row++, x += xStride, y += yStride) {
    for (let output: usize = 0; output < width; output++) {
      let sum: f32 = 0;
      let weights = t + (output >> 3);
      for (let input = 0; input < inputs; input++, weights += tBytes) {
        const value = load<f32>(x + input * 4);
        sum += (load<u8>(weights) >> <u8>(output & 7)) & 1 ? value : -value;
      }
      store<f32>(y + output * 4, sum);
    }
  }
}
