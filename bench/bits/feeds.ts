import { toOnnx } from '../../export/index.ts';
import type { HostTensor, HostTensors } from '../../runtime/runner.ts';
import { describe } from '../../schemas/description.ts';
import { sizeOf } from '../../schemas/layer.ts';
import type { Model } from '../../schemas/model.ts';
import { readModel } from '../../schemas/onnx/index.ts';
import { type Case, inputsOf, randomNetwork } from './cases.ts';

export const SEED = 1;

/** What a call is fed, and which of its outputs the next one is fed as which input. */
export interface Feeding {
  readonly feeds: HostTensors;
  readonly carried: readonly { readonly input: string; readonly output: string }[];
}

/** What a call is fed; a stream carries its states from step to step. */
export function feedingOf(given: Case, isStream: boolean, bytes: Uint8Array): Feeding {
  const { dims, data } = inputsOf(given, SEED);
  if (!isStream) return { feeds: { input: { type: 'uint8', dims, data } }, carried: [] };
  const [, ...step] = dims;
  const states = describe(readModel(bytes), 'stream').states ?? [];
  const zeros = states.map(({ input, dims: of }): [string, HostTensor] => {
    const sizes = of.map((size) => (size === 'batch' ? given.batch : Number(size)));
    return [input, { type: 'float32', dims: sizes, data: new Float32Array(sizeOf(sizes)) }];
  });
  const input: HostTensor = { type: 'uint8', dims: [1, ...step], data: data.slice(0, sizeOf(step)) };
  return { feeds: { input, ...Object.fromEntries(zeros) }, carried: states };
}

const made = new WeakMap<Model, Map<string, Uint8Array>>();

/** The network as a file in the form that a runtime is at its best with; written once. */
export function bytesOf({ model }: Case, isStream: boolean, target: 'any' | 'gpu'): Uint8Array {
  const known = made.get(model) ?? new Map<string, Uint8Array>();
  made.set(model, known);
  const form = isStream ? 'stream' : 'whole';
  const key = `${form} ${target}`;
  const bytes = known.get(key) ?? toOnnx(randomNetwork(model, SEED), { form, target, functions: false });
  known.set(key, bytes);
  return bytes;
}
