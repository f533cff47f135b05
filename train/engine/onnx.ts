import { availableParallelism } from 'node:os';
import { onnxruntime, openSession, type Tensor } from '../../runtime/session.ts';
import { type Shape, sizeOf } from '../../schemas/layer.ts';
import type { LearnedTensor } from '../../schemas/posterior.ts';
import type { Engine } from './engine.ts';
import { traceStep } from './trace/trace.ts';

/**
 * Traces a step into one ONNX graph and runs that in onnxruntime.
 *
 * @param threads threads that compute a step; by default all cores
 */
export function onnxEngine({ threads = availableParallelism() }: { threads?: number } = {}): Engine {
  return {
    name: 'onnx',
    async prepare(step, initial, report) {
      const { Tensor } = await onnxruntime();
      const traced = await traceStep(step, { reports: report });
      const session = await openSession(traced.bytes, { threads }, 'the traced training step');
      const make = (shape: Shape, data = new Float32Array(sizeOf(shape))) =>
        new Tensor('float32', data, [...shape]);

      const feedTensors = mapEntries(step.feeds, (shape) => make(shape));
      const reportTensors = mapEntries(traced.reports, () => make([]));
      // Two sets of state take turns as input and output: a tensor must never be both in one run.
      let current = mapEntries(initial, ({ shape, data }) => make(shape, data.slice()));
      let next = mapEntries(initial, ({ shape }) => make(shape));

      return {
        feeds: mapEntries(feedTensors, ({ data }) => data as Float32Array),
        async run() {
          const inputs: Record<string, Tensor> = {};
          for (const name of traced.inputs) inputs[name] = (current[name] ?? feedTensors[name]) as Tensor;
          const outputs: Record<string, Tensor> = {};
          for (const [name, output] of Object.entries(traced.nextState))
            outputs[output] = next[name] as Tensor;
          for (const [name, output] of Object.entries(traced.reports))
            outputs[output] = reportTensors[name] as Tensor;
          await session.run(inputs, outputs);
          [current, next] = [next, current];
          return mapEntries(reportTensors, ({ data }) => data[0] as number);
        },
        async state() {
          return mapEntries(
            current,
            ({ dims, data }): LearnedTensor => ({ shape: dims, data: (data as Float32Array).slice() }),
          );
        },
        close: () => session.release(),
      };
    },
  };
}

function mapEntries<A, B>(record: Readonly<Record<string, A>>, convert: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, convert(value)]));
}
