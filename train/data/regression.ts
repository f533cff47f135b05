import { UserError } from '../../schemas/errors.ts';
import { type Dataset, exampleBytes } from './dataset.ts';
import type { Recordings } from './recordings.ts';

/** Examples whose answers are real numbers. */
export interface RegressionDataset extends Pick<Dataset, 'name' | 'shape' | 'steps' | 'scale' | 'count'> {
  /** count × steps × product(shape) numbers, row-major; the network sees number × scale. */
  readonly inputs: Uint8Array | Float32Array;
  /** [count, outputs], row-major. */
  readonly targets: Float32Array;
  readonly outputs: number;
  /** One name per output; `output 0`, … unless given. */
  readonly outputNames?: readonly string[];
}

/** Examples of numbers, not of events. */
export type NumberData = Dataset | RegressionDataset;

/** What a network can be trained on. */
export type TrainingData = NumberData | Recordings;

export const isRecordings = (data: TrainingData): data is Recordings => 'offsets' in data;

export const isRegression = (data: TrainingData): data is RegressionDataset => 'targets' in data;

/** How many numbers a network answers each example with. */
export const outputsOf = (data: TrainingData): number => (isRegression(data) ? data.outputs : data.classes);

/** What each of them is called. */
export const outputNamesOf = (data: TrainingData): readonly string[] =>
  isRegression(data)
    ? (data.outputNames ?? Array.from({ length: data.outputs }, (_, index) => `output ${index}`))
    : data.classNames;

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value > 0;

/**
 * The dataset given, once its parts are known to fit together.
 *
 * @throws UserError naming the first field that does not fit
 */
export function checkRegressionDataset(data: RegressionDataset): RegressionDataset {
  const { name, inputs, shape, scale, targets, outputs, count } = data;
  const expect = (holds: boolean, field: string, problem: string): void => {
    if (!holds) throw new UserError(`data ${name}: ${field} ${problem}`);
  };
  expect(isCount(count), 'count', `is ${count}; expected at least one example`);
  expect(isCount(outputs), 'outputs', `is ${outputs}; expected a whole number of 1 or more`);
  expect(shape.every(isCount), 'shape', `is [${shape.join(', ')}]; expected sizes of 1 or more`);
  const sizes: [string, ArrayLike<number>, number][] = [
    ['inputs', inputs, exampleBytes(data)],
    ['targets', targets, outputs],
  ];
  for (const [field, numbers, size] of sizes) {
    const { length } = numbers;
    expect(length === count * size, field, `holds ${length} numbers; expected ${count} examples × ${size}`);
    const bad = numbers instanceof Float32Array ? numbers.findIndex((value) => !Number.isFinite(value)) : -1;
    expect(bad < 0, `number ${bad} of ${field}`, `is ${numbers[bad]}; expected finite numbers`);
  }
  expect(Number.isFinite(scale) && scale > 0, 'scale', `is ${scale}; expected a number above 0`);
  const names = outputNamesOf(data).length;
  expect(names === outputs, 'outputNames', `holds ${names}; expected one per output, ${outputs}`);
  return data;
}

/** The first `count` examples, or all where there are fewer; a view, nothing is copied. @param count 1 or more */
export function firstRegressionExamples(data: RegressionDataset, count: number): RegressionDataset {
  const taken = Math.min(count, data.count);
  return {
    ...data,
    inputs: data.inputs.subarray(0, taken * exampleBytes(data)),
    targets: data.targets.subarray(0, taken * data.outputs),
    count: taken,
  };
}
