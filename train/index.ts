/** Data → posterior: `import { mnist, train } from 'bitspike/train'`. */
export {
  type AugmentationKind,
  augmentations,
  augmentationSchema,
  type AugmentationSpec,
  type BatchOptions,
  type BatchSource,
  openBatches,
  type Dataset,
  checkDataset,
  firstExamples,
  countBatches,
  heldOutCount,
  isRecordings,
  isRegression,
  regressionArrays,
  type RegressionDataset,
  splitData,
  type TrainingData,
  idx,
  type IdxOptions,
  mnist,
  type NumberData,
  openDataset,
  openRecordings,
  type Recordings,
  type Split,
} from './data/index.ts';
export {
  analyticalGumbelRao,
  type Estimator,
  type EstimatorKind,
  estimators,
  gumbelSoftmax,
  importanceWeighted,
  type Spike,
  straightThrough,
  straightThroughGumbelSoftmax,
  surrogate,
} from './estimators/index.ts';
export {
  type Bias,
  type Examples,
  examplesOf,
  type Figure,
  type Figures,
  type Measured,
  type MeasuredLayer,
  type Measurement,
  measureEstimators,
  type MeasureOptions,
} from './lab/index.ts';
export type { PenaltyForm } from './objective.ts';
export type { OptimiserKind, OptimiserOptions } from './optimisers/index.ts';
export { type TrainingOptions, type TrainingSettings, trainingOptionsSchema } from './options.ts';
export { noisyRates } from './noisy-rates.ts';
export { type NoisyPredictionOptions, predictNoisy } from './predict-noisy.ts';
export {
  type FolderRunOptions,
  type KeepOptions,
  resumeTraining,
  trainInFolder,
} from './run-folder.ts';
export { resumeInWorker, trainInWorker, type WorkerRunOptions } from './worker/train-in-worker.ts';
export { bestStep, loadTraining, type SavedTraining } from './saved-training.ts';
export { historyName, readHistory } from './history.ts';
export type { FiringFigures, LayerFigures, MonitorFigures } from './monitor.ts';
export type { NoiseState } from './noise/noise-source.ts';
export type {
  EpochFigures,
  EpochTotals,
  LoopHooks,
  MonitorProgress,
  Progress,
  TrainingState,
  ValidationProgress,
} from './progress.ts';
export type { ValidationFigures } from './validation.ts';
export {
  type Recipe,
  recipeModel,
  recipeNamed,
  recipes,
  type WrittenRecipe,
  writtenRecipe,
} from './recipes/index.ts';
export type { Schedule } from './schedule.ts';
export { type EngineOptions, type RunOptions, train } from './train.ts';
