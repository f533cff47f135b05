/** Posterior → frozen network → ONNX: `import { freeze, toOnnx } from 'bitspike/export'`. */
export {
  type CertificateCheck,
  type CertifiedDevice,
  type CertifyOptions,
  certify,
  checkCertificate,
  type CommonOptions,
  type GivenData,
  type OnProgress,
} from './certificate/index.ts';
export type { FrozenTensor } from './decisions.ts';
export {
  type FreezeChoice,
  type FreezeOptions,
  freeze,
  type Member,
  type Network,
} from './freeze.ts';
export {
  type FreezeReport,
  type FreezeReportOptions,
  type FrozenName,
  freezeReport,
  signHistogram,
} from './freeze-report.ts';
export {
  type Activity,
  countOperations,
  type Energy,
  energy45nm,
  energyOf,
  type EnergyTable,
  type LayerOperations,
  type Memory,
  memoryOf,
  type Operand,
  type Operations,
} from './operations.ts';
export { type OracleResult, runOracle } from './oracle.ts';
export {
  type LayerReport,
  type OnnxReport,
  type OperatorReport,
  type PortReport,
  reportOnnx,
} from './report.ts';
export { type FiringRates, recalibrate } from './recalibrate.ts';
export { atTemperature } from './temperature.ts';
export { tritonConfig } from './triton.ts';
export { type NoisyOnnxOptions, toNoisyOnnx, toNoisyOnnxFiles } from './noisy-onnx.ts';
export type { ExternalOptions, OnnxFiles } from './onnx-files.ts';
export type { OnnxOptions } from './onnx-options.ts';
export { graphNames, toOnnx, toOnnxFiles } from './to-onnx.ts';
