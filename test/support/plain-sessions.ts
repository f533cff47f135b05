/** Exported files in onnxruntime itself, without the toolkit's own runtime: native, and compiled to WebAssembly. */
import { sizeOf } from '../../schemas/layer.ts';
import { readModel } from '../../schemas/onnx/index.ts';
import { describe as describeModel } from '../../schemas/description.ts';
import type { HostTensor, HostTensors } from '../../runtime/runner.ts';

/** A model opened somewhere. Outputs come by name, all of the graph's, or those of values that were asked for. */
export interface PlainSession {
  run(feeds: HostTensors): Promise<HostTensors>;
  release(): Promise<void>;
}

export type Where = 'cpu' | 'wasm';
export const places = ['cpu', 'wasm'] as const satisfies readonly Where[];

/** Opens a model in onnxruntime-node or in onnxruntime-web. @param optimisation of the graph; disabled, it runs as it is written */
export async function openPlain(
  model: Uint8Array,
  where: Where,
  optimisation: 'all' | 'disabled' = 'all',
): Promise<PlainSession> {
  const { InferenceSession, Tensor, env } = (
    where === 'cpu' ? await import('onnxruntime-node') : await import('onnxruntime-web/wasm')
  ) as typeof import('onnxruntime-node');
  // Otherwise it asks for the number of cores in a way that modules cannot.
  env.wasm.numThreads = 1;
  const session = await InferenceSession.create(model, {
    executionProviders: [where],
    graphOptimizationLevel: optimisation,
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  return {
    async run(feeds) {
      const found = await session.run(
        Object.fromEntries(
          Object.entries(feeds).map(([name, { type, data, dims }]) => [
            name,
            new Tensor(type as 'float32', data as Float32Array, dims),
          ]),
        ),
      );
      return Object.fromEntries(
        Object.entries(found).map(([name, { type, data, dims }]) => [
          name,
          { type, dims, data: (data as Float32Array).slice() } as unknown as HostTensor,
        ]),
      );
    },
    release: async () => session.release(),
  };
}

/** A file of the streaming form, opened somewhere. */
export interface PlainStream {
  /**
   * Feeds sequences from their first step on, cut into calls of so many steps.
   *
   * @param inputs of all steps, time outermost
   * @returns all outputs of each call
   */
  feed(
    inputs: Uint8Array | Float32Array,
    batch: number,
    calls: readonly number[],
  ): Promise<readonly HostTensors[]>;
  release(): Promise<void>;
}

export async function openStream(model: Uint8Array, where: Where): Promise<PlainStream> {
  const { model: network, states = [] } = describeModel(readModel(model), 'stream');
  const session = await openPlain(model, where);
  const { shape, type } = network.input;
  return {
    async feed(inputs, batch, calls) {
      const width = batch * sizeOf(shape);
      let held = Object.fromEntries(
        states.map(({ input, dims }): [string, HostTensor] => {
          const sizes = dims.map((size) => (size === 'batch' ? batch : Number(size)));
          return [input, { type: 'float32', dims: sizes, data: new Float32Array(sizeOf(sizes)) }];
        }),
      );
      const found: HostTensors[] = [];
      let at = 0;
      for (const steps of calls) {
        const data = inputs.slice(at * width, (at + steps) * width);
        const outputs = await session.run({ input: { type, dims: [steps, batch, ...shape], data }, ...held });
        held = Object.fromEntries(states.map(({ input, output }) => [input, outputs[output]!]));
        found.push(outputs);
        at += steps;
      }
      return found;
    },
    release: session.release,
  };
}
