import type { Graph, Value } from '../schemas/onnx/index.ts';
import type { Shared } from './graph-shared.ts';
import type { ParameterSignal, Plane, Signal, WholeSignal } from './signal.ts';

/** Data types of ONNX, as the attribute `to` of Cast wants them. */
export const FLOAT32 = 1;
export const UINT8 = 2;
export const INT32 = 6;

/** Whole numbers below this are exact in float32, so a sum is the same in integer and in float kernels. */
export const EXACT = 2 ** 24;

/** Where a layer is written. */
export interface Writer {
  readonly graph: Graph;
  /** What the body of a loop shares with the graph around it. */
  readonly shared: Shared;
  /** Where the layer begins its names, such as `0.dense`. */
  readonly scope: string;
}

/** Real numbers, channel by channel, in the shape in which they broadcast over activations. */
export const channelShape = (channels: number, plane: Plane | undefined): number[] =>
  plane ? [channels, 1, 1] : [channels];

/** The name of what a layer gives, if it has one: what is made another to be observed is named then. */
export const nameOf = ({ scope, shared }: Writer, plane: Plane | undefined): { output?: string } =>
  plane || shared.floats ? {} : { output: scope };

export const scalar = (graph: Graph, value: number): Value =>
  graph.constant({ type: 'float32', dims: [], data: Float32Array.of(value) });

export const integers = (graph: Graph, list: readonly number[]): Value =>
  graph.constant({ type: 'int64', dims: [list.length], data: BigInt64Array.from(list, BigInt) });

export const planeOf = (signal: Signal): Plane | undefined =>
  signal.kind === 'parameter' ? undefined : signal.plane;

export function parameter(signal: Signal): ParameterSignal {
  if (signal.kind !== 'parameter') throw new Error(`expected a parameter, got a ${signal.kind}`);
  return signal;
}

/** The zero point of each type that is stored. It is the default; onnxruntime computes in integers only where it is written. */
const zeroPoints = {
  uint8: { type: 'uint8', dims: [], data: Uint8Array.of(0) },
  int8: { type: 'int8', dims: [], data: Int8Array.of(0) },
  int32: { type: 'int32', dims: [], data: Int32Array.of(0) },
} as const;

/** Stored whole numbers of a type times a scale, as float32. */
export const dequantized = (graph: Graph, whole: Value, type: keyof typeof zeroPoints, scale = 1): Value =>
  graph.node('DequantizeLinear', [whole, scalar(graph, scale), graph.constant(zeroPoints[type])]);

/** The nearest whole numbers of a scale, none below 0 and none above 255. */
export const quantized = (graph: Graph, real: Value, scale: number, name: { output?: string } = {}): Value =>
  graph.node('QuantizeLinear', [real, scalar(graph, scale), graph.constant(zeroPoints.uint8)], {}, name);

/** The whole numbers of a signal in float32, exact: without their unit, and 1 for a spike however it is stored. */
export function countsOf(graph: Graph, { value, type, stored }: WholeSignal): Value {
  const numbers = type === 'float32' ? value : graph.node('Cast', [value], { to: FLOAT32 });
  return stored === 1 ? numbers : graph.node('Div', [numbers, scalar(graph, stored)]);
}
