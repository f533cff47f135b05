/** From data to the batches of a training, in this thread or ahead of it in workers. */
export { type BatchFiller, batchFiller } from './fill.ts';
export { openBatches } from './open.ts';
export {
  type BatchOptions,
  batchOptionsSchema,
  type BatchPlan,
  countBatches,
  planBatches,
  sharedData,
} from './plan.ts';
export type { BatchSource } from './source.ts';
