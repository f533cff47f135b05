/**
 * Moves one image in place; what comes in at its borders is 0.
 *
 * @param image height × width × channels values, or height × width
 * @param down rows to move down, and @param right columns to move right; negative for up and left
 */
export function shiftImage(
  image: Float32Array,
  [height = 1, width = 1, channels = 1]: readonly number[],
  down: number,
  right: number,
): void {
  const row = width * channels;
  const offset = down * row + right * channels;
  const kept = height * row - Math.abs(offset);
  if (Math.abs(down) >= height || Math.abs(right) >= width || kept <= 0) {
    image.fill(0);
    return;
  }
  if (offset > 0) image.copyWithin(offset, 0, kept).fill(0, 0, offset);
  else if (offset < 0) image.copyWithin(0, -offset).fill(0, kept);
  // Moved as one run of numbers, rows spill into their neighbours.
  const [from, to] = right > 0 ? [0, right * channels] : [row + right * channels, row];
  if (right !== 0)
    for (let start = 0; start < image.length; start += row) image.fill(0, start + from, start + to);
}
