import type { HostTensor } from './runner.ts';

/** One output of the graph for all examples. */
export interface Output {
  /** The first axis is the batch, but for `member_probabilities` and `member_means`, whose first is the member. */
  readonly dims: readonly number[];
  readonly data: Float32Array | Uint8Array;
}

export type Outputs = Readonly<Record<string, Output | undefined>>;

/** What joining needs of a tensor. */
export type Part = Pick<HostTensor, 'type' | 'dims' | 'data'>;

/** [time × batch, …] as [time, batch, …]. */
export const withTime = ({ type, dims: [rows = 0, ...features], data }: Part, steps: number): Part => ({
  type,
  dims: [steps, rows / steps, ...features],
  data,
});

/** Joins the parts of an output along the axis of the batch. */
export function join(parts: readonly Part[], axis: number): Output {
  const [first] = parts;
  if (!first) return { dims: [], data: new Float32Array() };
  const dims = [...first.dims];
  dims[axis] = parts.reduce((sum, part) => sum + (part.dims[axis] as number), 0);
  const data = new (first.type === 'uint8' ? Uint8Array : Float32Array)(
    dims.reduce((product, size) => product * size, 1),
  );
  const outer = dims.slice(0, axis).reduce((product, size) => product * size, 1);
  let offset = 0;
  for (let row = 0; row < outer; row++) {
    for (const part of parts) {
      const own = part.data as Float32Array;
      const length = own.length / outer;
      data.set(own.subarray(row * length, (row + 1) * length), offset);
      offset += length;
    }
  }
  return { dims, data };
}

/** Puts what several runs on the same examples gave one after another, as members of one more axis. */
export function stack(runs: readonly Output[]): Output {
  const [first] = runs;
  if (!first) throw new Error('nothing to stack');
  const data = new Float32Array(runs.reduce((sum, run) => sum + run.data.length, 0));
  let offset = 0;
  for (const run of runs) {
    data.set(run.data, offset);
    offset += run.data.length;
  }
  const [batch = 0, width = 0] = first.dims.slice(-2);
  return { dims: [data.length / (batch * width), batch, width], data };
}

/** The mean over the first axis, summed in float64. */
export function meanOverFirst({ dims: [count = 0, ...rest], data }: Output): Output {
  const size = data.length / count;
  const mean = new Float32Array(size);
  for (let index = 0; index < size; index++) {
    let sum = 0;
    for (let member = 0; member < count; member++) sum += data[member * size + index] as number;
    mean[index] = sum / count;
  }
  return { dims: rest, data: mean };
}
