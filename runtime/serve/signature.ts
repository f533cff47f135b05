import { UserError } from '../../schemas/errors.ts';
import { sizeOf } from '../../schemas/layer.ts';
import { stepsOf } from '../../schemas/model.ts';
import type { LoadedNetwork, Output } from '../network.ts';

/** Numbers of the two types that networks take and give. */
export type Numbers = Uint8Array | Float32Array;

/** A tensor as it crosses threads and the wire. */
export interface Tensor {
  readonly dims: readonly number[];
  readonly data: Numbers;
}

export type Datatype = 'UINT8' | 'FP32';

/** What goes into a network or comes out of it, as the protocol tells it. */
export interface Port {
  readonly name: string;
  readonly datatype: Datatype;
  /** −1 stands for the number of examples. */
  readonly shape: readonly number[];
}

/** What a network takes and gives. */
export interface Signature {
  /** Its first axis is the batch; the second is time, if the network has time. */
  readonly input: Port;
  readonly outputs: readonly Port[];
}

export const datatypeOf = (data: Numbers): Datatype => (data instanceof Uint8Array ? 'UINT8' : 'FP32');

/** Bytes of one number. */
export const bytesOf: Readonly<Record<Datatype, number>> = { UINT8: 1, FP32: 4 };

/**
 * Finds out what a network gives by running it on one example of zeros and on two: the axis that grows is that of
 * the examples. The first requests then find it warm.
 *
 * @throws UserError where an output has no such axis
 */
export async function signatureOf(network: LoadedNetwork, file: string): Promise<Signature> {
  const { model } = network.description;
  const steps = stepsOf(model);
  const example = [...(steps > 1 ? [steps] : []), ...model.input.shape];
  const { type } = model.input;
  const one = await network.run(zeros(type, sizeOf(example)));
  const two = await network.run(zeros(type, 2 * sizeOf(example)));
  const outputs = Object.entries(one).map(([name, { dims, data }]): Port => {
    const axis = axisThatGrows(dims, two[name]);
    if (axis === -1)
      throw new UserError(`${file}: its output '${name}' has no axis for examples; it cannot be served`);
    return {
      name,
      datatype: datatypeOf(data),
      shape: dims.map((size, index) => (index === axis ? -1 : size)),
    };
  });
  return {
    input: { name: 'input', datatype: type === 'uint8' ? 'UINT8' : 'FP32', shape: [-1, ...example] },
    outputs,
  };
}

const zeros = (type: 'uint8' | 'float32', length: number): Numbers =>
  new (type === 'uint8' ? Uint8Array : Float32Array)(length);

/** Seconds that one example takes: the least of some runs, since others may want the processor meanwhile. */
export async function secondsOf(network: LoadedNetwork, { input }: Signature): Promise<number> {
  const example = zeros(network.description.model.input.type, sizeOf(input.shape.slice(1)));
  let least = Number.POSITIVE_INFINITY;
  let all = 0;
  for (let run = 0; run < 10 && all < 0.1; run++) {
    const started = performance.now();
    await network.run(example);
    const seconds = (performance.now() - started) / 1000;
    least = Math.min(least, seconds);
    all += seconds;
  }
  return least;
}

const axisThatGrows = (dims: readonly number[], more: Output | undefined): number =>
  dims.findIndex((size, index) => size === 1 && more?.dims[index] === 2);

/**
 * Some of the examples of an output.
 *
 * @param axis of the examples
 */
export function rowsOf({ dims, data }: Tensor, axis: number, start: number, count: number): Tensor {
  const outer = sizeOf(dims.slice(0, axis));
  const inner = sizeOf(dims.slice(axis + 1));
  const all = dims[axis] as number;
  const rows = new (data instanceof Uint8Array ? Uint8Array : Float32Array)(outer * count * inner);
  for (let place = 0; place < outer; place++) {
    const from = (place * all + start) * inner;
    rows.set(data.subarray(from, from + count * inner), place * count * inner);
  }
  return { dims: dims.with(axis, count), data: rows };
}
