/** Describing networks: `import { defineModel, dense, binary, readout } from 'bitspike'`. */
export { type Certificate, certificateJsonSchema, parseCertificate } from './certificate.ts';
export {
  encode,
  type Encoded,
  type EncoderKind,
  encoders,
  encoderSchema,
  type EncoderSpec,
  type Events,
  type Signal,
} from './encoders/index.ts';
export { UserError } from './errors.ts';
export {
  type Branch,
  defineLayer,
  type Flow,
  type Layer,
  type Parameter,
  type ParameterRole,
  type Shape,
} from './layer.ts';
export { adaptiveLif } from './layers/adaptive-lif.ts';
export { binary } from './layers/binary.ts';
export { conv2d } from './layers/conv2d.ts';
export { cubaLif } from './layers/cuba-lif.ts';
export { dense } from './layers/dense.ts';
export { flatten } from './layers/flatten.ts';
export { globalAveragePool } from './layers/global-pool.ts';
export type { LayerKind, LayerSpec, OwnLayerSpec } from './layers/index.ts';
export { integrateAndFire } from './layers/integrate-and-fire.ts';
export { leakyIntegrator } from './layers/leaky-integrator.ts';
export { lif } from './layers/lif.ts';
export { normalise } from './layers/normalise.ts';
export { averagePool, maxPool } from './layers/pool.ts';
export { readout } from './layers/readout.ts';
export { recurrent } from './layers/recurrent.ts';
export { type AnyLayer, registerLayer, type Registered } from './layers/registry.ts';
export { residual } from './layers/residual.ts';
export type { GaussianLikelihood, Likelihood } from './likelihood.ts';
export {
  classesOf,
  defineModel,
  type InputSpec,
  type Model,
  type ModelDefinition,
  parametersOf,
  type Place,
  placesOf,
  stepsOf,
} from './model.ts';
export type { Convolution, Ops, OverTime, PoolKind, Reset, Scan } from './ops.ts';
export type { Family, GaussianScale, LearnedTensor, Posterior } from './posterior.ts';
export { Random, type RandomSource, type RandomState } from './random.ts';
export type { Padding, Pair, Window } from './window.ts';
