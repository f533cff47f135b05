import { memberPrefix, toMetadata } from '../schemas/description.ts';
import { UserError } from '../schemas/errors.ts';
import { checkOptions } from '../schemas/layer.ts';
import { kept } from '../schemas/likelihood.ts';
import { fires, forward, type Model, type Place, stepsOf } from '../schemas/model.ts';
import {
  defineOnnxModel,
  type Dimension,
  Graph,
  type Model as OnnxModel,
  type Value,
} from '../schemas/onnx/index.ts';
import { version } from '../schemas/version.ts';
import { equationsOf } from './equations.ts';
import type { Member, Network } from './freeze.ts';
import { GraphOps } from './graph-ops.ts';
import { addOutputs, graphNames } from './graph-outputs.ts';
import { functionDomain, outlined } from './graph-sections.ts';
import { Shared, TimeAxis } from './graph-shared.ts';
import { States } from './graph-states.ts';
import { FLOAT32 } from './graph-values.ts';
import { hashOfNetwork, inputOf as describedInput } from './metadata.ts';
import { type CheckedOnnxOptions, irVersionOf, type OnnxOptions, onnxOptionsSchema } from './onnx-options.ts';
import { type ExternalOptions, filesOf, oneFileOf, type OnnxFiles } from './onnx-files.ts';
import { roundingOf } from './oracle.ts';
import { inputSignal, type Signal } from './signal.ts';

export { graphNames };

/**
 * Writes a frozen network as standard ONNX, one bit per binary weight.
 *
 * An ensemble becomes one graph that runs all its members and averages their probabilities.
 *
 * @returns the bytes of the .onnx file; the same network gives the same bytes
 * @throws UserError for options that do not fit, and where the network has no exact form
 */
export const toOnnx = (network: Network, options: OnnxOptions = {}): Uint8Array =>
  oneFileOf(onnxModelOf(network, options));

/** The same as two files, the larger tensors beside the .onnx, where that is asked for or one would not hold them. */
export const toOnnxFiles = (network: Network, options: OnnxOptions, external: ExternalOptions): OnnxFiles =>
  filesOf(onnxModelOf(network, options), external);

function onnxModelOf(network: Network, options: OnnxOptions): OnnxModel {
  const checked = checkOptions(onnxOptionsSchema, options, 'export');
  const { form, functions, target, opset } = checked;
  const { model, members, choice, classNames, likelihood } = network;
  const floats = target === 'gpu';
  const unroll = unrolledSteps(model, checked);
  const graph = new Graph('bitspike');
  const { input, time } = inputOf(graph, model, floats, unroll ?? 'time');
  const states = form === 'stream' ? new States(graph) : undefined;
  const shared = new Shared(graph, { round: roundingOf(model), time, states, floats, unroll });
  const ops = new GraphOps(graph, shared);
  const layers: string[][] = [];
  const answers = members.map((member, index) => {
    const written = writeMember(ops, model, member, input, memberPrefix(index, members.length));
    layers.push(written.layers);
    return written.logits;
  });
  addOutputs({ graph, sections: shared.sections }, network, answers);
  const carried = states?.finish();
  const description = {
    model,
    weights: choice,
    classes: classNames,
    ...kept(likelihood),
    layers,
    input: describedInput(model),
    equations: equationsOf(model),
    network: hashOfNetwork(network),
  };
  const definitions = functions ? outlined(graph, shared.sections, layers.flat(), opset) : [];
  return defineOnnxModel(graph, {
    producerName: 'bitspike',
    producerVersion: version,
    metadata: toMetadata({ ...description, ...(carried && { states: carried }) }),
    opset,
    irVersion: irVersionOf[opset],
    functions: definitions,
    ...(definitions.length > 0 && { domains: { [functionDomain]: 1 } }),
  });
}

/** Loops of so many steps and fewer are unrolled for a GPU. */
const FEW_STEPS = 10;

/** How many steps take the place of loops, if they do. */
function unrolledSteps(model: Model, { form, target, unroll }: CheckedOnnxOptions): number | undefined {
  const steps = stepsOf(model);
  if (form === 'stream') {
    if (steps === 1)
      throw new UserError('export: the network has one step; only one of several can be fed as a stream');
    if (unroll)
      throw new UserError(
        'export: a stream has any number of steps in a call, which cannot be unrolled; leave out unroll or the stream',
      );
    return undefined;
  }
  const isUnrolled = unroll ?? (target === 'gpu' && steps <= FEW_STEPS);
  return isUnrolled && steps > 1 ? steps : undefined;
}

/** @param steps how many a sequence has, or what that number is called */
function inputOf(
  graph: Graph,
  model: Model,
  floats: boolean,
  steps: Dimension,
): { readonly input: Signal; readonly time?: TimeAxis } {
  const { input } = model;
  const signalOf = (value: Value): Signal => {
    const signal = inputSignal(input, value);
    if (!floats || signal.kind !== 'whole') return signal;
    return { ...signal, value: graph.node('Cast', [value], { to: FLOAT32 }), type: 'float32' };
  };
  if (stepsOf(model) === 1) {
    return { input: signalOf(graph.input(graphNames.input, input.type, ['batch', ...input.shape])) };
  }
  const sequence = graph.input(graphNames.input, input.type, [steps, 'batch', ...input.shape]);
  const time = new TimeAxis(graph, sequence);
  return { input: signalOf(time.folded(graph, sequence)), time };
}

function writeMember(ops: GraphOps, model: Model, member: Member, input: Signal, prefix: string) {
  const parameters = Object.fromEntries(
    Object.entries(member).map(([name, tensor]): [string, Signal] => [
      name,
      { kind: 'parameter', name: prefix + name, tensor },
    ]),
  );
  const { sections } = ops.shared;
  const layers: string[] = [];
  const output = forward(ops, model, parameters, input, {
    before: ({ name, output }: Place) => {
      ops.scope = prefix + name;
      ops.output = output;
      sections.enter(sections.named(ops.scope));
    },
    after: (place, written) => {
      // What a neuron gives is in the graph; a current may stay folded into what follows it.
      if (fires(place)) layers.push(ops.observable(written));
      sections.enter(undefined);
    },
  });
  if (output.kind !== 'real') throw new Error(`the logits are a ${output.kind}`);
  return { logits: output.value, layers };
}
