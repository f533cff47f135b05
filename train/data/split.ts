import { UserError } from '../../schemas/errors.ts';
import { Random } from '../../schemas/random.ts';
import { exampleBytes } from './dataset.ts';
import { takeRecordings } from './recordings.ts';
import { isRecordings, isRegression, type TrainingData } from './regression.ts';

/** How many examples are held out of training. */
export const heldOutCount = (count: number, part: number): number => Math.round(count * part);

/**
 * Parts data into what a network learns from and what it is judged on meanwhile. The part held out is chosen by
 * the seed, and holds of every class as near as whole examples can the same part. Both keep the order they had.
 *
 * @param part to hold out, above 0 and below 1
 * @throws UserError where one of the two would hold no example
 */
export function splitData<Data extends TrainingData>(
  data: Data,
  part: number,
  seed: number,
): { training: Data; validation: Data } {
  const wanted = heldOutCount(data.count, part);
  if (wanted === 0 || wanted === data.count) {
    throw new UserError(
      `train: validation ${part} of the ${data.count} examples of ${data.name} leaves ${wanted === 0 ? 'none to be judged on' : 'none to learn from'}; ${wanted === 0 ? 'raise' : 'lower'} it`,
    );
  }
  const groups = groupsOf(data);
  const random = Random.fromSeed(seed, 'validation split');
  // As many of each group as its part, rounded down; those that are missing go to the largest remainders.
  const exact = groups.map(({ length }) => (length * wanted) / data.count);
  const counts = exact.map(Math.floor);
  const missing = wanted - counts.reduce((sum, count) => sum + count, 0);
  const remainder = (group: number): number => exact[group]! - counts[group]!;
  const order = groups.map((_, group) => group).sort((a, b) => remainder(b) - remainder(a) || a - b);
  for (const group of order.slice(0, missing)) counts[group]!++;

  const held = new Uint8Array(data.count);
  groups.forEach((examples, group) => {
    random.shuffle(examples);
    for (const example of examples.subarray(0, counts[group])) held[example] = 1;
  });
  const indices = Uint32Array.from({ length: data.count }, (_, index) => index);
  return {
    training: takeExamples(
      data,
      indices.filter((index) => !held[index]),
      'training part',
    ),
    validation: takeExamples(
      data,
      indices.filter((index) => held[index]),
      'validation part',
    ),
  };
}

/** The examples of each class; those of a regression are of one. */
function groupsOf(data: TrainingData): Uint32Array[] {
  const indices = Uint32Array.from({ length: data.count }, (_, index) => index);
  if (isRegression(data)) return [indices];
  return Array.from({ length: data.classes }, (_, label) =>
    indices.filter((index) => data.labels[index] === label),
  );
}

/** Copies of some examples, in that order. */
function takeExamples<Data extends TrainingData>(data: Data, indices: Uint32Array, called: string): Data {
  const name = `${data.name} (${called})`;
  if (isRecordings(data)) return { ...takeRecordings(data, indices), name } as Data;
  const rows = <Numbers extends Uint8Array | Float32Array>(numbers: Numbers, width: number): Numbers => {
    const taken = numbers.slice(0, indices.length * width) as Numbers;
    indices.forEach((index, row) => {
      taken.set(numbers.subarray(index * width, (index + 1) * width), row * width);
    });
    return taken;
  };
  const answers = isRegression(data)
    ? { targets: rows(data.targets, data.outputs) }
    : { labels: rows(data.labels, 1) };
  return {
    ...data,
    ...answers,
    name,
    inputs: rows(data.inputs, exampleBytes(data)),
    count: indices.length,
  };
}
