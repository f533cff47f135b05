import { batchFiller } from './fill.ts';
import { batchesOf, type BatchOptions, examplesIn, planBatches } from './plan.ts';
import type { TrainingData } from '../regression.ts';
import type { BatchSource } from './source.ts';
import { WorkerBatches } from './worker-batches.ts';

/**
 * Opens data as batches: examples in the order of the epoch, varied by the augmentations, made into steps by the
 * encoder. The data, seed and options decide every number; the number of workers and the batch one begins with don't.
 *
 * @throws UserError for options that do not fit, damaged data, and an encoder or augmentation that does not go with them
 */
export function openBatches(data: TrainingData, options: BatchOptions): BatchSource {
  const { plan, workers } = planBatches(data, options);
  const filler = batchFiller(plan);
  if (workers > 0) return new WorkerBatches(plan, filler, workers);
  let isClosed = false;
  return {
    steps: filler.steps,
    shape: filler.shape,
    classes: filler.classes,
    count: data.count,
    batches: batchesOf(plan),
    examplesIn: (index) => examplesIn(plan, index),
    async fill(...batch) {
      if (isClosed) throw new Error(`batches of ${data.name}: closed`);
      filler.fill(...batch);
    },
    close: async () => {
      isClosed = true;
    },
  };
}
