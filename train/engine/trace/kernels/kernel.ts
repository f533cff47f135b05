import type { Recorder, Traced } from '../recorder.ts';

/** Operands of a kernel by the names that tfjs gives them. */
export type Operands = Readonly<Record<string, Traced>>;

/** Attributes of a kernel, as tfjs passes them. */
export type KernelAttributes = Readonly<Record<string, unknown>>;

/** Records what a tfjs kernel computes as nodes of an ONNX graph, and tells the shape and type of the result. */
export type Kernel = (recorder: Recorder, operands: Operands, attributes: KernelAttributes) => Traced;

export type KernelTable = Readonly<Record<string, Kernel>>;

/** The operand of that name; tfjs always passes it. */
export function operand(operands: Operands, name: string): Traced {
  const found = operands[name];
  if (!found) throw new Error(`a traced kernel lacks its operand '${name}'`);
  return found;
}
