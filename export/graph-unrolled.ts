import type { Shape } from '../schemas/layer.ts';
import type { Value } from '../schemas/onnx/index.ts';
import type { Scan } from '../schemas/ops.ts';
import { stateShape } from './graph-planes.ts';
import { functionName } from './graph-sections.ts';
import type { TimeAxis } from './graph-shared.ts';
import { parametersAt } from './graph-steps.ts';
import type { TimeWriter } from './graph-time.ts';
import { nameOf, planeOf } from './graph-values.ts';
import { onPlane, type RealSignal, type Signal } from './signal.ts';

/**
 * A layer with a state as so many steps one after another, without a loop: a loop runs on the CPU, and each of its
 * steps crosses over from a GPU and back.
 */
export function unrolled(
  writer: TimeWriter,
  { input, parameters, state, step }: Scan<Signal>,
  time: TimeAxis,
  steps: number,
): Signal {
  const { graph, scope } = writer;
  const { sections } = writer.shared;
  const plane = planeOf(input);
  const currents = graph.nodeN('Split', [time.unfolded(graph, writer.float(input))], steps, {
    axis: 0,
    num_outputs: steps,
  });
  const inner = writer.inside(graph);
  const real = (value: Value): RealSignal => onPlane({ kind: 'real', value }, plane);
  let before = Object.fromEntries(
    Object.entries(state).map(([name, shape]: [string, Shape]): [string, Signal] => [
      name,
      real(time.zeros(graph, stateShape(shape, plane))),
    ]),
  );
  const outputs = currents.map((current, index) => {
    const section = sections.named(`${scope}.${index}`, `${functionName(scope)}Step`);
    return sections.within(section, () => {
      const [output, after] = step(inner, parametersAt(parameters, index), before, real(current));
      before = Object.fromEntries(
        Object.entries(after).map(([name, signal]) => [name, real(inner.float(signal))]),
      );
      return output.kind === 'whole' ? output : real(inner.float(output));
    });
  });
  const sequence = graph.node(
    'Concat',
    outputs.map(({ value }) => value),
    { axis: 0 },
  );
  return { ...(outputs[0] as Signal), value: time.folded(graph, sequence, nameOf(writer, plane)) } as Signal;
}
