import type * as tf from '@tensorflow/tfjs-core';
import type { Recorder } from '../recorder.ts';
import type { Traced } from '../traced.ts';

/** Operands of a kernel by the names that tfjs gives them. */
export type Operands = Readonly<Record<string, Traced>>;

/** Attributes of a kernel, as tfjs passes them. */
export type KernelAttributes = Readonly<Record<string, unknown>>;

/** What a kernel needs whose body is itself a function of tfjs operations. */
export interface Tracing {
  readonly tensor: (traced: Traced) => tf.Tensor;
  readonly traced: (tensor: tf.Tensor) => Traced;
  /** Runs a function whose operations another recorder writes. */
  within<T>(recorder: Recorder, run: () => T): T;
}

/** Records what a tfjs kernel computes as nodes of an ONNX graph, and tells the shape and type of the result. */
export type Kernel = (recorder: Recorder, operands: Operands, attributes: KernelAttributes) => Traced;

/** A kernel with a body, and several results. */
export type BodyKernel = (
  recorder: Recorder,
  operands: Operands,
  attributes: KernelAttributes,
  tracing: Tracing,
) => Traced[];

export type KernelTable = Readonly<Record<string, Kernel>>;

/** The operand of that name; tfjs always passes it. */
export function operand(operands: Operands, name: string): Traced {
  const found = operands[name];
  if (!found) throw new Error(`a traced kernel lacks its operand '${name}'`);
  return found;
}
