import { sizeOf } from '../schemas/layer.ts';
import { type Model, placesOf, stepsOf } from '../schemas/model.ts';
import type { TrainingData } from './data/index.ts';
import type { TrainingOptions } from './options.ts';
import { stepOf } from './train.ts';

/** What a training holds in memory, in bytes. */
export interface MemoryEstimate {
  /** The examples, as they are kept. */
  readonly data: number;
  /** Learned numbers, what the optimiser keeps of them, and their gradients; all but these five times while an epoch ends. */
  readonly parameters: number;
  /** What a step keeps of its forward pass for its gradients, and the noise and inputs that it is fed. */
  readonly activations: number;
}

const FLOAT = Float32Array.BYTES_PER_ELEMENT;

/**
 * Tensors that a step holds for each output of a layer while it makes gradients: mean, variance, what a neuron makes of
 * them, and their gradients. Measured: docs/cli.md.
 */
const TENSORS_PER_OUTPUT = 8;

const total = (shapes: Readonly<Record<string, readonly number[]>>): number =>
  Object.values(shapes).reduce((sum, shape) => sum + sizeOf(shape), 0);

/** The state itself, copies of it to look at and to save, as tensors of files, and as their bytes. */
const COPIES_OF_STATE = 5;

/** About how much memory a training takes, beside what Node and the engine take for themselves. */
export function estimateMemory(model: Model, data: TrainingData, options: TrainingOptions): MemoryEstimate {
  const { learned, state, feeds } = stepOf(model, options);
  // Segments that are computed anew are held one at a time.
  const steps = options.checkpointing?.every ?? stepsOf(model);
  const rows = options.batchSize * options.noiseSamples * steps;
  const outputs = placesOf(model).reduce((sum, { output }) => sum + sizeOf(output), 0);
  return {
    data: (Object.values(data) as unknown[]).reduce<number>(
      (sum, value) => sum + (ArrayBuffer.isView(value) ? value.byteLength : 0),
      0,
    ),
    parameters: FLOAT * (COPIES_OF_STATE * total(state) + total(learned)),
    activations: FLOAT * (TENSORS_PER_OUTPUT * rows * outputs + total(feeds)),
  };
}
