import { UserError } from '../../schemas/errors.ts';

/** Which half of the data: the one to learn from or the one to be judged on. */
export type Split = 'train' | 'test';

/** Labelled examples, held as bytes: the value of a byte is byte × scale. */
export interface Dataset {
  /** What messages and reports call it, such as `mnist train`. */
  readonly name: string;
  /** count × steps × product(shape) bytes, row-major. */
  readonly inputs: Uint8Array;
  /** Of one example at one step, such as [28, 28]. */
  readonly shape: readonly number[];
  /** How many steps of time each example has; 1 unless given. */
  readonly steps?: number;
  /** An encoder made them: a network takes them as they are. */
  readonly encoded?: true;
  /** Value of one unit of a byte: 1/255 for images, so that values lie in 0 … 1. */
  readonly scale: number;
  /** The class of each example, 0 … classes − 1. */
  readonly labels: Uint8Array;
  readonly count: number;
  readonly classes: number;
  /** One name per class. */
  readonly classNames: readonly string[];
}

/** A label is one byte. */
const mostClasses = 256;

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value > 0;

/** How many values one example holds at one step. */
export const exampleSize = (shape: readonly number[]): number => shape.reduce((size, axis) => size * axis, 1);

/** How many bytes one example holds, over all its steps. */
export const exampleBytes = ({ shape, steps = 1 }: Pick<Dataset, 'shape' | 'steps'>): number =>
  steps * exampleSize(shape);

/**
 * The dataset given, once its parts are known to fit together.
 *
 * @throws UserError naming the first field that does not fit.
 */
export function checkDataset(dataset: Dataset): Dataset {
  const { name, inputs, shape, scale, labels, count, classes, classNames } = dataset;
  const expect = (holds: boolean, field: string, problem: string): void => {
    if (!holds) throw new UserError(`data ${name}: ${field} ${problem}`);
  };
  expect(isCount(count), 'count', `is ${count}; expected at least one example`);
  expect(shape.every(isCount), 'shape', `is [${shape.join(', ')}]; expected sizes of 1 or more`);
  const { steps = 1 } = dataset;
  expect(isCount(steps), 'steps', `is ${steps}; expected a whole number of 1 or more`);
  const size = exampleBytes(dataset);
  expect(
    inputs.length === count * size,
    'inputs',
    `holds ${inputs.length} bytes; expected ${count} examples × ${size} bytes`,
  );
  expect(Number.isFinite(scale) && scale > 0, 'scale', `is ${scale}; expected a number above 0`);
  expect(labels.length === count, 'labels', `holds ${labels.length}; expected one per example, ${count}`);
  expect(
    isCount(classes) && classes <= mostClasses,
    'classes',
    `is ${classes}; expected a whole number, 1 … ${mostClasses}`,
  );
  expect(
    classNames.length === classes,
    'classNames',
    `holds ${classNames.length}; expected one per class, ${classes}`,
  );
  const stray = labels.findIndex((label) => label >= classes);
  expect(
    stray < 0,
    `label of example ${stray}`,
    `is ${labels[stray]}; expected below ${classes}, the number of classes`,
  );
  return dataset;
}

/**
 * The first `count` examples, or all where there are fewer; a view, nothing is copied.
 *
 * @throws UserError where `count` is not a whole number of 1 or more.
 */
export function firstExamples(dataset: Dataset, count: number): Dataset {
  if (!isCount(count)) {
    throw new UserError(
      `data ${dataset.name}: cannot take ${count} examples; expected a whole number above 0`,
    );
  }
  const taken = Math.min(count, dataset.count);
  return {
    ...dataset,
    inputs: dataset.inputs.subarray(0, taken * exampleBytes(dataset)),
    labels: dataset.labels.subarray(0, taken),
    count: taken,
  };
}
