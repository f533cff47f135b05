/** What `bitspike/runtime` has in Node and in browsers alike. */
export type {
  Description,
  InputDescription,
  NoiseDescription,
  StateDescription,
} from '../schemas/description.ts';
export { UserError } from '../schemas/errors.ts';
export {
  type Evaluation,
  evaluate,
  evaluateOutOfDistribution,
  type OutOfDistribution,
} from './evaluate.ts';
export { type BitsRunner, type Carried, type MemoryUse, openBits, type Stepper } from './bits/index.ts';
export type { Classification, EnsembleAnswer } from './answers.ts';
export type { Inputs } from './examples.ts';
export * from './metrics/index.ts';
export type { LoadedNetwork } from './network.ts';
export type { Draws } from './noise.ts';
export { type Device, devices, type LoadOptions } from './open.ts';
export type { Output } from './outputs.ts';
export { compareOutputs, type Difference, type Parity } from './parity.ts';
export type { DeviceReport, Diagnosis } from './probe.ts';
export { evaluateRegression, type Prediction, type RegressionEvaluation } from './regression.ts';
export type { Availability, HostTensor, HostTensors, Runner, RunnerOptions } from './runner.ts';
export type { Source } from './source.ts';
export type { StreamOptions, StreamSession } from './stream.ts';
export {
  entropyOf,
  type MemberProbabilities,
  type Uncertainty,
  uncertaintiesOf,
  uncertaintyOf,
} from './uncertainty.ts';
