import { memberPrefix, toMetadata } from '../schemas/description.ts';
import { kept } from '../schemas/likelihood.ts';
import { classesOf, fires, forward, type Model, type Place, stepsOf } from '../schemas/model.ts';
import { defineOnnxModel, Graph, type Value, writeModel } from '../schemas/onnx/index.ts';
import { version } from '../schemas/version.ts';
import type { Member, Network } from './freeze.ts';
import { GraphOps } from './graph-ops.ts';
import { Shared, TimeAxis } from './graph-shared.ts';
import { roundingOf } from './oracle.ts';
import { inputSignal, type Signal } from './signal.ts';

/** Names of a graph's inputs and outputs: what a script with plain onnxruntime needs to know. */
export const graphNames = {
  /** uint8 or float32 [batch, …]; [time, batch, …] of any number of steps where the network has time */
  input: 'input',
  /** float32 [batch, classes]; a single network has it */
  logits: 'logits',
  /** float32 [batch, classes]; of an ensemble the mean over its members */
  probabilities: 'probabilities',
  /** float32 [members, batch, classes]; an ensemble has it */
  memberProbabilities: 'member_probabilities',
  /** float32 [batch, outputs]; a regression has it in place of the above, of an ensemble the mean over its members */
  means: 'means',
  /** float32 [members, batch, outputs]; an ensemble of a regression has it */
  memberMeans: 'member_means',
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
  const { model, members, choice, classNames, likelihood } = network;
  const graph = new Graph('bitspike');
  const { input, time } = inputOf(graph, model);
  const ops = new GraphOps(graph, new Shared(graph, roundingOf(model), time));
  const layers: string[][] = [];
  const logits = members.map((member, index) => {
    const written = writeMember(ops, model, member, input, memberPrefix(index, members.length));
    layers.push(written.layers);
    return written.logits;
  });
  if (members.length > 1) ensembleOutputs(graph, network, logits);
  else if (likelihood) regressionOutput(graph, model, logits[0] as Value);
  else singleOutputs(graph, model, logits[0] as Value);
  return writeModel(
    defineOnnxModel(graph, {
      producerName: 'bitspike',
      producerVersion: version,
      metadata: toMetadata({ model, weights: choice, classes: classNames, ...kept(likelihood), layers }),
    }),
  );
}

function inputOf(graph: Graph, model: Model): { readonly input: Signal; readonly time?: TimeAxis } {
  const { input } = model;
  if (stepsOf(model) === 1) {
    const batch = graph.input(graphNames.input, input.type, ['batch', ...input.shape]);
    return { input: inputSignal(input, batch) };
  }
  const sequence = graph.input(graphNames.input, input.type, ['time', 'batch', ...input.shape]);
  const time = new TimeAxis(graph, sequence);
  return { input: inputSignal(input, time.folded(graph, sequence)), time };
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
    after: (place, written) => {
      // What a neuron gives is in the graph; a current may stay folded into what follows it.
      if (fires(place)) layers.push(ops.observable(written));
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

function regressionOutput(graph: Graph, model: Model, value: Value): void {
  const means = graph.node('Identity', [value], {}, { output: graphNames.means });
  graph.output(means, 'float32', ['batch', classesOf(model)]);
}

function ensembleOutputs(graph: Graph, { model, likelihood }: Network, logits: readonly Value[]): void {
  const classes = classesOf(model);
  const first = graph.constant({ type: 'int64', dims: [1], data: BigInt64Array.of(0n) });
  const stacked = graph.node(
    'Concat',
    logits.map((value) => graph.node('Unsqueeze', [value, first])),
    { axis: 0 },
  );
  const members = likelihood
    ? graph.node('Identity', [stacked], {}, { output: graphNames.memberMeans })
    : graph.node('Softmax', [stacked], { axis: -1 }, { output: graphNames.memberProbabilities });
  const mean = graph.node(
    'ReduceMean',
    [members, first],
    { keepdims: 0 },
    { output: likelihood ? graphNames.means : graphNames.probabilities },
  );
  graph.output(mean, 'float32', ['batch', classes]);
  graph.output(members, 'float32', [logits.length, 'batch', classes]);
}
