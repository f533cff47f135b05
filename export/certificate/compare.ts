import type { DeviceResult } from '../../schemas/certificate.ts';
import type { Answers, AnswerRows, SpikeTrain } from './answers.ts';

/** Of spikes that are not exact, how many may differ, as a part of all. */
const FEW = 1e-3;

/** By how much numbers that are not exact may differ, as a part of the largest of the output where that is above 1. */
const LITTLE = 1e-4;

const bitsOf = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1;
  return count;
});

/** How many bits are 1. */
export function countBits(packed: Uint8Array): number {
  let count = 0;
  for (const byte of packed) count += bitsOf[byte] as number;
  return count;
}

/** How many spikes differ, and in which examples: these are marked. */
function differingIn(one: SpikeTrain, other: SpikeTrain, marked: Uint8Array): number {
  let differing = 0;
  for (let index = 0; index < one.packed.length; index++) {
    const bits = bitsOf[(one.packed[index] as number) ^ (other.packed[index] as number)] as number;
    if (bits === 0) continue;
    differing += bits;
    marked[Math.floor(index / one.stride)] = 1;
  }
  return differing;
}

/** By layer, how many spikes are in one of the two alone; and which examples have any. */
export function differingSpikes(reference: Answers, found: Answers) {
  const marked = new Uint8Array(reference.examples);
  const byLayer: Record<string, number> = {};
  for (const [name, train] of reference.layers) {
    const other = found.layers.get(name);
    if (!other || other.packed.length !== train.packed.length)
      throw new Error(`${name} is not the same layer`);
    const differing = differingIn(train, other, marked);
    if (differing > 0) byLayer[name] = differing;
  }
  return { byLayer, marked };
}

/** The largest difference of any number, over examples that are not marked. */
export function largestDifference(one: AnswerRows, other: AnswerRows, marked: Uint8Array): number {
  let largest = 0;
  for (let index = 0; index < one.rows.length; index++) {
    const [a, b] = [one.rows[index] as number, other.rows[index] as number];
    if (Object.is(a, b) || marked[Math.floor(index / one.width)]) continue;
    const difference = Math.abs(a - b);
    if (!(difference <= largest)) largest = Number.isFinite(difference) ? difference : Number.MAX_VALUE;
  }
  return largest;
}

function sameBits(one: Float32Array, other: Float32Array): boolean {
  const [a, b] = [one, other].map(
    ({ buffer, byteOffset, length }) => new Int32Array(buffer, byteOffset, length),
  );
  return (a as Int32Array).every((bits, index) => bits === (b as Int32Array)[index]);
}

function topOf({ rows, width }: AnswerRows, example: number): number {
  let top = 0;
  for (let index = 1; index < width; index++)
    if ((rows[example * width + index] as number) > (rows[example * width + top] as number)) top = index;
  return top;
}

/** Holds what a device gave against the reference. */
export function compareAnswers(reference: Answers, found: Answers): Omit<DeviceResult, 'name' | 'detail'> {
  const { byLayer, marked } = differingSpikes(reference, found);
  const outputs: Record<string, { identical: boolean; largestDifference: number }> = {};
  let isDifferent = false;
  let differingPredictions = 0;
  for (const [name, { exact, values }] of reference.layers)
    if ((byLayer[name] ?? 0) > (exact ? 0 : values * FEW)) isDifferent = true;
  for (const [name, expected] of reference.outputs) {
    const other = found.outputs.get(name);
    if (!other) throw new Error(`there is no output ${name}`);
    const identical = sameBits(expected.rows, other.rows);
    const largest = largestDifference(expected, other, marked);
    outputs[name] = { identical, largestDifference: largest };
    const scale = expected.rows.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    if (expected.exact ? !identical : largest > LITTLE * Math.max(1, scale)) isDifferent = true;
    if (name !== 'logits' && name !== 'probabilities') continue;
    let differing = 0;
    for (let example = 0; example < reference.examples; example++)
      if (!marked[example] && topOf(expected, example) !== topOf(other, example)) differing++;
    differingPredictions = Math.max(differingPredictions, differing);
  }
  const isIdentical = Object.keys(byLayer).length === 0;
  const verdict = isDifferent ? 'different' : isIdentical ? 'identical' : 'close';
  return { verdict, differingSpikes: byLayer, differingPredictions, outputs };
}
