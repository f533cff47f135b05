/** What a network that is fed a stream carries from one call to the next. */
import type { StateDescription } from '../schemas/description.ts';
import { UserError } from '../schemas/errors.ts';
import { sizeOf } from '../schemas/layer.ts';
import type { HostTensor } from './runner.ts';

/** Sizes of a state of so many streams. */
export const shapeOf = ({ dims, name }: StateDescription, batch: number): number[] =>
  dims.map((size) => {
    if (typeof size === 'number') return size;
    if (size === 'batch') return batch;
    throw new UserError(`state ${name}: has an axis of unknown size '${size}'; expected numbers and 'batch'`);
  });

/** As states are before the first call, by the inputs that take them. */
export function zeroStates(states: readonly StateDescription[], batch: number): Record<string, HostTensor> {
  return Object.fromEntries(
    states.map((state) => {
      const dims = shapeOf(state, batch);
      const data = new (state.type === 'uint8' ? Uint8Array : Float32Array)(sizeOf(dims));
      return [state.input, { type: state.type, dims, data }];
    }),
  );
}

/** Puts the state of some of the streams back to zero, in place. */
export function clearStreams(
  { dims }: StateDescription,
  { data }: HostTensor,
  streams: readonly number[],
  batch: number,
): void {
  const axis = dims.indexOf('batch');
  const inner = sizeOf(dims.slice(axis + 1) as number[]);
  const outer = data.length / (batch * inner);
  for (let row = 0; row < outer; row++) {
    for (const stream of streams) {
      const start = (row * batch + stream) * inner;
      (data as Float32Array).fill(0, start, start + inner);
    }
  }
}
