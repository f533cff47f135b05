import { availableParallelism } from 'node:os';
import { onnxruntime, openSession, type Tensor } from '../../runtime/session.ts';
import { type Shape, sizeOf } from '../../schemas/layer.ts';
import { type Engine, isFinite } from './engine.ts';
import { OptimiserMemory } from './optimiser/optimiser-memory.ts';
import { traceStep } from './trace/trace.ts';

/**
 * Traces a step into one ONNX graph, from parameters to gradients, and runs that in onnxruntime; WebAssembly
 * kernels clip the gradients and apply them.
 *
 * @param threads threads that compute a step; by default all cores
 */
export function onnxEngine({ threads = availableParallelism() }: { threads?: number } = {}): Engine {
  return {
    name: 'onnx',
    async prepare(step, initial, report) {
      const { Tensor } = await onnxruntime();
      // The kernels have it at hand.
      const computed = report.filter((name) => name !== 'gradientNorm');
      const traced = await traceStep(step, { reports: computed, gradients: true });
      const session = await openSession(traced.bytes, { threads }, 'the traced training step');
      const memory = new OptimiserMemory(step, initial);
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
          const reported = mapEntries(reports, (data) => data[0]!);
          if (!isFinite(reported)) return reported;
          return { ...reported, ...memory.step((name) => feeds[name]![0]!) };
        },
        state: async () => memory.state(),
        close: () => session.release(),
      };
    },

    async prepareForward({ feeds: shapes, outputs: results, run }) {
      const { Tensor } = await onnxruntime();
      const traced = await traceStep(
        { state: {}, feeds: shapes, run: (_, fed) => ({ state: {}, reports: run(fed), gradients: {} }) },
        { reports: Object.keys(results) },
      );
      const session = await openSession(traced.bytes, { threads }, 'the traced network');
      const feeds = mapEntries(shapes, (shape) => new Float32Array(sizeOf(shape)));
      const filled = mapEntries(results, (shape) => new Float32Array(sizeOf(shape)));
      const inputs: Record<string, Tensor> = {};
      for (const name of traced.inputs)
        inputs[name] = new Tensor('float32', feeds[name]!, [...shapes[name]!]);
      const outputs: Record<string, Tensor> = {};
      for (const [name, output] of Object.entries(traced.reports))
        outputs[output] = new Tensor('float32', filled[name]!, [...results[name]!]);
      return {
        feeds,
        async run() {
          await session.run(inputs, outputs);
          return filled;
        },
        close: () => session.release(),
      };
    },
  };
}

function mapEntries<A, B>(record: Readonly<Record<string, A>>, convert: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, convert(value)]));
}
