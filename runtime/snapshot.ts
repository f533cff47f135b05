/** What streams remember, as a safetensors file whose metadata say of which network they are. */
import type { StateDescription } from '../schemas/description.ts';
import { UserError } from '../schemas/errors.ts';
import { parseJson } from '../schemas/json.ts';
import type { RandomState } from '../schemas/random.ts';
import { Random } from '../schemas/random.ts';
import { readSafetensors, type SafeTensor, writeSafetensors } from '../schemas/safetensors.ts';
import { kindOf } from './examples.ts';
import type { HostTensor } from './runner.ts';
import { shapeOf } from './states.ts';

/** Of the format; another number is another format. */
const VERSION = '1';
const FORMAT = 'bitspike stream';

/** What a snapshot belongs to. */
interface Owner {
  /** SHA-256 of the .onnx. */
  readonly hash: string;
  /** Streams side by side. */
  readonly batch: number;
  /** States of the generators of its noise, in the order of its noise inputs. */
  readonly noise: readonly RandomState[];
}

const where = 'restore: snapshot';

export function writeSnapshot(
  states: readonly StateDescription[],
  feeds: Readonly<Record<string, HostTensor>>,
  { hash, batch, noise }: Owner,
): Uint8Array {
  const tensors = Object.fromEntries(
    states.map(({ name, input }): [string, SafeTensor] => {
      const { dims, data } = feeds[input] as HostTensor;
      return [
        name,
        data instanceof Uint8Array
          ? { dtype: 'U8', shape: dims, data: data as Uint8Array<ArrayBuffer> }
          : { dtype: 'F32', shape: dims, data: data as Float32Array<ArrayBuffer> },
      ];
    }),
  );
  return writeSafetensors(tensors, {
    format: FORMAT,
    version: VERSION,
    model: hash,
    batch: String(batch),
    noise: JSON.stringify(noise),
  });
}

/** @returns the states by the inputs that take them @throws UserError where anything is not as its owner needs it */
export function readSnapshot(
  states: readonly StateDescription[],
  bytes: Uint8Array,
  owner: Owner,
): { readonly states: Record<string, HostTensor>; readonly noise: RandomState[] } {
  if (!(bytes instanceof Uint8Array)) {
    throw new UserError(`${where}: expected the Uint8Array that snapshot gave; got a ${kindOf(bytes)}`);
  }
  const { tensors, metadata } = readSafetensors(bytes, where);
  const expected = { format: FORMAT, version: VERSION, model: owner.hash, batch: String(owner.batch) };
  for (const [key, value] of Object.entries(expected)) {
    const found = metadata[key];
    if (found !== value) {
      throw new UserError(
        `${where}: ${key} is ${JSON.stringify(found) ?? 'missing'}; expected ${JSON.stringify(value)}`,
      );
    }
  }
  const names = new Set(states.map(({ name }) => name));
  const odd = [...tensors.keys()].find((name) => !names.has(name));
  if (odd !== undefined) throw new UserError(`${where}: the network has no state ${JSON.stringify(odd)}`);
  const read = states.map(
    (state) => [state.input, readState(state, tensors.get(state.name), owner.batch)] as const,
  );
  return { states: Object.fromEntries(read), noise: readNoise(metadata.noise, owner.noise.length) };
}

function readState(state: StateDescription, tensor: SafeTensor | undefined, batch: number): HostTensor {
  const dims = shapeOf(state, batch);
  const dtype = state.type === 'uint8' ? 'U8' : 'F32';
  const expected = `${dtype} [${dims.join(', ')}]`;
  const found = tensor ? `${tensor.dtype} [${tensor.shape.join(', ')}]` : 'missing';
  if (!tensor || found !== expected) {
    throw new UserError(`${where}: state ${state.name} is ${found}; expected ${expected}`);
  }
  const data = tensor.data as Uint8Array | Float32Array;
  if (!data.every(Number.isFinite)) {
    throw new UserError(`${where}: state ${state.name} holds numbers that are not finite`);
  }
  return { type: state.type, dims, data };
}

function readNoise(text: string | undefined, count: number): RandomState[] {
  const found = parseJson(text ?? 'null', `${where}: noise`);
  if (!Array.isArray(found) || found.length !== count) {
    throw new UserError(`${where}: noise: expected the states of ${count} generators`);
  }
  for (const state of found as RandomState[]) Random.restore(state);
  return found as RandomState[];
}
