import type { Convolution, PoolKind } from '../schemas/ops.ts';
import type { Shape } from '../schemas/layer.ts';
import { stopsOver, type Window } from '../schemas/window.ts';

/** Numbers in the order of their shape, the last axis counting fastest. */
export interface Numbers {
  readonly shape: Shape;
  readonly data: Float64Array;
}

type Four = readonly [number, number, number, number];

/** Calls `visit` with every row of channels that a window holds, at every stop: which stop, which place in the window. */
function eachRow(
  [batch, height, width]: Four,
  { size, stride }: Window,
  padding: Convolution['padding'],
  visit: (stop: number, from: number, place: number) => void,
): Shape {
  const [down, across] = stopsOver([height, width], { size, stride }, padding);
  let stop = 0;
  for (let example = 0; example < batch; example++) {
    for (let row = 0; row < down.stops; row++) {
      for (let column = 0; column < across.stops; column++, stop++) {
        for (let place = 0; place < size[0] * size[1]; place++) {
          const y = row * stride[0] - down.before + Math.floor(place / size[1]);
          const x = column * stride[1] - across.before + (place % size[1]);
          if (y < 0 || y >= height || x < 0 || x >= width) continue;
          visit(stop, (example * height + y) * width + x, place);
        }
      }
    }
  }
  return [batch, down.stops, across.stops];
}

const stopsIn = (batch: number, [down, across]: ReturnType<typeof stopsOver>): number =>
  batch * down.stops * across.stops;

/** `x` [batch, height, width, channels] by `weight` [height, width, channels / groups, filters]. */
export function convolved(x: Numbers, weight: Numbers, how: Convolution): Numbers {
  const [batch, height, width, channels] = x.shape as Four;
  const [rows, columns, seen, filters] = weight.shape as Four;
  const { stride, padding, groups } = how;
  const window = { size: [rows, columns] as const, stride };
  const sums = new Float64Array(stopsIn(batch, stopsOver([height, width], window, padding)) * filters);
  const each = filters / groups;
  const plane = eachRow(x.shape as Four, window, padding, (stop, from, place) => {
    for (let channel = 0; channel < channels; channel++) {
      const value = x.data[from * channels + channel] as number;
      if (value === 0) continue;
      const first = Math.floor(channel / seen) * each;
      const weights = (place * seen + (channel % seen)) * filters;
      for (let filter = first; filter < first + each; filter++) {
        const at = stop * filters + filter;
        sums[at] = (sums[at] as number) + value * (weight.data[weights + filter] as number);
      }
    }
  });
  return { shape: [...plane, filters], data: sums };
}

/** Of every window and channel the sum, or the maximum. */
export function pooled(x: Numbers, kind: PoolKind, window: Window): Numbers {
  const [batch, height, width, channels] = x.shape as Four;
  const stops = stopsIn(batch, stopsOver([height, width], window, 'valid'));
  const data = new Float64Array(stops * channels).fill(kind === 'average' ? 0 : Number.NEGATIVE_INFINITY);
  const plane = eachRow(x.shape as Four, window, 'valid', (stop, from) => {
    for (let channel = 0; channel < channels; channel++) {
      const value = x.data[from * channels + channel] as number;
      const before = data[stop * channels + channel] as number;
      data[stop * channels + channel] = kind === 'average' ? before + value : Math.max(before, value);
    }
  });
  return { shape: [...plane, channels], data };
}

/** Channels of zeros after those that are there. */
export function widened({ shape, data }: Numbers, count: number): Numbers {
  const channels = shape.at(-1) as number;
  const wide = new Float64Array((data.length / channels) * (channels + count));
  for (let row = 0; row * channels < data.length; row++) {
    wide.set(data.subarray(row * channels, (row + 1) * channels), row * (channels + count));
  }
  return { shape: [...shape.slice(0, -1), channels + count], data: wide };
}
