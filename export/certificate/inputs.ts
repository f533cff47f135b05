import { sizeOf } from '../../schemas/layer.ts';
import { type Model, placesOf, stepsOf } from '../../schemas/model.ts';
import { Random } from '../../schemas/random.ts';

/** Examples of a network: [examples, …], time before features where it has time. */
export interface Examples {
  readonly count: number;
  /** The examples from `start` on, `count` of them. */
  take(start: number, count: number): Uint8Array | Float32Array;
}

/** Numbers in one example. */
export const exampleSize = (model: Model): number => stepsOf(model) * sizeOf(model.input.shape);

/** Examples that are there already. */
export function givenExamples(model: Model, inputs: Uint8Array | Float32Array): Examples {
  const size = exampleSize(model);
  return {
    count: inputs.length / size,
    take: (start, count) => inputs.subarray(start * size, (start + count) * size),
  };
}

/** How many of its numbers are not 0, example after example: so that neurons of every sensitivity fire. */
const densities = [0.02, 0.1, 0.3, 0.6, 1];

/** The largest of its bytes, turn by turn: a spike, a few, or the light of a pixel. */
const largest = [255, 1, 3];

/**
 * Seeded examples that make neurons fire: of several densities, and of small and large numbers. Each depends on the
 * seed and its own place alone.
 *
 * Real inputs are −2 … 2 in steps of 1/256: sums of them with signs are the same in any order.
 */
export function seededExamples(model: Model, count: number, seed: number): Examples {
  const size = exampleSize(model);
  const isBytes = model.input.type === 'uint8';
  const fill = (example: Uint8Array | Float32Array, index: number): void => {
    const random = Random.fromSeed(seed, `certificate ${index}`);
    const density = densities[index % densities.length] as number;
    const most = largest[index % largest.length] as number;
    for (let at = 0; at < size; at++) {
      if (density < 1 && random.nextUniform() >= density) continue;
      example[at] = isBytes ? 1 + random.nextBelow(most) : (random.nextBelow(1025) - 512) / 256;
    }
  };
  return {
    count,
    take(start, length) {
      const taken = isBytes ? new Uint8Array(length * size) : new Float32Array(length * size);
      for (let index = 0; index < length; index++)
        fill(taken.subarray(index * size, (index + 1) * size), start + index);
      return taken;
    },
  };
}

/** Multiplications that the reference may do for a certificate, some ten seconds of them. */
const WORK = 1e10;

/** How many seeded examples are enough, and not too many: 1000, of large networks and long sequences fewer. */
export function defaultCount(model: Model, members: number): number {
  let work = 1;
  for (const { spec, layer, steps, input, output } of placesOf(model)) {
    for (const { role, shape } of Object.values(layer.parameters(spec, input, steps))) {
      if (role !== 'weight') continue;
      // A filter is used once for every place of the plane that it makes.
      work += sizeOf(shape) * (shape.length === 4 ? sizeOf(output) / (output.at(-1) as number) : 1);
    }
  }
  return Math.min(1000, Math.max(10, Math.floor(WORK / (work * stepsOf(model) * members))));
}

/**
 * Noise for the graph inputs of a network that takes its noise from outside: sums of twelve uniform numbers less 6
 * (mean 0, variance 1), which need no function that machines may compute otherwise.
 */
export function seededNoise(name: string, example: number, size: number, seed: number): Float32Array {
  const random = Random.fromSeed(seed, `certificate ${name} ${example}`);
  return Float32Array.from({ length: size }, () => {
    let sum = -6;
    for (let term = 0; term < 12; term++) sum += random.nextBelow(2 ** 16) / 2 ** 16;
    return sum;
  });
}
