/** Measures of answers, as pure functions of plain arrays. */
export { type Calibration, type CalibrationBin, calibration } from './calibration.ts';
export {
  auroc,
  averagePrecision,
  type Detection,
  type DetectionScores,
  detection,
  falsePositiveRate,
} from './detection.ts';
export type { Rows } from './examples.ts';
export { gaussianNegativeLogLikelihood, rootMeanSquareError } from './regression.ts';
export { type RiskCoverage, type RiskPoint, riskAt, riskCoverage } from './risk-coverage.ts';
export { accuracy, brierScore, negativeLogLikelihood } from './scores.ts';
