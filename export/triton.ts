import { UserError } from '../schemas/errors.ts';
import type { OnnxReport, PortReport } from './report.ts';

/** What Triton calls the types. */
const dataTypes: Readonly<Record<string, string>> = {
  bool: 'TYPE_BOOL',
  uint8: 'TYPE_UINT8',
  int8: 'TYPE_INT8',
  int32: 'TYPE_INT32',
  int64: 'TYPE_INT64',
  float16: 'TYPE_FP16',
  float32: 'TYPE_FP32',
  float64: 'TYPE_FP64',
};

/** Most examples that Triton puts together, unless it is told otherwise. */
const defaultMaxBatch = 64;

/**
 * The `config.pbtxt` of a network in a model repository of NVIDIA's Triton Inference Server.
 *
 * Triton batches requests by itself where the batch is the first axis of every input and output. Where it is not, as
 * with time, states or the members of an ensemble, all axes are written out, and a request is a batch of its own.
 *
 * @param name of the model, which is that of its folder
 * @param maxBatch most examples that Triton puts together
 * @throws UserError where the name is none, or an input or output has a type that Triton does not know
 */
export function tritonConfig(
  name: string,
  { inputs, outputs }: Pick<OnnxReport, 'inputs' | 'outputs'>,
  maxBatch = defaultMaxBatch,
): string {
  if (!/^[\w.-]+$/.test(name) || /^\.+$/.test(name)) {
    throw new UserError(
      `triton: ${JSON.stringify(name)} cannot be the name of a model; expected letters, digits, '_', '-' and '.'`,
    );
  }
  const isBatched = [...inputs, ...outputs].every(
    ({ dims: [first, ...rest] }) => first === 'batch' && !rest.includes('batch'),
  );
  const portsText = (kind: 'input' | 'output', ports: readonly PortReport[]): string =>
    `${kind} [\n${ports.map((port) => portText(port, isBatched)).join(',\n')}\n]\n`;
  return [
    `name: "${name}"\n`,
    'platform: "onnxruntime_onnx"\n',
    `max_batch_size: ${isBatched ? maxBatch : 0}\n`,
    portsText('input', inputs),
    portsText('output', outputs),
    ...(isBatched ? ['dynamic_batching { }\n'] : []),
  ].join('');
}

const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, '\\$&')}"`;

function portText({ name, type, dims }: PortReport, isBatched: boolean): string {
  const dataType = dataTypes[type];
  if (dataType === undefined) {
    throw new UserError(`triton: '${name}' is ${type}; expected one of ${Object.keys(dataTypes).join(', ')}`);
  }
  const own = (isBatched ? dims.slice(1) : dims).map((size) => (typeof size === 'number' ? size : -1));
  // Without a batch it is one number, which Triton writes as [1] that is given another shape.
  const shape =
    own.length > 0 ? `    dims: [ ${own.join(', ')} ]` : '    dims: [ 1 ]\n    reshape { shape: [ ] }';
  return `  {\n    name: ${quoted(name)}\n    data_type: ${dataType}\n${shape}\n  }`;
}
