/** Data → posterior: `import { mnist, train } from 'bitspike/train'`. */
export {
  type Dataset,
  checkDataset,
  firstExamples,
  idx,
  mnist,
  openDataset,
  type Split,
} from './data/index.ts';
export {
  analyticalGumbelRao,
  type Estimator,
  estimators,
  gumbelSoftmax,
  importanceWeighted,
  type Spike,
  straightThrough,
  straightThroughGumbelSoftmax,
  surrogate,
} from './estimators/index.ts';
export type { PenaltyForm } from './objective.ts';
export { type TrainingOptions, type TrainingSettings, trainingOptionsSchema } from './options.ts';
export {
  type FolderRunOptions,
  loadTraining,
  resumeTraining,
  type SavedTraining,
  trainInFolder,
} from './run-folder.ts';
export type { LoopHooks, Progress, TrainingState } from './loop.ts';
export type { Schedule } from './schedule.ts';
export { type EngineOptions, type RunOptions, train } from './train.ts';
