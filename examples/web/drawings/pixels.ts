/** Images made of other images, and of chance: as bytes of 28 × 28. */
import type { Random } from 'bitspike';
import { digitOf, type Ink } from '../src/image.ts';
import { between, inkOfStrokes, padSide, type Point, type Stroke } from './strokes.ts';

const side = 28;
/** Finer, so that strokes can be thinner and thicker by parts of a pixel. */
const fine = 84;

/** The brightness of an image between its pixels, 0 … 1. */
function sampleOf(image: Uint8Array, x: number, y: number): number {
  const [left, top] = [Math.floor(x - 0.5), Math.floor(y - 0.5)];
  const [right, down] = [x - 0.5 - left, y - 0.5 - top];
  const pixel = (column: number, row: number): number =>
    column < 0 || row < 0 || column >= side || row >= side ? 0 : (image[row * side + column] as number) / 255;
  return (
    (1 - down) * ((1 - right) * pixel(left, top) + right * pixel(left + 1, top)) +
    down * ((1 - right) * pixel(left, top + 1) + right * pixel(left + 1, top + 1))
  );
}

/**
 * A digit as another hand would write it: turned by up to 12°, slanted, stretched, with a thinner or thicker pen, and
 * put in the middle as the page does it.
 */
export function anotherHand(image: Uint8Array, random: Random): Uint8Array {
  const angle = between(-0.21, 0.21, random);
  const slant = between(-0.2, 0.2, random);
  const stretch = Math.exp(between(-0.2, 0.2, random));
  // What is brighter than this becomes ink.
  const edge = between(0.2, 0.7, random);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const data = new Float32Array(fine * fine);
  for (let row = 0; row < fine; row++) {
    for (let column = 0; column < fine; column++) {
      const [x, y] = [((column + 0.5) / fine - 0.5) * side, ((row + 0.5) / fine - 0.5) * side];
      const [right, down] = [cos * x + sin * y, cos * y - sin * x];
      const value = sampleOf(image, (right + slant * down) * stretch + side / 2, down + side / 2);
      data[row * fine + column] = Math.min(1, Math.max(0, 0.5 + 3 * (value - edge)));
    }
  }
  return digitOf({ width: fine, height: fine, data }) ?? image;
}

/** Two digits beside each other, as a number is written. */
export function besides(left: Uint8Array, right: Uint8Array): Uint8Array {
  const width = 2 * side - 12;
  const data = new Float32Array(width * side);
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const at = row * width + column;
      data[at] = Math.max(data[at] as number, (left[row * side + column] as number) / 255);
      const moved = at + width - side;
      data[moved] = Math.max(data[moved] as number, (right[row * side + column] as number) / 255);
    }
  }
  return digitOf({ width, height: side, data }) as Uint8Array;
}

/** A digit with dots and lines across it. @param pen its width in pixels of the pad */
export function spoiled(image: Uint8Array, pen: number, random: Random): Uint8Array {
  const near = ([x, y]: Point, most: number): Point => [
    x + between(-most, most, random),
    y + between(-most, most, random),
  ];
  const marks = Array.from({ length: 3 + random.nextBelow(3) }, (): Stroke => {
    const from = near([0.5, 0.5], 0.3);
    return [from, near(from, random.nextBelow(2) ? 0.03 : 0.35)];
  });
  const ink = inkOfStrokes(marks, pen);
  ink.data.forEach((value, at) => {
    const [column, row] = [at % padSide, Math.floor(at / padSide)];
    const own = sampleOf(image, ((column + 0.5) * side) / padSide, ((row + 0.5) * side) / padSide);
    ink.data[at] = Math.max(value, own);
  });
  return bytesOf(ink);
}

/** Patches of chance, from single pixels to large ones. */
export function noise(random: Random): Uint8Array {
  const patch = 1 + random.nextBelow(5);
  const bright = between(0.15, 0.6, random);
  const columns = Math.ceil(side / patch);
  const isSoft = random.nextBelow(2) === 1;
  const values = Array.from({ length: columns * columns }, () =>
    isSoft ? random.nextUniform() : Number(random.nextUniform() < bright),
  );
  return Uint8Array.from({ length: side * side }, (_, pixel) => {
    const [column, row] = [Math.floor((pixel % side) / patch), Math.floor(pixel / side / patch)];
    return Math.round(255 * (values[row * columns + column] as number));
  });
}

/** What the page makes of ink. @throws where there is none */
export function bytesOf(ink: Ink): Uint8Array {
  const digit = digitOf(ink);
  if (!digit) throw new Error('the drawing is empty');
  return digit;
}
