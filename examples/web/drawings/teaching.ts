/** What the networks of the page learn from. */
import { Random } from 'bitspike';
import type { Dataset } from 'bitspike/train';
import { anotherHand, besides, bytesOf, noise, spoiled } from './pixels.ts';
import { drawnScribble, scribbles } from './scribbles.ts';
import { between, inkOfStrokes } from './strokes.ts';

const size = 784;

/** Image by image. */
export function imagesOf(count: number, image: (index: number) => Uint8Array): Uint8Array {
  const images = new Uint8Array(count * size);
  for (let index = 0; index < count; index++) images.set(image(index), index * size);
  return images;
}

/** One image of many, as a view. */
export const imageAt = (images: Uint8Array, index: number): Uint8Array =>
  images.subarray(index * size, (index + 1) * size);

/** Pixels of the pad that a pen may be wide: thinner and thicker than the page's own. */
export const penOf = (random: Random): number => between(14, 30, random);

/** Signs stand nearest to digits, and are shown most often. */
const kinds = [...Object.values(scribbles), scribbles.sign, scribbles.sign];

type Strange = (digit: () => Uint8Array, random: Random) => Uint8Array;

/** What is no digit: scribbles, patches of chance, two digits beside each other, digits with marks across them. */
const strange: readonly Strange[] = [
  ...kinds.map(
    (kind): Strange =>
      (_, random) =>
        bytesOf(inkOfStrokes(drawnScribble(kind, random), penOf(random))),
  ),
  (_, random) => noise(random),
  (digit) => besides(digit(), digit()),
  (digit, random) => spoiled(digit(), penOf(random), random),
  (digit, random) => spoiled(digit(), penOf(random), random),
];

/**
 * Digits, the same in another hand, and what is no digit, with a label by lot: of these nothing can be learnt but that
 * every answer is as likely as any other, which is the entropy that the page takes for doubt. In expectation over the
 * lots their loss is the cross-entropy with the uniform distribution, which is outlier exposure (Hendrycks, Mazeika and
 * Dietterich 2019, arXiv 1812.04606).
 *
 * @param count of what is no digit
 */
export function teaching(digits: Dataset, count: number, seed: number): Dataset {
  const hands = Random.fromSeed(seed, 'other hands');
  const others = Random.fromSeed(seed, 'no digits');
  const anyDigit = () => imageAt(digits.inputs, others.nextBelow(digits.count));
  const lots = Random.fromSeed(seed, 'labels by lot');
  const parts = [
    digits.inputs,
    imagesOf(digits.count, (index) => anotherHand(imageAt(digits.inputs, index), hands)),
    imagesOf(count, (index) => (strange[index % strange.length] as Strange)(anyDigit, others)),
  ];
  const labels = [digits.labels, digits.labels, Uint8Array.from({ length: count }, () => lots.nextBelow(10))];
  return {
    ...digits,
    name: `${digits.name}, in other hands, and scribbles`,
    inputs: Buffer.concat(parts),
    labels: Buffer.concat(labels),
    count: 2 * digits.count + count,
  };
}

/** A dataset of some examples of another. */
export const examplesOf = (dataset: Dataset, from: number, to: number): Dataset => ({
  ...dataset,
  inputs: dataset.inputs.subarray(from * size, to * size),
  labels: dataset.labels.subarray(from, to),
  count: to - from,
});

/** The same digits in another hand. */
export const inAnotherHand = (digits: Dataset, seed: number): Dataset => {
  const random = Random.fromSeed(seed, 'another hand');
  return {
    ...digits,
    inputs: imagesOf(digits.count, (index) => anotherHand(imageAt(digits.inputs, index), random)),
  };
};
