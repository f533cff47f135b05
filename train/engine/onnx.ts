import { availableParallelism } from 'node:os';
import { onnxruntime, openSession, type Tensor } from '../../runtime/session.ts';
import { type Shape, sizeOf } from '../../schemas/layer.ts';
import { scalarNames, type Scalars } from '../step.ts';
import { AdamMemory } from './adam/adam-memory.ts';
import type { Engine } from './engine.ts';
import { traceStep } from './trace/trace.ts';

/**
 * Traces a step into one ONNX graph, from parameters to gradients, and runs that in onnxruntime; a WebAssembly
 * kernel applies the gradients.
 *
 * @param threads threads that compute a step; by default all cores
 */
export function onnxEngine({ threads = availableParallelism() }: { threads?: number } = {}): Engine {
  return {
    name: 'onnx',
    async prepare(step, initial, report) {
      const { Tensor } = await onnxruntime();
      const traced = await traceStep(step, { reports: report, gradients: true });
      const session = await openSession(traced.bytes, { threads }, 'the traced training step');
      const memory = new AdamMemory(step.adam, step.learned, initial);
      const make = (data: Float32Array, shape: Shape) => new Tensor('float32', data, [...shape]);

      const feeds = mapEntries(step.feeds, (shape) => new Float32Array(sizeOf(shape)));
      const reports = mapEntries(traced.reports, () => new Float32Array(1));
      const inputs: Record<string, Tensor> = {};
      for (const name of traced.inputs) {
        const learned = step.learned[name];
        inputs[name] = learned ? make(memory.values[name]!, learned) : make(feeds[name]!, step.feeds[name]!);
      }
      const outputs: Record<string, Tensor> = {};
      for (const [name, output] of Object.entries(traced.reports)) outputs[output] = make(reports[name]!, []);
      for (const [name, output] of Object.entries(traced.gradients)) {
        outputs[output] = make(memory.gradients[name]!, step.learned[name]!);
      }

      return {
        feeds,
        async run() {
          await session.run(inputs, outputs);
          memory.step(scalarsOf(feeds));
          return mapEntries(reports, (data) => data[0]!);
        },
        state: async () => memory.state(),
        close: () => session.release(),
      };
    },
  };
}

const scalarsOf = (feeds: Readonly<Record<string, Float32Array>>): Scalars =>
  Object.fromEntries(scalarNames.map((name) => [name, feeds[name]![0]!])) as Scalars;

function mapEntries<A, B>(record: Readonly<Record<string, A>>, convert: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, convert(value)]));
}
