import { UserError } from '../../errors.ts';
import type { onnx } from '../generated/onnx.js';
import { Graph, type Node, type Value } from '../graph.ts';
import type { FunctionDefinition, Model } from '../model.ts';
import { entriesFit, opsetsFit, readEntries, readOpsets, writeEntries, writeOpsets } from './entries.ts';
import { fromInteger, own, restOf, toNumber } from './fields.ts';
import { readAttributes, readNode, writeAttributes, writeNode } from './graph.ts';
import { readGraph, writeGraph } from './graph.ts';
import { readValueInfo, writeValueInfo } from './value-info.ts';

type ModelMessage = onnx.ModelProto.$Properties;
type FunctionMessage = onnx.FunctionProto.$Properties;

/** @throws UserError if the message lacks what every model has. */
export function readModelMessage(message: ModelMessage): Model {
  const graph = own(message, 'graph');
  if (!graph) throw new UserError('it has no graph');
  return {
    irVersion: toNumber(message.irVersion ?? 0, 'IR version'),
    opsets: readOpsets(message.opsetImport),
    graph: readGraph(graph),
    functions: (message.functions ?? []).map(readFunction),
    metadata: readEntries(message.metadataProps),
    producerName: own(message, 'producerName'),
    producerVersion: own(message, 'producerVersion'),
    rest: restOf(message, [
      ...(['irVersion', 'graph', 'functions', 'producerName', 'producerVersion'] as const),
      ...(opsetsFit(message.opsetImport) ? ['opsetImport' as const] : []),
      ...(entriesFit(message.metadataProps) ? ['metadataProps' as const] : []),
    ]),
  };
}

export function writeModelMessage(model: Model): ModelMessage {
  const kept: ModelMessage = model.rest ?? {};
  return {
    ...kept,
    irVersion: fromInteger(model.irVersion),
    opsetImport: writeOpsets(model.opsets, kept.opsetImport),
    graph: writeGraph(model.graph),
    functions: model.functions.map(writeFunction),
    metadataProps: writeEntries(model.metadata, kept.metadataProps),
    producerName: model.producerName ?? null,
    producerVersion: model.producerVersion ?? null,
  };
}

function readFunction(message: FunctionMessage): FunctionDefinition {
  const body = new Graph(message.name ?? '');
  body.replace({
    inputs: (message.input ?? []).map((name) => ({ name: name as Value })),
    outputs: (message.output ?? []).map((name) => ({ name: name as Value })),
    values: (message.valueInfo ?? []).map(readValueInfo),
    nodes: (message.node ?? []).map((node) => readNode(node, body)),
  });
  return {
    name: message.name ?? '',
    domain: message.domain ?? '',
    overload: own(message, 'overload'),
    body,
    attributes: message.attribute ?? [],
    defaults: readAttributes(message.attributeProto, body),
    opsets: readOpsets(message.opsetImport),
    rest: restOf(message, [
      ...(['name', 'domain', 'overload', 'input', 'output', 'valueInfo', 'node'] as const),
      ...(['attribute', 'attributeProto'] as const),
      ...(opsetsFit(message.opsetImport) ? ['opsetImport' as const] : []),
    ]),
  };
}

function writeFunction(definition: FunctionDefinition): FunctionMessage {
  const kept: FunctionMessage = definition.rest ?? {};
  const { body } = definition;
  return {
    ...kept,
    name: definition.name || null,
    domain: definition.domain,
    overload: definition.overload ?? null,
    input: body.inputs.map(({ name }) => name),
    output: body.outputs.map(({ name }) => name),
    valueInfo: body.values.map(writeValueInfo),
    node: [...constants(body), ...body.nodes].map(writeNode),
    attribute: [...definition.attributes],
    attributeProto: writeAttributes(definition.defaults),
    opsetImport: writeOpsets(definition.opsets, kept.opsetImport),
  };
}

/** A function has no initializers: nodes give the constants. */
const constants = (body: Graph): Node[] =>
  Array.from(body.initializers, ([name, value]) => ({
    op: 'Constant',
    name,
    inputs: [],
    outputs: [name],
    attributes: new Map([['value', { type: 'tensor', value }]]),
  }));
