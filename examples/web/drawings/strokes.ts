/** Drawings by code: what a pen leaves on the pad of the page. */
import type { Random } from 'bitspike';
import type { Ink } from '../src/image.ts';

/** Parts of the pad: 0 … 1, x to the right and y down. */
export type Point = readonly [x: number, y: number];

/** What the pen passes from where it is put down to where it is lifted. */
export type Stroke = readonly Point[];

/** Pixels of the pad along each side, and of its pen. */
export const padSide = 280;
export const padPen = 22;

/** A number uniform between two. */
export const between = (from: number, to: number, random: Random): number =>
  from + (to - from) * random.nextUniform();

/** One of some things, each as probable. */
export const oneOf = <Item>(items: readonly Item[], random: Random): Item =>
  items[random.nextBelow(items.length)] as Item;

/** Draws strokes with a round pen. @param pen its width in pixels of the pad */
export function inkOfStrokes(strokes: readonly Stroke[], pen = padPen): Ink {
  const data = new Float32Array(padSide * padSide);
  for (const stroke of strokes) {
    const points = stroke.map(([x, y]): Point => [x * padSide, y * padSide]);
    // A stroke of one point is a dot.
    points.forEach((to, index) => addSegment(data, points[Math.max(0, index - 1)] ?? to, to, pen / 2));
  }
  return { width: padSide, height: padSide, data };
}

/** Ink is full within the radius and ends within a pixel around it. */
function addSegment(data: Float32Array, [fromX, fromY]: Point, [toX, toY]: Point, radius: number): void {
  const [alongX, alongY] = [toX - fromX, toY - fromY];
  const length = alongX ** 2 + alongY ** 2;
  const first = (a: number, b: number) => Math.max(0, Math.floor(Math.min(a, b) - radius - 1));
  const last = (a: number, b: number) => Math.min(padSide - 1, Math.ceil(Math.max(a, b) + radius + 1));
  for (let row = first(fromY, toY); row <= last(fromY, toY); row++) {
    for (let column = first(fromX, toX); column <= last(fromX, toX); column++) {
      const [x, y] = [column + 0.5 - fromX, row + 0.5 - fromY];
      const part = length === 0 ? 0 : Math.min(1, Math.max(0, (x * alongX + y * alongY) / length));
      const distance = Math.sqrt((x - part * alongX) ** 2 + (y - part * alongY) ** 2);
      const at = row * padSide + column;
      data[at] = Math.max(data[at] as number, Math.min(1, Math.max(0, radius + 0.5 - distance)));
    }
  }
}

/** A smooth line through points (Catmull and Rom 1974), as a stroke of short straight ones. */
export function smooth(points: readonly Point[], parts = 8): Stroke {
  const at = (index: number): Point => points[Math.min(points.length - 1, Math.max(0, index))] as Point;
  const line: Point[] = [at(0)];
  for (let index = 0; index + 1 < points.length; index++) {
    const [before, from, to, after] = [at(index - 1), at(index), at(index + 1), at(index + 2)];
    const along = (axis: 0 | 1, t: number): number =>
      0.5 *
      (2 * from[axis] +
        (to[axis] - before[axis]) * t +
        (2 * before[axis] - 5 * from[axis] + 4 * to[axis] - after[axis]) * t ** 2 +
        (3 * (from[axis] - to[axis]) + after[axis] - before[axis]) * t ** 3);
    for (let part = 1; part <= parts; part++) line.push([along(0, part / parts), along(1, part / parts)]);
  }
  return line;
}

/** Part of an ellipse. @param from and @param to turns: 0 is to the right, ¼ down */
export const arc = ([x, y]: Point, [width, height]: Point, from: number, to: number, parts = 20): Stroke =>
  Array.from({ length: parts + 1 }, (_, part): Point => {
    const angle = 2 * Math.PI * (from + ((to - from) * part) / parts);
    return [x + width * Math.cos(angle), y + height * Math.sin(angle)];
  });

/** How a hand varies what it writes. */
export interface Hand {
  /** Radians either way. */
  readonly turn: number;
  /** How far the top may lean against the bottom, in parts of the height. */
  readonly slant: number;
  /** Width against height, at most this factor either way. */
  readonly stretch: number;
  /** The longer side, in parts of the pad. */
  readonly size: readonly [least: number, most: number];
}

/** Turns, slants, stretches and scales strokes at random, and puts them anywhere on the pad. */
export function byHand(strokes: readonly Stroke[], hand: Hand, random: Random): Stroke[] {
  const angle = between(-hand.turn, hand.turn, random);
  const slant = between(-hand.slant, hand.slant, random);
  const stretch = Math.exp(between(-1, 1, random) * Math.log(hand.stretch));
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const turned = strokes.map((stroke) =>
    stroke.map(([x, y]): Point => {
      const [right, down] = [(x - slant * y) * stretch, y];
      return [cos * right - sin * down, sin * right + cos * down];
    }),
  );
  const xs = turned.flatMap((stroke) => stroke.map(([x]) => x));
  const ys = turned.flatMap((stroke) => stroke.map(([, y]) => y));
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const [width, height] = [Math.max(...xs) - left, Math.max(...ys) - top];
  const scale = between(hand.size[0], hand.size[1], random) / Math.max(width, height, 1e-6);
  const margin = 0.06;
  const free = (size: number) => between(margin, Math.max(margin, 1 - margin - scale * size), random);
  const [right, down] = [free(width), free(height)];
  return turned.map((stroke) =>
    stroke.map(([x, y]): Point => [right + scale * (x - left), down + scale * (y - top)]),
  );
}

/** Moves every point a little, each by itself. @param most along each axis */
export const shaken = (points: readonly Point[], most: number, random: Random): Point[] =>
  points.map(([x, y]): Point => [x + between(-most, most, random), y + between(-most, most, random)]);
