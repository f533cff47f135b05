/** Digits drawn by code, in more than one style each: what people draw on the pad, to judge networks with. */
import type { Random } from 'bitspike';
import { arc, byHand, oneOf, type Point, shaken, smooth, type Stroke } from './strokes.ts';

type Style = (random: Random) => readonly Stroke[];

/** Points that a hand aims at, and how near it comes, in parts of the height. */
const shake = 0.025;

const straight =
  (...points: Point[]): Style =>
  (random) => [shaken(points, shake, random)];
const curved =
  (...points: Point[]): Style =>
  (random) => [smooth(shaken(points, shake, random))];
const together =
  (...styles: Style[]): Style =>
  (random) =>
    styles.flatMap((style) => style(random));

/** The styles of each digit, 0.6 wide and 1 high. */
const styles: readonly (readonly Style[])[] = [
  [
    () => [arc([0.3, 0.5], [0.3, 0.5], -0.25, 0.75)],
    curved(
      [0.34, 0.02],
      [0.05, 0.2],
      [0, 0.6],
      [0.22, 0.98],
      [0.52, 0.84],
      [0.6, 0.42],
      [0.4, 0.03],
      [0.26, 0.06],
    ),
  ],
  [straight([0.3, 0], [0.3, 1]), straight([0.1, 0.2], [0.32, 0], [0.32, 1]), straight([0.4, 0], [0.25, 1])],
  [
    curved(
      [0.03, 0.24],
      [0.2, 0.02],
      [0.5, 0.08],
      [0.54, 0.34],
      [0.3, 0.66],
      [0.02, 0.98],
      [0.3, 0.97],
      [0.62, 0.96],
    ),
    together(
      curved([0.02, 0.2], [0.28, 0], [0.55, 0.18], [0.42, 0.5], [0.02, 1]),
      straight([0.02, 1], [0.6, 1]),
    ),
  ],
  [
    curved(
      [0.04, 0.12],
      [0.3, 0],
      [0.53, 0.18],
      [0.44, 0.4],
      [0.2, 0.47],
      [0.46, 0.54],
      [0.57, 0.78],
      [0.32, 1],
      [0, 0.88],
    ),
    together(
      straight([0.04, 0], [0.54, 0], [0.22, 0.42]),
      curved([0.22, 0.42], [0.52, 0.5], [0.56, 0.82], [0.26, 1], [0, 0.88]),
    ),
  ],
  [
    together(straight([0.1, 0], [0.02, 0.56], [0.6, 0.56]), straight([0.45, 0.2], [0.43, 1])),
    straight([0.44, 1], [0.44, 0], [0, 0.66], [0.62, 0.66]),
    together(straight([0.36, 0.02], [0, 0.6], [0.6, 0.58]), straight([0.48, 0.3], [0.4, 1])),
  ],
  [
    together(
      straight([0.52, 0.02], [0.12, 0.02], [0.08, 0.44]),
      curved([0.08, 0.44], [0.36, 0.36], [0.57, 0.6], [0.46, 0.9], [0.2, 1], [0, 0.88]),
    ),
    curved([0.54, 0.02], [0.16, 0.04], [0.1, 0.42], [0.36, 0.4], [0.56, 0.64], [0.4, 0.96], [0.02, 0.94]),
  ],
  [
    curved(
      [0.46, 0.02],
      [0.2, 0.2],
      [0.04, 0.58],
      [0.12, 0.92],
      [0.38, 0.99],
      [0.55, 0.78],
      [0.42, 0.56],
      [0.2, 0.58],
      [0.06, 0.74],
    ),
    curved(
      [0.3, 0],
      [0.08, 0.4],
      [0.06, 0.82],
      [0.3, 1],
      [0.52, 0.84],
      [0.44, 0.6],
      [0.2, 0.6],
      [0.08, 0.76],
    ),
  ],
  [
    straight([0, 0.03], [0.56, 0.03], [0.2, 1]),
    straight([0, 0.02], [0.56, 0], [0.42, 0.4], [0.28, 1]),
    together(straight([0.02, 0], [0.58, 0], [0.2, 1]), straight([0.14, 0.5], [0.52, 0.48])),
  ],
  [
    curved(
      [0.5, 0.12],
      [0.26, 0],
      [0.08, 0.2],
      [0.3, 0.46],
      [0.54, 0.74],
      [0.3, 1],
      [0.06, 0.76],
      [0.28, 0.48],
      [0.52, 0.24],
      [0.44, 0.08],
    ),
    together(
      () => [arc([0.3, 0.24], [0.22, 0.24], 0.25, 1.25)],
      () => [arc([0.3, 0.74], [0.28, 0.26], -0.25, 0.75)],
    ),
  ],
  [
    curved(
      [0.54, 0.2],
      [0.36, 0.01],
      [0.08, 0.14],
      [0.1, 0.42],
      [0.36, 0.46],
      [0.54, 0.18],
      [0.52, 0.6],
      [0.46, 1],
    ),
    together(() => [arc([0.28, 0.25], [0.26, 0.25], 0, 1)], straight([0.54, 0.25], [0.5, 1])),
  ],
];

/** A digit in one of its styles, of any size and anywhere on the pad. */
export function drawnDigit(digit: number, random: Random): Stroke[] {
  const style = oneOf(styles[digit] as readonly Style[], random);
  return byHand(style(random), { turn: 0.2, slant: 0.2, stretch: 1.2, size: [0.4, 0.85] }, random);
}
