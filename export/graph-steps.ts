/** Gains, biases and thresholds that have their own numbers at every time step, [time, channels]. */
import type { Value } from '../schemas/onnx/index.ts';
import type { Shared } from './graph-shared.ts';
import { channelShape, FLOAT32, integers, scalar, type Writer } from './graph-values.ts';
import { onPlane, type ParameterSignal, type Plane, type RealSignal, type Signal } from './signal.ts';

const INT64 = 7;

/** Which step each step of a call is, by the graph that they are of. */
const indices = new WeakMap<Shared, Value>();

/** Numbers of every step, and how many a step has. */
interface OfSteps {
  readonly name: string;
  /** [time, channels] */
  readonly data: Float32Array;
  readonly channels: number;
  readonly plane: Plane | undefined;
}

const numberOf = (value: number): BigInt64Array => BigInt64Array.of(BigInt(value));

/**
 * The numbers of each step of a call, [time, 1, …channels], or in a stream, where examples may be at different steps,
 * [time, batch, …channels]. Steps after the last have those of the last.
 */
function numbersOf(writer: Writer, { name, data, channels, plane }: OfSteps): Value {
  const { graph, shared } = writer;
  const steps = data.length / channels;
  const all = shared.real(name, [steps, ...channelShape(channels, plane)], data);
  const index = indices.get(shared) ?? shared.sections.within(undefined, () => writeIndex(writer, steps));
  indices.set(shared, index);
  return graph.node('Gather', [all, index], { axis: 0 });
}

/** @param steps that have numbers of their own */
function writeIndex({ graph, shared: { time, states } }: Writer, steps: number): Value {
  if (!time) throw new Error('numbers of every step, and no time in the graph');
  const int = (value: number) => graph.constant({ type: 'int64', dims: [], data: numberOf(value) });
  const count = graph.node('Squeeze', [time.times]);
  const range = graph.node('Range', [int(0), count, int(1)]);
  const own = graph.node('Unsqueeze', [range, integers(graph, [1])]);
  const last = int(steps - 1);
  if (!states) return graph.node('Min', [own, last]);
  // How many steps each example has seen, [batch, 1].
  const before = states.before('steps', [1]);
  const taken = graph.node('Cast', [time.times], { to: FLOAT32 });
  graph.node('Add', [before, taken], {}, { output: states.nameAfter('steps') });
  const seen = graph.node('Cast', [graph.node('Min', [before, scalar(graph, steps)])], { to: INT64 });
  const row = graph.node('Reshape', [seen, integers(graph, [1, -1])]);
  return graph.node('Min', [graph.node('Add', [own, row]), last]);
}

/** An operator on [time × batch, …] whose second operand is of every step. */
export function atEachStep(writer: Writer, op: string, value: Value, of: OfSteps, name = {}): Value {
  const { graph, shared } = writer;
  const { time } = shared;
  if (!time) throw new Error(`${of.name}: numbers of every step, and no time in the graph`);
  const found = graph.node(op, [time.unfolded(graph, value), numbersOf(writer, of)]);
  return time.folded(graph, found, name);
}

type Parameters = Readonly<Record<string, Signal>>;

/** The real numbers of every step of a parameter that has such. */
export function ofSteps({ name, tensor }: ParameterSignal, plane: Plane | undefined): OfSteps | undefined {
  return tensor.values === 'real' && tensor.perStep
    ? { name, data: tensor.data, channels: tensor.shape.at(-1) as number, plane }
    : undefined;
}

/** The parameters of a loop that have numbers of every step, as sequences that it goes through. */
export function sequencesOf(
  writer: Writer,
  parameters: Parameters,
  plane: Plane | undefined,
): { readonly key: string; readonly value: Value }[] {
  return Object.entries(parameters).flatMap(([key, parameter]) => {
    const of = parameter.kind === 'parameter' && ofSteps(parameter, plane);
    return of ? [{ key, value: numbersOf(writer, of) }] : [];
  });
}

/** The parameters of the body of that loop. @param slice the input that has a step of a sequence */
export const withSlices = (
  parameters: Parameters,
  keys: readonly string[],
  slice: (key: string) => Value,
  plane: Plane | undefined,
): Parameters => ({
  ...parameters,
  ...Object.fromEntries(
    keys.map((key): [string, RealSignal] => [key, onPlane({ kind: 'real', value: slice(key) }, plane)]),
  ),
});

/** The parameters of one step, where steps are written one after another. */
export const parametersAt = (parameters: Parameters, step: number): Parameters =>
  Object.fromEntries(
    Object.entries(parameters).map(([key, parameter]): [string, Signal] => {
      const of = parameter.kind === 'parameter' && ofSteps(parameter, undefined);
      if (!of) return [key, parameter];
      const { name, data, channels } = of;
      const own = data.slice(step * channels, (step + 1) * channels);
      const tensor = { values: 'real', shape: [channels], data: own } as const;
      return [key, { kind: 'parameter', name: `${name}.${step}`, tensor }];
    }),
  );
