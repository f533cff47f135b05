/** .onnx → answers: `import { load } from 'bitspike/runtime'`. */
export type { Description } from '../schemas/description.ts';
export {
  type Evaluation,
  evaluate,
  evaluateOutOfDistribution,
  type OutOfDistribution,
} from './evaluate.ts';
export { type Device, devices, type LoadOptions, load } from './load.ts';
export * from './metrics/index.ts';
export { evaluateRegression, type Prediction, type RegressionEvaluation } from './regression.ts';
export type { Classification, Inputs, LoadedNetwork, Output } from './network.ts';
export {
  entropyOf,
  type MemberProbabilities,
  type Uncertainty,
  uncertaintiesOf,
  uncertaintyOf,
} from './uncertainty.ts';
