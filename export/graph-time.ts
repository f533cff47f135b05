import { UserError } from '../schemas/errors.ts';
import type { Shape } from '../schemas/layer.ts';
import { Graph, type Value } from '../schemas/onnx/index.ts';
import type { Ops, OverTime, Scan } from '../schemas/ops.ts';
import { stateShape } from './graph-planes.ts';
import type { TimeAxis } from './graph-shared.ts';
import type { States } from './graph-states.ts';
import { sequencesOf, withSlices } from './graph-steps.ts';
import { unrolled } from './graph-unrolled.ts';
import { FLOAT32, integers, nameOf, planeOf, scalar, type Writer } from './graph-values.ts';
import { onPlane, type RealSignal, type Signal } from './signal.ts';

/** Writes layers that happen over time. */
export interface TimeWriter extends Writer, Ops<Signal> {
  /** The float32 numbers that a signal stands for. */
  float(x: Signal): Value;
  /** The same within a step, which may be the body of a loop. */
  inside(body: Graph): TimeWriter;
}

/** One Scan; the sums of its input over all times are computed before it. */
export function scanned(writer: TimeWriter, scan: Scan<Signal>): Signal {
  const { graph, scope, shared } = writer;
  const { time, states } = shared;
  if (!time) throw new UserError(`export: ${scope} has a state, and the network one step; give it steps`);
  if (shared.unroll !== undefined) return unrolled(writer, scan, time, shared.unroll);
  const { input, parameters, state, step } = scan;
  const plane = planeOf(input);
  const current = time.unfolded(graph, writer.float(input));
  const body = new Graph(`${scope}.step`, graph);
  const inner = writer.inside(body);
  const fed = (name: string): RealSignal =>
    onPlane({ kind: 'real', value: body.input(`${scope}.${name}`, 'float32') }, plane);
  const names = Object.keys(state);
  const before = names.map((name): [string, Signal] => [name, fed(`${name}.before`)]);
  const now = fed('current');
  const sequences = sequencesOf(writer, parameters, plane);
  const own = withSlices(
    parameters,
    sequences.map(({ key }) => key),
    (key) => body.input(`${scope}.${key}.now`, 'float32'),
    plane,
  );
  const [output, after] = step(inner, own, Object.fromEntries(before), now);

  for (const name of names) {
    const value = inner.float(after[name] as Signal);
    body.output(givenBy(body, value), 'float32');
  }
  const spikes = output.kind === 'whole';
  const made = spikes ? output.value : inner.float(output);
  body.output(givenBy(body, made), spikes ? output.type : 'float32');

  const starts = names.map((name) => {
    const features = stateShape(state[name] as Shape, plane);
    return states ? states.before(`${scope}.${name}`, features) : time.zeros(graph, features);
  });
  const ends = names.map((name) =>
    states ? states.nameAfter(`${scope}.${name}`) : `${scope}.${name}.after`,
  );
  const fedIn = [...starts, current, ...sequences.map(({ value: sequence }) => sequence)];
  const found = graph.nodeN('Scan', fedIn, [...ends, `${scope}.sequence`], {
    num_scan_inputs: 1 + sequences.length,
    body,
  });
  const value = time.folded(graph, found.at(-1) as Value, nameOf(writer, plane));
  return spikes ? { ...output, value } : onPlane({ kind: 'real', value }, plane);
}

/**
 * A value as an output of a body: itself where a node of the body makes it and it is no output yet. A step has so few
 * operators that one more shows.
 */
const givenBy = (body: Graph, value: Value): Value =>
  body.nodes.some(({ outputs }) => outputs.includes(value)) &&
  !body.outputs.some(({ name }) => name === value)
    ? value
    : body.node('Identity', [value]);

/** What a whole sequence comes to, or a stream so far. @param features shape of what one example has at one time */
export function readOverTime(writer: TimeWriter, x: Signal, how: OverTime, features: Shape): Signal {
  const { graph, scope, shared } = writer;
  const { time, states } = shared;
  if (!time) return x;
  const sequence = time.unfolded(graph, writer.float(x));
  const first = integers(graph, [0]);
  const last = () => {
    const index = graph.constant({ type: 'int64', dims: [], data: BigInt64Array.of(-1n) });
    return graph.node('Gather', [sequence, index], { axis: 0 });
  };
  const largest = () => graph.node('ReduceMax', [sequence, first], { keepdims: 0 });
  const whole = {
    mean: () => graph.node('ReduceMean', [sequence, first], { keepdims: 0 }),
    maximum: largest,
    last,
  };
  const soFar = (known: States, axis: TimeAxis) => ({
    mean: () => {
      const sum = summed(graph, scope, sequence, known.before(`${scope}.sum`, features), known);
      return graph.node('Div', [sum, counted(graph, scope, known, axis).after]);
    },
    maximum: () => {
      const { before: steps } = counted(graph, scope, known, axis);
      const held = known.before(`${scope}.maximum`, features);
      const now = largest();
      // Before the first step there is nothing that 0 would be larger than.
      const started = graph.node('Greater', [steps, scalar(graph, 0)]);
      const larger = graph.node('Where', [started, graph.node('Max', [held, now]), now]);
      return graph.node('Identity', [larger], {}, { output: known.nameAfter(`${scope}.maximum`) });
    },
    last,
  });
  return { kind: 'real', value: (states ? soFar(states, time) : whole)[how]() };
}

/** Sums one step after the other, so that they are the same however a sequence is cut into calls. */
function summed(graph: Graph, scope: string, sequence: Value, before: Value, states: States): Value {
  const body = new Graph(`${scope}.sums`, graph);
  const [sum, current] = [body.input(`${scope}.sum`, 'float32'), body.input(`${scope}.current`, 'float32')];
  body.output(body.node('Add', [sum, current]), 'float32');
  const [after] = graph.nodeN('Scan', [before, sequence], [states.nameAfter(`${scope}.sum`)], {
    num_scan_inputs: 1,
    body,
  });
  return after;
}

/** How many steps each example has seen, [batch, 1], before this call and after it. */
function counted(graph: Graph, scope: string, states: States, time: TimeAxis) {
  const before = states.before(`${scope}.steps`, [1]);
  const steps = graph.node('Cast', [time.times], { to: FLOAT32 });
  const output = states.nameAfter(`${scope}.steps`);
  return { before, after: graph.node('Add', [before, steps], {}, { output }) };
}
