import { type Shape, sizeOf } from '../../../schemas/layer.ts';
import { Random } from '../../../schemas/random.ts';
import { fillTargets, shuffledOrder } from '../batches.ts';
import { outputsOf } from '../regression.ts';
import { exampleWriter } from './example.ts';
import { batchesOf, type BatchPlan, examplesIn } from './plan.ts';

/** Fills batches in the thread that calls it: all that a worker does, and all there is without workers. */
export interface BatchFiller {
  readonly steps: number;
  /** Of one example at one step. */
  readonly shape: Shape;
  /** Width of a row of targets. */
  readonly classes: number;
  /** Lengths of the arrays of a whole batch. */
  readonly inputs: number;
  readonly targets: number;

  /** As `BatchSource.fill`. @throws RangeError where there is no such batch or an array has another length */
  fill(epoch: number, index: number, inputs: Float32Array, targets: Float32Array): void;

  /**
   * Fills the inputs of any examples, [steps, examples, …shape]: what a network is judged on.
   *
   * @throws RangeError where there is no such example, or the array has another length
   */
  fillInputs(epoch: number, examples: Uint32Array, inputs: Float32Array): void;
}

export function batchFiller(plan: BatchPlan): BatchFiller {
  const { data, batchSize, copies, seed, smoothing } = plan;
  const { count } = data;
  const { steps, shape, overwrites, write } = exampleWriter(plan);
  const size = sizeOf(shape);
  const classes = outputsOf(data);
  const rows = batchSize * copies;
  const lengths = { inputs: steps * rows * size, targets: rows * classes };

  /** Writes the examples into the first rows of each step. */
  const writeRows = (epoch: number, examples: Uint32Array, inputs: Float32Array, rows: number): void => {
    if (!overwrites) inputs.fill(0);
    const stride = rows * size;
    examples.forEach((example, row) => {
      write(example, epoch, { values: inputs, start: row * size, stride });
    });
  };

  let order: { readonly epoch: number; readonly examples: Uint32Array } | undefined;
  const orderOf = (epoch: number): Uint32Array => {
    if (order?.epoch !== epoch) {
      // Drawn from the epoch's own stream, so that any batch can be made without those before it.
      const examples = plan.shuffle
        ? shuffledOrder(count, Random.fromSeed(seed, `order ${epoch}`))
        : Uint32Array.from({ length: count }, (_, example) => example);
      order = { epoch, examples };
    }
    return order.examples;
  };

  return {
    steps,
    shape,
    classes,
    ...lengths,

    fill(epoch, index, inputs, targets) {
      checkBatch(plan, lengths, epoch, index, inputs, targets);
      const start = index * batchSize;
      const own = orderOf(epoch).subarray(start, start + examplesIn(plan, index));
      // A smaller batch is filled up with what it holds.
      const examples = Uint32Array.from({ length: batchSize }, (_, row) => own[row % own.length]!);
      writeRows(epoch, examples, inputs, rows);
      if (copies > 1) repeatRows(inputs, rows * size, batchSize * size);
      const first = targets.subarray(0, batchSize * classes);
      fillTargets(data, examples, first, smoothing);
      for (let copy = 1; copy < copies; copy++) targets.set(first, copy * first.length);
    },

    fillInputs(epoch, examples, inputs) {
      const stray = examples.find((example) => example >= count);
      if (stray !== undefined) throw new RangeError(`a batch names example ${stray} of ${count}`);
      const expected = steps * examples.length * size;
      if (inputs.length !== expected) {
        throw new RangeError(`the batch's array holds ${inputs.length}; expected ${expected}`);
      }
      writeRows(epoch, examples, inputs, examples.length);
    },
  };
}

/** Copies the first `width` numbers of every `stride` over the others. */
function repeatRows(inputs: Float32Array, stride: number, width: number): void {
  for (let start = 0; start < inputs.length; start += stride) {
    for (let at = width; at < stride; at += width) inputs.copyWithin(start + at, start, start + width);
  }
}

/** @throws RangeError where the plan has no such batch, or an array does not hold just one */
export function checkBatch(
  plan: BatchPlan,
  lengths: Pick<BatchFiller, 'inputs' | 'targets'>,
  epoch: number,
  index: number,
  inputs: Float32Array,
  targets: Float32Array,
): void {
  const batches = batchesOf(plan);
  if (!Number.isInteger(epoch) || epoch < 0 || !Number.isInteger(index) || index < 0 || index >= batches) {
    throw new RangeError(`no batch ${index} in epoch ${epoch} of ${plan.data.name}: an epoch has ${batches}`);
  }
  if (inputs.length !== lengths.inputs || targets.length !== lengths.targets) {
    throw new RangeError(
      `the batch's arrays hold ${inputs.length} and ${targets.length}; expected ${lengths.inputs} and ${lengths.targets}`,
    );
  }
}
