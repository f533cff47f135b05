/** Posterior → frozen network → ONNX: `import { freeze, toOnnx } from 'bitspike/export'`. */
export {
  type FreezeChoice,
  type FreezeOptions,
  type FrozenTensor,
  freeze,
  type Member,
  type Network,
} from './freeze.ts';
export { type OracleResult, runOracle } from './oracle.ts';
export {
  type LayerReport,
  type OnnxReport,
  type OperatorReport,
  type PortReport,
  reportOnnx,
} from './report.ts';
export { graphNames, toOnnx } from './to-onnx.ts';
