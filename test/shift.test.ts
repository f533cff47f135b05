import { describe, expect, it } from 'vitest';
import { shiftImage } from '../train/data/index.ts';

/** What moving is, by its definition: each pixel comes from where the move began, or is 0. */
function moved(
  image: Float32Array,
  [height, width, channels]: [number, number, number],
  down: number,
  right: number,
) {
  return Float32Array.from(image, (_, place) => {
    const channel = place % channels;
    const column = Math.floor(place / channels) % width;
    const row = Math.floor(place / channels / width);
    const [from, across] = [row - down, column - right];
    const inside = from >= 0 && from < height && across >= 0 && across < width;
    return inside ? image[(from * width + across) * channels + channel]! : 0;
  });
}

describe('shiftImage', () => {
  it('moves images of any shape by any distance', () => {
    for (const shape of [
      [4, 5, 1],
      [3, 3, 2],
      [1, 6, 3],
      [5, 1, 1],
    ] as [number, number, number][]) {
      const image = Float32Array.from({ length: shape[0] * shape[1] * shape[2] }, (_, place) => place + 1);
      for (let down = -6; down <= 6; down++) {
        for (let right = -6; right <= 6; right++) {
          const found = image.slice();
          shiftImage(found, shape, down, right);
          expect(found, `${shape} by ${down}, ${right}`).toEqual(moved(image, shape, down, right));
        }
      }
    }
  });
});
