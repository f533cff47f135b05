/** Exported networks with a field of their graph changed: dims, tensors, attributes, the wires between nodes. */
import { sizeOf } from '../../schemas/layer.ts';
import {
  type Attribute,
  type DataType,
  type Dimension,
  type Graph,
  type Model,
  type Node,
  readModel,
  subgraphs,
  type Tensor,
  type Value,
  type ValueInfo,
  writeModel,
} from '../../schemas/onnx/index.ts';
import type { Random } from '../../schemas/random.ts';

/** A file that says something else than it did, and what was changed in it. */
export interface MutatedGraph {
  readonly bytes: Uint8Array;
  readonly change: string;
}

const oneOf = <T>(random: Random, list: readonly T[]): T => list[random.nextBelow(list.length)] as T;

/** Every graph of a model: its own, the bodies of its functions and of its loops. */
function graphsOf({ graph, functions }: Model): Graph[] {
  const found: Graph[] = [];
  const visit = (each: Graph): void => {
    found.push(each);
    for (const { attributes } of each.nodes)
      for (const attribute of attributes.values()) subgraphs(attribute).forEach(visit);
  };
  for (const each of [graph, ...functions.map(({ body }) => body)]) visit(each);
  return found;
}

const numbers = [-1, 0, 1, 2, 3, 5, 16, 255, 65_536, 2 ** 31, -(2 ** 31)];

/** Beside the number, or far from it. */
const otherNumber = (random: Random, value: number): number =>
  oneOf(random, [value + 1, value - 1, value * 2, -value, oneOf(random, numbers)]);

/** With one of them changed, taken away, added or exchanged. */
function otherList<T>(random: Random, list: readonly T[], change: (value: T) => T, extra: T): T[] {
  const at = random.nextBelow(Math.max(1, list.length));
  return oneOf(random, [
    () => list.map((each, index) => (index === at ? change(each) : each)),
    () => list.map((each, index) => (index === at ? change(each) : each)),
    () => list.toSpliced(at, 1),
    () => list.toSpliced(at, 0, extra),
    () => list.toReversed(),
  ])();
}

function otherAttribute(random: Random, attribute: Attribute): Attribute {
  switch (attribute.type) {
    case 'int':
      return { ...attribute, value: otherNumber(random, Number(attribute.value)) };
    case 'ints':
      return {
        ...attribute,
        value: otherList(random, attribute.value.map(Number), (value) => otherNumber(random, value), 1),
      };
    case 'float':
      return {
        ...attribute,
        value: oneOf(random, [Number.NaN, Number.POSITIVE_INFINITY, 0, -attribute.value, 0.3]),
      };
    case 'string':
      return { ...attribute, value: oneOf(random, ['SAME_UPPER', 'VALID', '', 'odd']) };
    case 'tensor':
      return { ...attribute, value: otherTensor(random, attribute.value) };
    default:
      return { type: 'int', value: 1 };
  }
}

const types: readonly DataType[] = ['float32', 'uint8', 'int8', 'int32', 'int64', 'bool', 'float64'];

/** Its dims, its type or some of its bytes. */
function otherTensor(random: Random, tensor: Tensor): Tensor {
  const dims = [...tensor.dims];
  if (!('stored' in tensor) || !tensor.stored.raw) return { ...tensor, dims: [...dims, 2] };
  const { raw } = tensor.stored;
  const bytes = (change: (found: Uint8Array<ArrayBuffer>) => Uint8Array): Tensor => ({
    ...tensor,
    stored: { raw: change(raw.slice()) },
  });
  return oneOf(random, [
    () => ({ ...tensor, dims: otherList(random, dims, (size) => otherNumber(random, size), 1) }),
    () => ({ ...tensor, dims: dims.toReversed() }),
    () => ({ ...tensor, dims: [1, sizeOf(dims)] }),
    () => ({ ...tensor, type: oneOf(random, types) }),
    () => bytes((found) => found.subarray(0, Math.max(0, found.length - 1))),
    () => bytes((found) => Uint8Array.of(...found, 0)),
    () => bytes((found) => found.fill(random.nextBelow(256), 0, 1 + random.nextBelow(found.length || 1))),
    () => bytes((found) => found.fill(random.nextBelow(256), found.length - 1)),
    // The bytes of an infinity and of NaN, where they are numbers.
    () => bytes((found) => (found.set([0, 0, oneOf(random, [128, 192]), 127].slice(0, found.length)), found)),
  ])();
}

function otherDims(random: Random, dims: readonly Dimension[]): Dimension[] {
  const change = (size: Dimension): Dimension =>
    typeof size === 'number' ? otherNumber(random, size) : oneOf<Dimension>(random, [2, 'other', '']);
  return otherList<Dimension>(random, dims, change, oneOf<Dimension>(random, [1, 'other']));
}

const otherInfo = (random: Random, info: ValueInfo): ValueInfo =>
  random.nextBelow(4) === 0 || !info.dims
    ? { ...info, type: oneOf(random, types) }
    : { ...info, dims: otherDims(random, info.dims) };

const replaced = <T>(list: readonly T[], at: number, value: T): T[] => list.toSpliced(at, 1, value);

const operators = (
  'Add Sub Mul Div Min Max Greater Less Equal And Not Neg Abs Floor Round Sqrt Clip Sign Relu Identity Cast Where ' +
  'MatMul Gemm Conv ConvInteger MatMulInteger MaxPool AveragePool GlobalAveragePool Softmax ReduceMean ReduceMax ' +
  'ReduceSum Reshape Transpose Flatten Squeeze Unsqueeze Concat Split Gather Slice Pad Shape Expand ' +
  'QuantizeLinear DequantizeLinear Scan'
).split(' ');

function otherNode(random: Random, node: Node, values: readonly (Value | '')[]): Node {
  const { attributes } = node;
  const names = [...attributes.keys()];
  const wire = (): Value | '' => oneOf(random, values);
  const ways: (() => Node)[] = [
    () => ({ ...node, inputs: node.inputs.toReversed() }),
    () => ({ ...node, inputs: node.inputs.slice(1) }),
    () => ({ ...node, inputs: node.inputs.slice(0, -1) }),
    () => ({ ...node, inputs: [...node.inputs, wire()] }),
    () => ({ ...node, inputs: replaced(node.inputs, random.nextBelow(node.inputs.length || 1), wire()) }),
    () => ({ ...node, op: oneOf(random, operators) }),
    () => ({ ...node, outputs: [...node.outputs, `more ${random.nextBelow(99)}` as Value] }),
  ];
  const changed = (): Node => {
    const name = oneOf(random, names);
    const value = otherAttribute(random, attributes.get(name) as Attribute);
    return { ...node, attributes: new Map([...attributes, [name, value]]) };
  };
  if (names.length > 0) {
    ways.push(changed, changed, changed, () => {
      const left = new Map(attributes);
      left.delete(oneOf(random, names));
      return { ...node, attributes: left };
    });
  }
  const more: readonly (readonly [string, Attribute])[] = [
    ['axis', { type: 'int', value: random.nextBelow(4) - 2 }],
    ['keepdims', { type: 'int', value: 0 }],
    ['transA', { type: 'int', value: 1 }],
    ['alpha', { type: 'float', value: 0.5 }],
    ['pads', { type: 'ints', value: [1, 0, 1, 0] }],
    ['dilations', { type: 'ints', value: [2, 1] }],
    ['group', { type: 'int', value: 2 }],
    ['ceil_mode', { type: 'int', value: 1 }],
    ['count_include_pad', { type: 'int', value: 1 }],
    ['allowzero', { type: 'int', value: 1 }],
    ['saturate', { type: 'int', value: 0 }],
    ['block_size', { type: 'int', value: 2 }],
  ];
  ways.push(() => ({ ...node, attributes: new Map([...attributes, oneOf(random, more)]) }));
  return oneOf(random, ways)();
}

/** One thing in one graph of a file changed; the same seed changes the same. */
export function mutateGraph(bytes: Uint8Array, random: Random): MutatedGraph {
  const model = readModel(bytes);
  const graph = oneOf(random, [model.graph, ...graphsOf(model)]);
  const { nodes, inputs, outputs, initializers } = graph;
  const at = random.nextBelow(nodes.length || 1);
  const node = nodes[at];
  const names = [...initializers.keys()];
  let change = 'nothing';
  const ofNode = (): void => {
    if (!node) return;
    const values = [...nodes.flatMap((each) => each.outputs), ...inputs.map(({ name }) => name), ...names];
    const other = otherNode(random, node, values);
    change = `${text(node)} becomes ${text(other)}`;
    graph.replace({ nodes: replaced(nodes, at, other) });
  };
  const ofTensor = (): void => {
    const name = oneOf(random, names);
    if (name === undefined) return ofNode();
    const tensor = initializers.get(name) as Tensor;
    const other = otherTensor(random, tensor);
    change = `${name} of ${textOf(tensor)} becomes ${textOf(other)}`;
    graph.replace({ initializers: new Map([...initializers, [name, other]]) });
  };
  const ofInfos = (which: 'inputs' | 'outputs', infos: readonly ValueInfo[]): void => {
    const index = random.nextBelow(infos.length || 1);
    const info = infos[index];
    if (!info) return ofNode();
    const other = otherInfo(random, info);
    change = `${which}: ${info.name} of ${info.type} [${info.dims?.join()}] becomes ${other.type} [${other.dims?.join()}]`;
    graph.replace({ [which]: replaced(infos, index, other) });
  };
  oneOf(random, [
    ofNode,
    ofNode,
    ofNode,
    ofTensor,
    ofTensor,
    () => ofInfos('inputs', inputs),
    () => ofInfos('outputs', outputs),
    () => {
      change = `the node ${node && text(node)} is gone`;
      graph.replace({ nodes: nodes.toSpliced(at, 1) });
    },
    () => {
      const other = random.nextBelow(nodes.length || 1);
      if (!node || !nodes[other]) return;
      change = `${text(node)} changes places with ${text(nodes[other])}`;
      graph.replace({ nodes: replaced(replaced(nodes, at, nodes[other]), other, node) });
    },
  ])();
  return { bytes: writeModel(model), change };
}

const text = ({ op, name, inputs, outputs, attributes }: Node): string => {
  const given = [...attributes].map(
    ([key, value]) => `${key}=${'value' in value ? short(value.value) : '?'}`,
  );
  return `${op} '${name}'(${inputs.join(', ')} → ${outputs.join(', ')}; ${given.join(' ')})`;
};

const textOf = (tensor: Tensor): string => {
  const raw = 'stored' in tensor ? tensor.stored.raw : undefined;
  return `${tensor.type} [${tensor.dims.join()}] of the bytes ${raw?.subarray(0, 16).join(' ') ?? ''}`;
};

const short = (value: unknown): string =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? '…' : String(value);
