import * as tf from '@tensorflow/tfjs-core';
import { defineOnnxModel, Graph, removeUnused, valuesRead, writeModel } from '../../../schemas/onnx/index.ts';
import type { Shapes, StepFunction, Tensors } from '../../step.ts';
import { registerGradients } from '../gradients.ts';
import { recordWith, type TraceDoors } from './backend.ts';
import { fuseProducts } from './fuse.ts';
import { order } from './order.ts';
import { Recorder } from './recorder.ts';
import { dropUnreadSlices } from './slices.ts';

/** A training step as one ONNX graph, and how to feed it. */
export interface TracedStep {
  readonly bytes: Uint8Array;
  /** Inputs that the graph reads; a step may not need all that it is offered. */
  readonly inputs: ReadonlySet<string>;
  /** Output that holds the next value of each tensor of the state, if it was asked for. */
  readonly nextState: Readonly<Record<string, string>>;
  /** Output that holds each report. */
  readonly reports: Readonly<Record<string, string>>;
  /** Output that holds each gradient, if they were asked for. */
  readonly gradients: Readonly<Record<string, string>>;
  readonly nodes: number;
}

/** Results of a step that are wanted; what only others need is not in the graph. */
export interface Wanted {
  readonly reports: readonly string[];
  readonly gradients?: boolean;
  readonly state?: boolean;
}

/** Runs a step once on symbols and returns what it computes as ONNX. */
export async function traceStep(
  step: Pick<StepFunction, 'state' | 'feeds' | 'run'>,
  wanted: Wanted,
): Promise<TracedStep> {
  registerGradients();
  const graph = new Graph('training_step');
  const recorder = new Recorder(graph);
  let outputs = {} as Pick<TracedStep, 'nextState' | 'reports' | 'gradients'>;

  await recordWith(recorder, (doors) => {
    const result = step.run(
      inputTensors(recorder, step.state, doors),
      inputTensors(recorder, step.feeds, doors),
    );
    const publish = (tensors: Tensors, names: readonly string[]) =>
      publishTensors(recorder, doors, tensors, names);
    outputs = {
      nextState: publish(result.state, wanted.state ? Object.keys(step.state) : []),
      reports: publish(result.reports, wanted.reports),
      gradients: publish(result.gradients, wanted.gradients ? Object.keys(result.gradients) : []),
    };
    // A step keeps its reports from being tidied away.
    tf.dispose(result.reports as tf.NamedTensorMap);
  });

  const bodies = bodiesIn(recorder);
  const graphs = [graph, ...bodies.map((body) => body.graph)];
  // The body of a loop may read what only its gradient has asked for.
  graphs.forEach(order);
  removeUnused(graph);
  graphs.forEach(dropUnreadSlices);
  removeUnused(graph);
  for (const body of bodies) fuseProducts(body.graph, body);
  fuseProducts(graph, recorder);
  const read = new Set<string>(graph.nodes.flatMap(valuesRead));
  graph.replace({ inputs: graph.inputs.filter(({ name }) => read.has(name)) });
  return {
    ...outputs,
    bytes: writeModel(defineOnnxModel(graph, { producerName: 'bitspike' })),
    inputs: new Set(graph.inputs.map(({ name }) => name)),
    nodes: graph.nodes.length,
  };
}

/** The bodies of all loops, those in others too. */
const bodiesIn = ({ bodies }: Recorder): Recorder[] => bodies.flatMap((body) => [body, ...bodiesIn(body)]);

function inputTensors(recorder: Recorder, shapes: Shapes, doors: TraceDoors): Tensors {
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      return [name, doors.tensor(recorder.input(shape, name))];
    }),
  );
}

/** Makes each tensor an output of the graph; returns the output of each name. */
function publishTensors(
  recorder: Recorder,
  doors: TraceDoors,
  tensors: Tensors,
  names: readonly string[],
): Record<string, string> {
  const { graph } = recorder;
  const published: Record<string, string> = {};
  for (const name of names) {
    const tensor = tensors[name];
    if (!tensor) throw new Error(`the step does not compute '${name}'`);
    const traced = doors.traced(tensor);
    const value = recorder.value(traced);
    // An output must be made by a node: neither an input nor a constant can be one. Nor can two outputs be one
    // value, though tensors may be equal: each has a buffer of its own to fill.
    const made = graph.nodes.some(({ outputs }) => outputs.includes(value));
    const taken = graph.outputs.some((known) => known.name === value);
    const output = made && !taken ? value : graph.node('Identity', [value]);
    graph.output(output, traced.type, [...traced.shape]);
    published[name] = output;
  }
  return published;
}
