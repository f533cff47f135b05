/** Describing networks: `import { defineModel, dense, binary, readout } from 'bitspike'`. */
export { UserError } from './errors.ts';
export {
  defineLayer,
  type Flow,
  type Layer,
  type Parameter,
  type ParameterRole,
  type Shape,
} from './layer.ts';
export { binary } from './layers/binary.ts';
export { dense } from './layers/dense.ts';
export type { LayerKind, LayerSpec } from './layers/index.ts';
export { readout } from './layers/readout.ts';
export {
  classesOf,
  defineModel,
  type InputSpec,
  type Model,
  type ModelDefinition,
  parametersOf,
  type Place,
  placesOf,
} from './model.ts';
export type { Ops } from './ops.ts';
export type { Family, GaussianScale, LearnedTensor, Posterior } from './posterior.ts';
