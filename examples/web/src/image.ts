/** Drawings and pictures as the networks want digits: 28 × 28 bytes, as MNIST was made. */

/** Ink of a drawing: 0 … 1, row by row. */
export interface Ink {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

/** Below this a pixel is paper. */
const leastInk = 0.08;

/** Samples of the drawing along each side of a pixel of the digit. */
const samples = 8;

/**
 * Fits the longer side of a drawing into 20 pixels and puts its centre of mass in the middle of 28 × 28.
 *
 * @returns 784 bytes; undefined where there is no ink
 */
export function digitOf({ width, height, data }: Ink): Uint8Array | undefined {
  let [left, right, top, bottom] = [width, -1, height, -1];
  let [mass, massX, massY] = [0, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const ink = data[y * width + x] as number;
      if (ink < leastInk) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
      mass += ink;
      massX += ink * (x + 0.5);
      massY += ink * (y + 0.5);
    }
  }
  if (right < 0) return undefined;
  // A speck is not blown up to a blot: what it could be, nobody knows.
  const size = Math.max(right - left + 1, bottom - top + 1, 0.25 * Math.max(width, height));
  const step = size / 20;
  const [centreX, centreY] = [massX / mass, massY / mass];
  const digit = new Uint8Array(784);
  for (let row = 0; row < 28; row++) {
    for (let column = 0; column < 28; column++) {
      let sum = 0;
      for (let sample = 0; sample < samples * samples; sample++) {
        const x = Math.floor(centreX + (column - 14 + ((sample % samples) + 0.5) / samples) * step);
        const y = Math.floor(centreY + (row - 14 + (Math.floor(sample / samples) + 0.5) / samples) * step);
        if (x >= 0 && x < width && y >= 0 && y < height) sum += data[y * width + x] as number;
      }
      digit[row * 28 + column] = Math.round((255 * sum) / (samples * samples));
    }
  }
  return digit;
}

/**
 * Finds the ink of a picture: whatever differs from the paper at its border, be it dark on light or light on dark.
 *
 * @param pixels RGBA, row by row
 */
export function inkOf(pixels: Uint8ClampedArray, width: number, height: number): Ink {
  const grey = Float32Array.from({ length: width * height }, (_, index) => {
    const [red = 0, green = 0, blue = 0, alpha = 0] = pixels.subarray(4 * index, 4 * index + 4);
    // What shows through is white paper.
    return ((0.299 * red + 0.587 * green + 0.114 * blue) * alpha + 255 * (255 - alpha)) / (255 * 255);
  });
  const border = grey.filter((_, index) => {
    const [x, y] = [index % width, Math.floor(index / width)];
    return x === 0 || y === 0 || x === width - 1 || y === height - 1;
  });
  const paper = border.sort()[border.length >> 1] as number;
  const contrast = grey.map((value) => Math.abs(value - paper));
  const most = contrast.reduce((largest, value) => Math.max(largest, value), 0);
  // Paper is never even: the weakest third is taken for it, and the strongest for full ink.
  const data = contrast.map((value) =>
    most < 0.1 ? 0 : Math.min(1, Math.max(0, (value / most - 0.35) / 0.35)),
  );
  return { width, height, data };
}
