/** Posterior → frozen network → ONNX: `import { freeze, toOnnx } from 'bitspike/export'`. */
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
export { graphNames, toOnnx } from './to-onnx.ts';
