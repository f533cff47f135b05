/** How often the page would answer, how often it would be right, and how often it would doubt. */
import { Random } from 'bitspike';
import type { LoadedNetwork } from 'bitspike/runtime';
import { drawnDigit } from './digits.ts';
import { besides, bytesOf, noise, spoiled } from './pixels.ts';
import { drawnScribble, scribbles, unseenScribbles } from './scribbles.ts';
import { inkOfStrokes } from './strokes.ts';
import { imageAt, imagesOf, penOf } from './teaching.ts';

export interface Judged {
  /** Part of the images that are answered: their entropy is not above the doubt. */
  readonly answered: number;
  /** Part of all images whose likeliest class is right, and of those that are answered. */
  readonly accuracy: number;
  readonly accuracyOfAnswered: number;
}

const part = (some: number, all: number): number => some / Math.max(1, all);

/** @param doubt entropy in nats above which the page does not answer; @param labels of images that are digits */
export async function judge(
  network: LoadedNetwork,
  doubt: number,
  images: Uint8Array,
  labels: ArrayLike<number> = [],
): Promise<Judged> {
  const answers = await network.classify(images);
  const isRight = answers.map(({ label }, index) => label === labels[index]);
  const isAnswered = answers.map(({ entropy }) => entropy <= doubt);
  const answered = isAnswered.filter(Boolean).length;
  return {
    answered: part(answered, answers.length),
    accuracy: part(isRight.filter(Boolean).length, answers.length),
    accuracyOfAnswered: part(isRight.filter((right, index) => right && isAnswered[index]).length, answered),
  };
}

/** The entropy that all but a part of the images stay below. */
export async function entropyThatKeeps(
  network: LoadedNetwork,
  images: Uint8Array,
  part: number,
): Promise<number> {
  const entropies = (await network.classify(images)).map(({ entropy }) => entropy).sort((a, b) => a - b);
  return entropies[Math.ceil(part * entropies.length) - 1] as number;
}

/** Digits drawn by code, one class after another. */
export function drawnDigits(count: number, seed: number): { images: Uint8Array; labels: Uint8Array } {
  const random = Random.fromSeed(seed, 'drawn digits');
  return {
    images: imagesOf(count, (index) => bytesOf(inkOfStrokes(drawnDigit(index % 10, random), penOf(random)))),
    labels: Uint8Array.from({ length: count }, (_, index) => index % 10),
  };
}

/** Names of scribbles that training has other examples of, and of those that it has none of. */
export const taughtKinds = Object.keys(scribbles) as (keyof typeof scribbles)[];
export const unseenKinds = Object.keys(unseenScribbles) as (keyof typeof unseenScribbles)[];

/** Scribbles of one kind. */
export function drawnScribbles(
  kind: (typeof taughtKinds)[number] | (typeof unseenKinds)[number],
  count: number,
  seed: number,
): Uint8Array {
  const random = Random.fromSeed(seed, `drawn ${kind}`);
  const { [kind]: draw } = { ...scribbles, ...unseenScribbles };
  return imagesOf(count, () => bytesOf(inkOfStrokes(drawnScribble(draw, random), penOf(random))));
}

export function noises(count: number, seed: number): Uint8Array {
  const random = Random.fromSeed(seed, 'noises');
  return imagesOf(count, () => noise(random));
}

/** Two of some digits beside each other. */
export function pairs(digits: Uint8Array, count: number, seed: number): Uint8Array {
  const random = Random.fromSeed(seed, 'pairs');
  const any = () => imageAt(digits, random.nextBelow(digits.length / 784));
  return imagesOf(count, () => besides(any(), any()));
}

/** Some digits, one at a time, with marks across them. */
export function spoiledOnes(digits: Uint8Array, count: number, seed: number): Uint8Array {
  const random = Random.fromSeed(seed, 'spoiled');
  const any = () => imageAt(digits, random.nextBelow(digits.length / 784));
  return imagesOf(count, () => spoiled(any(), penOf(random), random));
}
