export {
  type AugmentationKind,
  augmentations,
  augmentationSchema,
  type AugmentationSpec,
} from './augment/index.ts';
export { fillTargets, shuffledOrder } from './batches.ts';
export {
  type Dataset,
  type Split,
  checkDataset,
  exampleBytes,
  exampleSize,
  firstExamples,
} from './dataset.ts';
export { encodedDataset, encoderFor } from './encoded.ts';
export { type IdxArray, type IdxOptions, idx, readIdx } from './formats/idx.ts';
export { mnist } from './mnist.ts';
export {
  type BatchFiller,
  batchFiller,
  type BatchOptions,
  batchOptionsSchema,
  type BatchSource,
  countBatches,
  openBatches,
  planBatches,
  sharedData,
} from './pipeline/index.ts';
export { shiftImage } from './shift.ts';
export { checkRecordings, type Recordings, takeRecordings } from './recordings.ts';
export { givenBy, openDataset, openRecordings } from './source.ts';
export { regressionArrays } from './formats/regression-arrays.ts';
export {
  checkRegressionDataset,
  firstRegressionExamples,
  isRecordings,
  isRegression,
  type NumberData,
  outputNamesOf,
  outputsOf,
  type RegressionDataset,
  type TrainingData,
} from './regression.ts';
export { heldOutCount, splitData } from './split.ts';
