import * as tf from '@tensorflow/tfjs-core';
import { type Shape, sizeOf } from '../../schemas/layer.ts';
import type { Tensors } from '../step.ts';
import { useBackend } from './backends.ts';
import { type Engine, isFinite } from './engine.ts';
import { registerGradients } from './gradients.ts';

/**
 * Runs every step eagerly on a tfjs backend.
 *
 * @param backend a registered backend, or one whose package is installed: it is imported when first used
 * @param threads of the backend `tensorflow`, which takes their number when it is loaded; the others compute on one
 */
export function tfjsEngine(backend: string, { threads }: { threads?: number } = {}): Engine {
  return {
    name: `tfjs ${backend}`,
    async prepare(step, initial, report) {
      await useBackend(backend, threads);
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
          const reports: Record<string, number> = {};
          for (const name of report)
            reports[name] = (await (result.reports[name] as tf.Tensor).data())[0] as number;
          tf.dispose(result.reports);
          if (isFinite(reports)) [state, result.state] = [result.state, state];
          tf.dispose(result.state);
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

    async prepareForward({ feeds: shapes, outputs: results, run }) {
      await useBackend(backend, threads);
      registerGradients();
      const feeds = Object.fromEntries(
        Object.entries(shapes).map(([name, shape]) => [name, new Float32Array(sizeOf(shape))]),
      );
      return {
        feeds,
        async run() {
          await useBackend(backend);
          const tensors = tf.tidy(() => {
            const fed = Object.entries(shapes).map(([name, shape]) => [name, asTensor(feeds[name]!, shape)]);
            return run(Object.fromEntries(fed) as Tensors) as tf.NamedTensorMap;
          });
          const outputs: Record<string, Float32Array> = {};
          for (const name of Object.keys(results))
            outputs[name] = (await tensors[name]!.data()) as Float32Array;
          tf.dispose(tensors);
          return outputs;
        },
        async close() {},
      };
    },
  };
}

// A tensor may keep the array it is made from, and a buffer is filled again before the next step.
const asTensor = (data: Float32Array, shape: Shape): tf.Tensor =>
  tf.tensor(data.slice(), [...shape], 'float32');
