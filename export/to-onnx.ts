import { memberPrefix, toMetadata } from '../schemas/description.ts';
import { classesOf, forward, type Model, type Place } from '../schemas/model.ts';
import { defineOnnxModel, Graph, type Value, writeModel } from '../schemas/onnx/index.ts';
import { version } from '../schemas/version.ts';
import type { Member, Network } from './freeze.ts';
import { GraphOps } from './graph-ops.ts';
import type { Signal } from './signal.ts';

/** Names of a graph's inputs and outputs: what a script with plain onnxruntime needs to know. */
export const graphNames = {
  /** uint8 or float32 [batch, …] */
  input: 'input',
  /** float32 [batch, classes]; a single network has it */
  logits: 'logits',
  /** float32 [batch, classes]; of an ensemble the mean over its members */
  probabilities: 'probabilities',
  /** float32 [members, batch, classes]; an ensemble has it */
  memberProbabilities: 'member_probabilities',
} as const;

/**
 * Writes a frozen network as standard ONNX (opset 21, IR 10), one bit per binary weight.
 *
 * An ensemble becomes one graph that runs all its members and averages their probabilities.
 *
 * @returns the bytes of the .onnx file; the same network gives the same bytes
 * @throws UserError where the network has no exact form
 */
export function toOnnx(network: Network): Uint8Array {
  const { model, members, choice, classNames } = network;
  const graph = new Graph('bitspike');
  const input = inputSignal(graph, model);
  const ops = new GraphOps(graph);
  const layers: string[][] = [];
  const logits = members.map((member, index) => {
    const written = writeMember(ops, model, member, input, memberPrefix(index, members.length));
    layers.push(written.layers);
    return written.logits;
  });
  if (members.length === 1) singleOutputs(graph, model, logits[0] as Value);
  else ensembleOutputs(graph, model, logits);
  return writeModel(
    defineOnnxModel(graph, {
      producerName: 'bitspike',
      producerVersion: version,
      metadata: toMetadata({ model, weights: choice, classes: classNames, layers }),
    }),
  );
}

function inputSignal(graph: Graph, { input }: Model): Signal {
  const value = graph.input(graphNames.input, input.type, ['batch', ...input.shape]);
  return input.type === 'uint8'
    ? { kind: 'whole', value, unit: input.scale, most: 255 }
    : { kind: 'real', value };
}

function writeMember(ops: GraphOps, model: Model, member: Member, input: Signal, prefix: string) {
  const parameters = Object.fromEntries(
    Object.entries(member).map(([name, tensor]): [string, Signal] => [
      name,
      { kind: 'parameter', name: prefix + name, tensor },
    ]),
  );
  const layers: string[] = [];
  const output = forward(ops, model, parameters, input, {
    before: ({ name }: Place) => {
      ops.scope = prefix + name;
    },
    after: (_place, written) => {
      // What a neuron gives is in the graph; a current may stay folded into what follows it.
      if (written.kind === 'whole') layers.push(written.value);
    },
  });
  if (output.kind !== 'real') throw new Error(`the logits are a ${output.kind}`);
  return { logits: output.value, layers };
}

function singleOutputs(graph: Graph, model: Model, value: Value): void {
  const dims = ['batch', classesOf(model)];
  const logits = graph.node('Identity', [value], {}, { output: graphNames.logits });
  graph.output(logits, 'float32', dims);
  graph.output(
    graph.node('Softmax', [logits], { axis: -1 }, { output: graphNames.probabilities }),
    'float32',
    dims,
  );
}

function ensembleOutputs(graph: Graph, model: Model, logits: readonly Value[]): void {
  const classes = classesOf(model);
  const first = graph.constant({ type: 'int64', dims: [1], data: BigInt64Array.of(0n) });
  const stacked = graph.node(
    'Concat',
    logits.map((value) => graph.node('Unsqueeze', [value, first])),
    { axis: 0 },
  );
  const members = graph.node('Softmax', [stacked], { axis: -1 }, { output: graphNames.memberProbabilities });
  const mean = graph.node(
    'ReduceMean',
    [members, first],
    { keepdims: 0 },
    { output: graphNames.probabilities },
  );
  graph.output(mean, 'float32', ['batch', classes]);
  graph.output(members, 'float32', [logits.length, 'batch', classes]);
}
