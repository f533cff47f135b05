import { UserError } from '../../errors.ts';
import type { Attribute } from '../attribute.ts';
import type { onnx } from '../generated/onnx.js';
import { Graph, type Node, type Value } from '../graph.ts';
import { readAttribute, writeAttribute } from './attribute.ts';
import { own, restOf } from './fields.ts';
import { readTensor, writeTensor } from './tensor.ts';
import { readValueInfo, writeValueInfo } from './value-info.ts';

type GraphMessage = onnx.GraphProto.$Properties;
type NodeMessage = onnx.NodeProto.$Properties;
type AttributeMessage = onnx.AttributeProto.$Properties;

export function readGraph(message: GraphMessage, parent?: Graph): Graph {
  const graph = new Graph(message.name ?? '', parent);
  graph.replace({
    inputs: (message.input ?? []).map(readValueInfo),
    outputs: (message.output ?? []).map(readValueInfo),
    values: (message.valueInfo ?? []).map(readValueInfo),
    initializers: uniqueMap(
      'initializer',
      (message.initializer ?? []).map((tensor) => [
        (tensor.name ?? '') as Value,
        readTensor(tensor, ['name']),
      ]),
    ),
    sparseInitializers: uniqueMap(
      'sparse initializer',
      (message.sparseInitializer ?? []).map((tensor) => [
        (tensor.values?.name ?? '') as Value,
        restOf(tensor, []) ?? {},
      ]),
    ),
    nodes: (message.node ?? []).map((node) => readNode(node, graph)),
    rest: restOf(message, [
      'name',
      'input',
      'output',
      'valueInfo',
      'initializer',
      'sparseInitializer',
      'node',
    ]),
  });
  return graph;
}

export const writeGraph = (graph: Graph): GraphMessage => ({
  ...graph.rest,
  name: graph.name || null,
  input: graph.inputs.map(writeValueInfo),
  output: graph.outputs.map(writeValueInfo),
  valueInfo: graph.values.map(writeValueInfo),
  initializer: Array.from(graph.initializers, ([name, tensor]) => ({
    ...writeTensor(tensor),
    name: name || null,
  })),
  sparseInitializer: [...graph.sparseInitializers.values()],
  node: graph.nodes.map(writeNode),
});

export const readNode = (message: NodeMessage, graph: Graph): Node => ({
  op: message.opType ?? '',
  domain: own(message, 'domain'),
  overload: own(message, 'overload'),
  name: own(message, 'name'),
  inputs: (message.input ?? []) as Value[],
  outputs: (message.output ?? []) as Value[],
  attributes: readAttributes(message.attribute, graph),
  rest: restOf(message, ['opType', 'domain', 'overload', 'name', 'input', 'output', 'attribute']),
});

export const writeNode = (node: Node): NodeMessage => ({
  ...node.rest,
  opType: node.op || null,
  domain: node.domain ?? null,
  overload: node.overload ?? null,
  name: node.name ?? null,
  input: [...node.inputs],
  output: [...node.outputs],
  attribute: writeAttributes(node.attributes),
});

export const readAttributes = (messages: readonly AttributeMessage[] | null | undefined, graph: Graph) =>
  uniqueMap(
    'attribute',
    (messages ?? []).map((message) => [
      message.name ?? '',
      readAttribute(message, (inner) => readGraph(inner, graph)),
    ]),
  );

export const writeAttributes = (attributes: ReadonlyMap<string, Attribute>): AttributeMessage[] =>
  Array.from(attributes, ([name, attribute]) => ({
    ...writeAttribute(attribute, writeGraph),
    name: name || null,
  }));

function uniqueMap<K extends string, V>(what: string, entries: readonly (readonly [K, V])[]): Map<K, V> {
  const map = new Map<K, V>();
  for (const [name, value] of entries) {
    if (map.has(name)) throw new UserError(`it has more than one ${what} named '${name}' in one place`);
    map.set(name, value);
  }
  return map;
}
