import { describe, memberPrefix } from '../schemas/description.ts';
import { reasonOf, UserError } from '../schemas/errors.ts';
import { sizeOf } from '../schemas/layer.ts';
import { type Model, parametersOf, placesOf } from '../schemas/model.ts';
import {
  type Graph,
  type Model as OnnxModel,
  type Node,
  readModel,
  subgraphs,
  type Tensor,
  tensorData,
  type ValueInfo,
} from '../schemas/onnx/index.ts';
import { byteCount, elementCount } from '../schemas/onnx/tensor.ts';
import { tablePrefix } from './packed-bits.ts';

/** An input or output of the graph. */
export interface PortReport {
  readonly name: string;
  readonly type: string;
  /** Sizes, and names of those known only at run time. */
  readonly dims: readonly (number | string)[];
}

/** A layer of an exported network, with its weights and bytes. */
export interface LayerReport {
  readonly name: string;
  readonly input: readonly number[];
  readonly output: readonly number[];
  /** Binary weights of the layer, in one member of an ensemble, and real ones. */
  readonly binaryWeights: number;
  readonly realWeights: number;
}

/** How often an operator is used; standard ones are of ONNX's own domain, ''. */
export interface OperatorReport {
  readonly operator: string;
  readonly domain: string;
  readonly uses: number;
}

/** What is in an exported model and where its bytes go. */
export interface OnnxReport {
  readonly model: Model;
  readonly classNames: readonly string[];
  readonly producer: string;
  readonly opset: number;
  readonly irVersion: number;
  readonly inputs: readonly PortReport[];
  readonly outputs: readonly PortReport[];
  /** How the weights were chosen, as given to `freeze`. */
  readonly weights: Readonly<Record<string, unknown>>;
  readonly members: number;
  readonly layers: readonly LayerReport[];
  /** In all members. */
  readonly binaryWeights: number;
  readonly realWeights: number;
  readonly bytes: {
    /** Of the .onnx, and of the file beside it if there is one. */
    readonly file: number;
    /** The binary weights themselves, one bit each. */
    readonly packedWeights: number;
    /** Weights that are no bits, in float32. */
    readonly realWeights: number;
    /** Whole thresholds of neurons. */
    readonly thresholds: number;
    /** Tables that unpack a byte into eight weights. */
    readonly tables: number;
    /** Gains and biases. */
    readonly realParameters: number;
    /** Operators, names, small constants and metadata. */
    readonly graph: number;
  };
  /** Bits per weight: of the whole file, and of the weights alone. */
  readonly bitsPerWeight: { readonly file: number; readonly packed: number };
  readonly operators: readonly OperatorReport[];
  /** Whether every operator is one of ONNX's own, so that any ONNX runtime knows it. */
  readonly standard: boolean;
}

/**
 * Reads what is in a model that `toOnnx` wrote.
 *
 * @param name of the file, for messages
 * @throws UserError where the bytes are no ONNX model, or not one of this toolkit
 */
export function reportOnnx(bytes: Uint8Array, name: string): OnnxReport {
  const onnx = readModel(bytes, name);
  const { model, classes, weights, layers: observable } = describe(onnx, name);
  const members = observable.length;
  const sizes = weightSizes(model);
  const { parts, real, outside } = partsOf(onnx.graph, sizes, members, name);
  const layers = placesOf(model).map(({ name, input, output }) => {
    const own = [...sizes].filter(([key]) => key.slice(0, key.lastIndexOf('.')) === name);
    const count = (isReal: boolean): number =>
      own.reduce((sum, [key, size]) => (real.has(key) === isReal ? sum + size : sum), 0);
    return { name, input, output, binaryWeights: count(false), realWeights: count(true) };
  });
  const total = (kind: 'binaryWeights' | 'realWeights'): number =>
    members * layers.reduce((sum, layer) => sum + layer[kind], 0);
  const binaryWeights = total('binaryWeights');
  const realWeights = total('realWeights');
  const bitsEach = (size: number): number => (size * 8) / (binaryWeights + realWeights);
  const operators = operatorsOf(onnx);
  const file = bytes.length + outside;
  return {
    model,
    classNames: classes,
    producer: `${onnx.producerName ?? ''} ${onnx.producerVersion ?? ''}`.trim(),
    opset: onnx.opsets.get('') ?? 0,
    irVersion: onnx.irVersion,
    inputs: onnx.graph.inputs.map(portOf),
    outputs: onnx.graph.outputs.map(portOf),
    weights,
    members,
    layers,
    binaryWeights,
    realWeights,
    bytes: {
      file,
      ...parts,
      graph: Object.values(parts).reduce((rest, size) => rest - size, file),
    },
    bitsPerWeight: {
      file: bitsEach(file),
      packed: bitsEach(parts.packedWeights + parts.realWeights),
    },
    operators,
    standard: operators.every(({ domain }) => domain === ''),
  };
}

/** How many numbers each parameter of that role holds. */
const weightSizes = (model: Model): Map<string, number> =>
  new Map(
    Object.entries(parametersOf(model))
      .filter(([, { role }]) => role === 'weight')
      .map(([name, { shape }]) => [name, sizeOf(shape)]),
  );

/**
 * Bytes of the initializers by what they are, told by the names and types that `toOnnx` gives them, and which
 * weights are no bits.
 */
function partsOf(graph: Graph, sizes: ReadonlyMap<string, number>, members: number, file: string) {
  const weights = new Map<string, { name: string; size: number }>();
  for (let member = 0; member < members; member++) {
    const prefix = memberPrefix(member, members);
    for (const [name, size] of sizes) weights.set(prefix + name, { name, size });
  }
  const real = new Set<string>();
  let outside = 0;
  const parts = { packedWeights: 0, realWeights: 0, thresholds: 0, tables: 0, realParameters: 0 };
  for (const [name, stored] of graph.initializers) {
    const { type, dims, size, isOutside } = measured(stored, name, file);
    if (type === 'string') continue;
    if (isOutside) outside += size;
    const weight = weights.get(name);
    const expected = weight && (type === 'float32' ? weight.size * 4 : Math.ceil(weight.size / 8));
    if (expected !== undefined && size !== expected) {
      throw new UserError(`${file}: the weights ${name} take ${size} bytes; its model expects ${expected}`);
    }
    if (weight && type === 'float32') real.add(weight.name);
    if (weights.delete(name)) parts[type === 'float32' ? 'realWeights' : 'packedWeights'] += size;
    else if (name.startsWith(tablePrefix)) parts.tables += size;
    else if (type === 'int32') parts.thresholds += size;
    else if (type === 'float32' && dims.length > 0) parts.realParameters += size;
  }
  for (const name of weights.keys())
    throw new UserError(`${file}: the weights ${name} of its model are missing`);
  return { parts, real, outside };
}

/** How many bytes a tensor takes; where it is in another file, those that its shape asks for. */
function measured(tensor: Tensor, name: string, file: string) {
  const { type, dims } = tensor;
  if ('stored' in tensor && tensor.stored.external && type !== undefined) {
    const size = byteCount(type, elementCount(dims));
    if (Number.isSafeInteger(size)) return { type, dims, size, isOutside: true };
  }
  try {
    const { data, ...found } = tensorData(tensor, name);
    return { ...found, size: ArrayBuffer.isView(data) ? data.byteLength : 0, isOutside: false };
  } catch (cause) {
    throw new UserError(`${file}: ${reasonOf(cause)}`, { cause });
  }
}

const portOf = ({ name, type, dims }: ValueInfo): PortReport => ({
  name,
  type: type ?? 'unknown',
  dims: dims ?? [],
});

/** How often operators are used once all calls of the model's own functions are what is in those. */
function operatorsOf({ graph, functions }: OnnxModel): OperatorReport[] {
  const found = new Map<string, OperatorReport>();
  const bodies = new Map(functions.map(({ domain, name, body }) => [`${domain} ${name}`, body]));
  const count = ({ nodes }: Graph, depth: number): void => {
    for (const node of nodes) {
      // 'ai.onnx' is the long name of ''.
      const domain = node.domain === 'ai.onnx' ? '' : (node.domain ?? '');
      const key = `${domain} ${node.op}`;
      const body = bodies.get(key);
      // A function that called itself would be no ONNX model.
      if (body && depth < functions.length) {
        count(body, depth + 1);
        continue;
      }
      found.set(key, { operator: node.op, domain, uses: (found.get(key)?.uses ?? 0) + 1 });
      for (const graphInside of subgraphsOf(node)) count(graphInside, depth);
    }
  };
  count(graph, 0);
  return [...found.values()].sort((a, b) => (a.operator < b.operator ? -1 : 1));
}

const subgraphsOf = ({ attributes }: Node): Graph[] => [...attributes.values()].flatMap(subgraphs);
