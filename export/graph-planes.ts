import { type Shape, sizeOf } from '../schemas/layer.ts';
import type { Value } from '../schemas/onnx/index.ts';
import type { Convolution, PoolKind } from '../schemas/ops.ts';
import { stopsOver, type Window } from '../schemas/window.ts';
import {
  channelShape,
  countsOf,
  dequantized,
  integers,
  quantized,
  scalar,
  type Writer,
} from './graph-values.ts';
import { onPlane, type Plane, type RealSignal, type WholeSignal } from './signal.ts';
import { commonUnit } from './units.ts';

/** Signals: what neurons and inputs give, and what is made of that without weights. */
export type Carried = WholeSignal | RealSignal;

/** [height, width, channels, filters] → [filters, channels, height, width], as ONNX wants filters. */
export const filtersFirst = (shape: Shape): number[] => {
  const [height = 0, width = 0, channels = 0, filters = 0] = shape;
  return [filters, channels, height, width];
};

/** Weights in that order. */
export function arranged<T extends Int8Array | Float32Array>(weights: T, shape: Shape): T {
  const filters = shape.at(-1) as number;
  const [height = 0, width = 0, channels = 0] = shape;
  const plane = height * width;
  const found = weights.slice() as T;
  for (let index = 0; index < weights.length; index++) {
    const place = index % plane;
    const channel = Math.floor(index / plane) % channels;
    const filter = Math.floor(index / (plane * channels));
    found[index] = weights[(place * channels + channel) * filters + filter] as number;
  }
  return found;
}

/** The attributes of Conv and its relatives. */
export function windowAttributes(plane: Plane, shape: Shape, { stride, padding, groups }: Convolution) {
  const [height = 0, width = 0] = shape;
  const size = [height, width] as const;
  const [down, across] = stopsOver([plane.height, plane.width], { size, stride }, padding);
  return {
    kernel_shape: [...size],
    strides: [...stride],
    pads: [down.before, across.before, down.after, across.after],
    ...(groups > 1 && { group: groups }),
  };
}

/** The plane that a convolution makes. */
export function convolvedPlane(plane: Plane, shape: Shape, { stride, padding }: Convolution): Plane {
  const [height = 0, width = 0, , filters = 0] = shape;
  const [down, across] = stopsOver([plane.height, plane.width], { size: [height, width], stride }, padding);
  return { height: down.stops, width: across.stops, channels: filters };
}

/** What windows of a signal hold. The average of whole numbers stays their sum, which stands for so much less. */
export function pooled({ graph }: Writer, x: Carried, kind: PoolKind, window?: Window): Carried {
  const { height, width, channels } = x.plane as Plane;
  const { size, stride } = window ?? { size: [height, width] as const, stride: [1, 1] as const };
  const [down, across] = stopsOver([height, width], { size, stride }, 'valid');
  const plane: Plane = { height: down.stops, width: across.stops, channels };
  const attributes = { kernel_shape: [...size], strides: [...stride] };
  if (kind === 'maximum') return { ...x, value: graph.node('MaxPool', [x.value], attributes), plane };
  if (x.kind === 'real') return { ...x, value: graph.node('AveragePool', [x.value], attributes), plane };
  const area = size[0] * size[1];
  const most = x.most * area;
  const sums = { kind: 'whole', unit: x.unit / area, most, stored: 1, plane } as const;
  if (x.type === 'uint8' && most <= 255) {
    const means = graph.node('AveragePool', [dequantized(graph, x.value, 'uint8', 1 / x.stored)], attributes);
    return { ...sums, value: quantized(graph, means, 1 / area), type: 'uint8' };
  }
  const means = graph.node('AveragePool', [countsOf(graph, x)], attributes);
  const whole = graph.node('Round', [graph.node('Mul', [means, scalar(graph, area)])]);
  return { ...sums, value: whole, type: 'float32' };
}

/** All features in one axis, in the order of the model: channels count fastest. */
export function flattened({ graph }: Writer, { plane, ...x }: Carried): Carried {
  if (!plane) return { ...x, value: graph.node('Flatten', [x.value]) };
  const isOrdered = plane.channelsLast || plane.height * plane.width === 1;
  const value = isOrdered ? x.value : graph.node('Transpose', [x.value], { perm: [0, 2, 3, 1] });
  return { ...x, value: graph.node('Flatten', [value]) };
}

/** (x − mean) / deviation, channel by channel. */
export function normalised(
  { graph }: Writer,
  x: Value,
  plane: Plane | undefined,
  mean: readonly number[],
  deviation: readonly number[],
): RealSignal {
  const dims = plane?.channelsLast ? [mean.length] : channelShape(mean.length, plane);
  const constant = (numbers: readonly number[]): Value =>
    graph.constant({ type: 'float32', dims, data: Float32Array.from(numbers) });
  const shifted = graph.node('Sub', [x, constant(mean)]);
  return { kind: 'real', value: graph.node('Div', [shifted, constant(deviation)]) };
}

/** Channels of zeros after those that are there. */
export function widened({ graph }: Writer, x: Carried, count: number): Carried {
  const before = x.plane ? [0, 0, 0, 0] : [0, 0];
  const after = x.plane ? [0, count, 0, 0] : [0, count];
  const value = graph.node('Pad', [x.value, integers(graph, [...before, ...after])]);
  return onPlane({ ...x, value }, x.plane && { ...x.plane, channels: x.plane.channels + count });
}

/** Whole numbers added in their common unit; undefined where they have none. */
export function wholeSum({ graph, shared }: Writer, a: WholeSignal, b: WholeSignal): WholeSignal | undefined {
  const common = commonUnit(a.unit, b.unit);
  if (!common) return undefined;
  const { unit, factors } = common;
  const most = a.most * factors[0] + b.most * factors[1];
  const fits = most <= 255 && !shared.floats;
  const numbers = (signal: WholeSignal, factor: number): Value => {
    // The rounding to uint8 takes off what the scale is wrong by.
    if (fits) return dequantized(graph, signal.value, 'uint8', factor / signal.stored);
    const counts = countsOf(graph, signal);
    return factor === 1 ? counts : graph.node('Mul', [counts, scalar(graph, factor)]);
  };
  const sum = graph.node('Add', [numbers(a, factors[0]), numbers(b, factors[1])]);
  const whole: WholeSignal = fits
    ? { kind: 'whole', unit, most, stored: 1, value: quantized(graph, sum, 1), type: 'uint8' }
    : { kind: 'whole', unit, most, stored: 1, value: sum, type: 'float32' };
  return onPlane(whole, a.plane);
}

/** Zeros of a state's shape have their channels first, as all on planes. */
export const stateShape = (shape: Shape, plane: Plane | undefined): Shape =>
  plane && sizeOf(shape) === plane.height * plane.width * plane.channels
    ? [plane.channels, plane.height, plane.width]
    : shape;
