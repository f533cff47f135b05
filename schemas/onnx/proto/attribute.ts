import type { Attribute, AttributeType, Text, ValuedAttribute } from '../attribute.ts';
import { onnx } from '../generated/onnx.js';
import type { Graph } from '../graph.ts';
import { fromText, toText } from '../text.ts';
import { fromInteger, own, restOf, toInteger } from './fields.ts';
import { readTensor, writeTensor } from './tensor.ts';

type Message = onnx.AttributeProto.$Properties;
type GraphMessage = onnx.GraphProto.$Properties;

const codes = onnx.AttributeProto.AttributeType;

const kinds: {
  readonly [T in AttributeType]: { readonly code: number; readonly field: keyof Message & string };
} = {
  float: { code: codes.FLOAT, field: 'f' },
  int: { code: codes.INT, field: 'i' },
  string: { code: codes.STRING, field: 's' },
  tensor: { code: codes.TENSOR, field: 't' },
  graph: { code: codes.GRAPH, field: 'g' },
  floats: { code: codes.FLOATS, field: 'floats' },
  ints: { code: codes.INTS, field: 'ints' },
  strings: { code: codes.STRINGS, field: 'strings' },
  tensors: { code: codes.TENSORS, field: 'tensors' },
  graphs: { code: codes.GRAPHS, field: 'graphs' },
};

const typesByCode = new Map(Object.entries(kinds).map(([type, { code }]) => [code, type as AttributeType]));

export function readAttribute(message: Message, readGraph: (message: GraphMessage) => Graph): Attribute {
  const type = typesByCode.get(message.type ?? 0);
  const to = own(message, 'refAttrName');
  if (to) {
    const taken = type ? (['name', 'refAttrName', 'type'] as const) : (['name', 'refAttrName'] as const);
    return { type: 'reference', to, of: type, rest: restOf(message, taken) };
  }
  const attribute = type && readValue(message, type, readGraph);
  return attribute && type
    ? { ...attribute, rest: restOf(message, ['name', 'type', kinds[type].field]) }
    : { type: 'uninterpreted', rest: restOf(message, ['name']) ?? {} };
}

/** Undefined if the value is missing and its type has no default. */
function readValue(
  message: Message,
  type: AttributeType,
  readGraph: (message: GraphMessage) => Graph,
): ValuedAttribute | undefined {
  switch (type) {
    case 'float':
      return { type, value: message.f ?? 0 };
    case 'int':
      return { type, value: toInteger(message.i ?? 0) };
    case 'string':
      return { type, value: readText(message.s ?? new Uint8Array()) };
    case 'tensor':
      return message.t ? { type, value: readTensor(message.t) } : undefined;
    case 'graph':
      return message.g ? { type, value: readGraph(message.g) } : undefined;
    case 'floats':
      return { type, value: message.floats ?? [] };
    case 'ints':
      return { type, value: (message.ints ?? []).map(toInteger) };
    case 'strings':
      return { type, value: (message.strings ?? []).map(readText) };
    case 'tensors':
      return { type, value: (message.tensors ?? []).map((tensor) => readTensor(tensor)) };
    case 'graphs':
      return { type, value: (message.graphs ?? []).map(readGraph) };
  }
}

export function writeAttribute(attribute: Attribute, writeGraph: (graph: Graph) => GraphMessage): Message {
  if (attribute.type === 'uninterpreted') return { ...attribute.rest };
  if (attribute.type === 'reference') {
    const type = attribute.of && { type: kinds[attribute.of].code };
    return { ...attribute.rest, refAttrName: attribute.to, ...type };
  }
  return { ...attribute.rest, type: kinds[attribute.type].code, ...writeValue(attribute, writeGraph) };
}

function writeValue(attribute: ValuedAttribute, writeGraph: (graph: Graph) => GraphMessage): Message {
  switch (attribute.type) {
    case 'float':
      return { f: attribute.value };
    case 'int':
      return { i: fromInteger(attribute.value) };
    case 'string':
      return { s: writeText(attribute.value) };
    case 'tensor':
      return { t: writeTensor(attribute.value) };
    case 'graph':
      return { g: writeGraph(attribute.value) };
    case 'floats':
      return { floats: [...attribute.value] };
    case 'ints':
      return { ints: attribute.value.map(fromInteger) };
    case 'strings':
      return { strings: attribute.value.map(writeText) };
    case 'tensors':
      return { tensors: attribute.value.map(writeTensor) };
    case 'graphs':
      return { graphs: attribute.value.map(writeGraph) };
  }
}

const readText = (bytes: Uint8Array): Text => toText(bytes) ?? bytes;

const writeText = (text: Text): Uint8Array => (typeof text === 'string' ? fromText(text) : text);
