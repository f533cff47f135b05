/** How gradient estimators do: bias, variance and direction against the true gradient. */
export type { Bias, Figure, Figures } from './figures.ts';
export {
  labEstimators,
  type LabNetwork,
  type LabOptions,
  labOptionsSchema,
  penaltyText,
  runLab,
  shortWidths,
} from './lab.ts';
export { losses, type LossName } from './losses.ts';
export {
  type Measured,
  type MeasuredLayer,
  type Measurement,
  measureEstimators,
  type MeasureOptions,
  nameOf,
} from './measure.ts';
export { type Examples, examplesOf, labData, labModel, labPosterior, type LabTraining } from './task.ts';
