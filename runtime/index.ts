/** .onnx → answers: `import { load } from 'bitspike/runtime'`. */
export type { Description } from '../schemas/description.ts';
export { type Evaluation, evaluate } from './evaluate.ts';
export { type Device, devices, type LoadOptions, load } from './load.ts';
export type { Classification, Inputs, LoadedNetwork, Output } from './network.ts';
