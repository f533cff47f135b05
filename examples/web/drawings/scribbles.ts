/** What is no digit: drawn by code, so that a seed gives as many as are wanted. */
import type { Random } from 'bitspike';
import { letters } from './letters.ts';
import { arc, between, byHand, oneOf, type Point, shaken, smooth, type Stroke } from './strokes.ts';

type Scribble = (random: Random) => readonly Stroke[];

const anywhere = (random: Random): Point => [random.nextUniform(), random.nextUniform()];
const many = <Item>(least: number, most: number, random: Random, make: (index: number) => Item): Item[] =>
  Array.from({ length: least + random.nextBelow(most - least + 1) }, (_, index) => make(index));

/** A straight line through the middle, or near it. */
function ray(turn: number, off: number, random: Random): Stroke {
  const angle = 2 * Math.PI * turn;
  const reach = between(0.35, 0.5, random);
  const [x, y] = [0.5 + between(-off, off, random), 0.5 + between(-off, off, random)];
  const [right, down] = [reach * Math.cos(angle), reach * Math.sin(angle)];
  return [
    [x - right, y - down],
    [x + right, y + down],
  ];
}

const letter =
  (...some: (keyof typeof letters)[]): Scribble =>
  (random) =>
    letters[oneOf(some, random)].map((stroke) => shaken(stroke, 0.03, random));

/** Kinds that the networks are taught to doubt. */
export const scribbles = {
  /** One to three smooth lines to and fro. */
  tangle: (random) =>
    many(1, 3, random, () =>
      smooth(
        many(6, 12, random, () => anywhere(random)),
        6,
      ),
    ),
  /** From side to side, downwards. */
  zigzag: (random) => {
    const turns = 5 + random.nextBelow(7);
    return [
      Array.from(
        { length: turns },
        (_, turn): Point => [
          (turn % 2) + between(-0.15, 0.15, random),
          turn / turns + between(-0.05, 0.05, random),
        ],
      ),
    ];
  },
  /** Lines through one point: crosses and asterisks. */
  asterisk: (random) => {
    const count = 2 + random.nextBelow(4);
    const start = random.nextUniform();
    return Array.from({ length: count }, (_, index) =>
      ray(start + (index + between(-0.15, 0.15, random)) / (2 * count), 0.05, random),
    );
  },
  /** Lines that cross anywhere. */
  sticks: (random) => many(3, 6, random, () => ray(random.nextUniform(), 0.3, random)),
  /** Lines and bows between the nine points of a grid: signs of no script. */
  sign: (random) =>
    many(3, 5, random, () => {
      const from: Point = [random.nextBelow(3) / 2, random.nextBelow(3) / 2];
      const to: Point = [random.nextBelow(3) / 2, random.nextBelow(3) / 2];
      const bow: Point = [
        (from[0] + to[0]) / 2 + between(-0.3, 0.3, random),
        (from[1] + to[1]) / 2 + between(-0.3, 0.3, random),
      ];
      return random.nextBelow(2) ? [from, to] : smooth([from, bow, to]);
    }),
  /** Dots beside each other, or a single one. */
  dots: (random) => many(1, 8, random, () => [anywhere(random)]),
  /** An area filled from side to side. */
  blot: (random) => {
    const narrow = between(0, 1, random);
    return [
      Array.from({ length: 16 }, (_, line): Point => {
        const half = 0.5 - 0.5 * narrow * Math.abs(line / 7.5 - 1);
        return [0.5 + (line % 2 ? half : -half), line / 15];
      }),
    ];
  },
  /** Writing: bows one after another. */
  script: (random) => {
    const count = 3 + random.nextBelow(4);
    const height = between(0.3, 0.8, random);
    return [
      smooth(
        Array.from(
          { length: 2 * count },
          (_, index): Point => [
            index / (2 * count) + between(-0.06, 0.06, random),
            (index % 2 ? height : 0) + between(-0.12, 0.12, random),
          ],
        ),
      ),
    ];
  },
  letter: letter('A', 'E', 'K', 'N', 'T', 'W'),
} as const satisfies Record<string, Scribble>;

/** Kinds that the networks never saw in training, to judge them with. */
export const unseenScribbles = {
  otherLetter: letter('F', 'H', 'M', 'R', 'X'),
  /** From the middle outwards. */
  spiral: (random) => {
    const turns = between(2.2, 4, random);
    return [
      Array.from({ length: 60 }, (_, index): Point => {
        const angle = 2 * Math.PI * turns * (index / 59);
        return [0.5 + 0.5 * (index / 59) * Math.cos(angle), 0.5 + 0.5 * (index / 59) * Math.sin(angle)];
      }),
    ];
  },
  /** Five points without lifting the pen. */
  star: (random) => [
    shaken(
      Array.from({ length: 6 }, (_, index): Point => {
        const angle = 2 * Math.PI * ((2 * index) / 5 - 0.25);
        return [0.5 + 0.5 * Math.cos(angle), 0.5 + 0.5 * Math.sin(angle)];
      }),
      0.03,
      random,
    ),
  ],
  face: (random) => [
    arc([0.5, 0.5], [0.5, 0.5], 0, 1),
    shaken([[0.34, 0.36]], 0.03, random),
    shaken([[0.66, 0.36]], 0.03, random),
    arc([0.5, 0.55], [0.24, 0.2], 0.08, 0.42),
  ],
  house: (random) => [
    shaken(
      [
        [0, 0.45],
        [0.5, 0],
        [1, 0.45],
        [1, 1],
        [0, 1],
        [0, 0.45],
        [1, 0.45],
      ],
      0.02,
      random,
    ),
  ],
  /** A grid of lines. */
  grid: (random) => {
    const count = 2 + random.nextBelow(2);
    const places = Array.from({ length: count }, (_, index) => (index + 1) / (count + 1));
    return [
      ...places.map(
        (x): Stroke =>
          shaken(
            [
              [x, 0],
              [x, 1],
            ],
            0.03,
            random,
          ),
      ),
      ...places.map(
        (y): Stroke =>
          shaken(
            [
              [0, y],
              [1, y],
            ],
            0.03,
            random,
          ),
      ),
    ];
  },
} as const satisfies Record<string, Scribble>;

/** A scribble of any size and anywhere on the pad. */
export function drawnScribble(kind: Scribble, random: Random): Stroke[] {
  return byHand(kind(random), { turn: 0.2, slant: 0.15, stretch: 1.25, size: [0.4, 0.88] }, random);
}
