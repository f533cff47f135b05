import * as tf from '@tensorflow/tfjs-core';
import { reasonOf, UserError } from '../../schemas/errors.ts';
import { type Shape, sizeOf } from '../../schemas/layer.ts';
import type { Engine } from './engine.ts';
import { registerGradients } from './gradients.ts';

/** The package that brings each tfjs backend. */
const packages: Readonly<Record<string, string>> = {
  cpu: '@tensorflow/tfjs-backend-cpu',
  wasm: '@tensorflow/tfjs-backend-wasm',
  tensorflow: '@tensorflow/tfjs-node',
  webgl: '@tensorflow/tfjs-backend-webgl',
  webgpu: '@tensorflow/tfjs-backend-webgpu',
};

/**
 * Runs every step eagerly on a tfjs backend.
 *
 * @param backend a registered backend, or one whose package is installed: it is imported when first used
 */
export function tfjsEngine(backend: string): Engine {
  return {
    name: `tfjs ${backend}`,
    async prepare(step, initial, report) {
      await useBackend(backend);
      registerGradients();
      let state: tf.NamedTensorMap = {};
      for (const [name, { shape, data }] of Object.entries(initial)) state[name] = asTensor(data, shape);
      const feeds = Object.fromEntries(
        Object.entries(step.feeds).map(([name, shape]) => [name, new Float32Array(sizeOf(shape))]),
      );

      return {
        feeds,
        async run() {
          await useBackend(backend);
          const result = tf.tidy(() => {
            const fed = Object.fromEntries(
              Object.entries(step.feeds).map(([name, shape]) => [
                name,
                asTensor(feeds[name] as Float32Array, shape),
              ]),
            );
            const { state: next, reports } = step.run(state, fed);
            return { state: next, reports } as { state: tf.NamedTensorMap; reports: tf.NamedTensorMap };
          });
          tf.dispose(state);
          state = result.state;
          const reports: Record<string, number> = {};
          for (const name of report)
            reports[name] = (await (result.reports[name] as tf.Tensor).data())[0] as number;
          tf.dispose(result.reports);
          return reports;
        },
        async state() {
          const copy: Record<string, { shape: readonly number[]; data: Float32Array }> = {};
          for (const [name, tensor] of Object.entries(state)) {
            copy[name] = { shape: tensor.shape, data: Float32Array.from(await tensor.data()) };
          }
          return copy;
        },
        async close() {
          tf.dispose(state);
        },
      };
    },
  };
}

// A tensor may keep the array it is made from, and a buffer is filled again before the next step.
const asTensor = (data: Float32Array, shape: Shape): tf.Tensor =>
  tf.tensor(data.slice(), [...shape], 'float32');

async function useBackend(name: string): Promise<void> {
  if (tf.getBackend() === name) return;
  if (!tf.engine().registryFactory[name]) await importBackend(name);
  const ready = await tf.setBackend(name);
  if (!ready)
    throw new UserError(`the tfjs backend '${name}' does not start on this machine; try engine 'onnx'`);
}

async function importBackend(name: string): Promise<void> {
  const module = packages[name];
  if (!module) {
    throw new UserError(
      `unknown tfjs backend '${name}'; expected one of ${Object.keys(packages).join(', ')}`,
    );
  }
  try {
    await import(module);
  } catch (cause) {
    throw new UserError(
      `the tfjs backend '${name}' needs the package ${module}: npm install ${module} (${reasonOf(cause)})`,
      { cause },
    );
  }
}
