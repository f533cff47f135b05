import { UserError } from '../schemas/errors.ts';
import { sizeOf } from '../schemas/layer.ts';
import { type Model, stepsOf } from '../schemas/model.ts';
import type { HostTensor } from './runner.ts';

/** Examples one after another in one array, or one array per example. */
export type Inputs = Uint8Array | Float32Array | readonly (Uint8Array | Float32Array)[];

/** Examples in one run of a device: more would use memory and no less time. */
const CHUNK = 1024;

/**
 * Examples as the graph takes them, some at a time: [batch, …] or [time, batch, …].
 *
 * @param factor times as many as usual
 * @throws UserError for others
 */
export function* batchesOf(model: Model, inputs: Inputs, factor = 1): Generator<HostTensor> {
  const { shape, type } = model.input;
  const steps = stepsOf(model);
  const size = steps * sizeOf(shape);
  const all = joined(model, inputs);
  // A sequence is as much work as its steps are examples.
  const chunk = Math.max(1, Math.floor((CHUNK * factor) / steps)) * size;
  for (let start = 0; start < all.length; start += chunk) {
    const examples = all.slice(start, start + chunk);
    const batch = examples.length / size;
    const data = steps === 1 ? examples : timeOutermost(examples, steps, size / steps);
    yield { type, dims: steps === 1 ? [batch, ...shape] : [steps, batch, ...shape], data };
  }
}

function joined(model: Model, inputs: Inputs): Uint8Array | Float32Array {
  const { type } = model.input;
  const steps = stepsOf(model);
  const shape = [...(steps > 1 ? [steps] : []), ...model.input.shape];
  const size = sizeOf(shape);
  const Wanted = type === 'uint8' ? Uint8Array : Float32Array;
  if (!Array.isArray(inputs) && !ArrayBuffer.isView(inputs)) {
    throw new UserError(`inputs: expected a ${Wanted.name}, or an array of them; got a ${kindOf(inputs)}`);
  }
  const list = inputs instanceof Uint8Array || inputs instanceof Float32Array ? [inputs] : inputs;
  for (const [index, array] of list.entries()) {
    if (!(array instanceof Wanted)) {
      throw new UserError(
        `inputs: the model takes ${type}, give a ${Wanted.name} (array ${index} is a ${kindOf(array)})`,
      );
    }
    const whole = list === inputs ? array.length === size : array.length % size === 0;
    if (!whole) {
      throw new UserError(
        `inputs: an example is [${shape.join(', ')}] = ${size} numbers; array ${index} holds ${array.length}`,
      );
    }
  }
  if (list.length === 1) return list[0] as Uint8Array | Float32Array;
  const all = new Wanted(list.length * size);
  list.forEach((array, index) => all.set(array, index * size));
  return all;
}

/** [batch, time, …] → [time, batch, …]. @param width numbers in one step of one example */
export function timeOutermost<Data extends Uint8Array | Float32Array>(
  examples: Data,
  steps: number,
  width: number,
): Data {
  const turned = examples.slice() as Data;
  const batch = examples.length / (steps * width);
  for (let example = 0; example < batch; example++) {
    for (let step = 0; step < steps; step++) {
      const from = (example * steps + step) * width;
      turned.set(examples.subarray(from, from + width), (step * batch + example) * width);
    }
  }
  return turned;
}

/** The name of what somebody gave, for errors. */
export const kindOf = (value: unknown): string => (value as object | null)?.constructor?.name ?? typeof value;
