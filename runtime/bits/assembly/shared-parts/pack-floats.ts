/** Which of 32-bit floats are 1, one bit each, of rows `stride` bytes apart; returns 0 where one is neither 0 nor 1. */
export function packFloats(x: usize, y: usize, rows: i32, count: usize, bytes: usize, stride: usize): i32 {
  let fine = true;
  for (let row = 0; row < rows; row++, x += stride, y += bytes) {
    for (let at: usize = 0; at < count; at += 8) {
      let found = 0;
      const stop = min<usize>(8, count - at);
      for (let lane: usize = 0; lane < stop; lane++) {
        const value = load<f32>(x + ((at + lane) << 2));
        if (value == 1) found |= 1 << <i32>lane;
        else if (value != 0) fine = false;
      }
      store<u8>(y + (at >> 3), <u8>found);
    }
  }
  return <i32>fine;
}
