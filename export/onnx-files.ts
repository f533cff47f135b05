import { UserError } from '../schemas/errors.ts';
import { type Model, sizeOfModel, splitModel, writeModel } from '../schemas/onnx/index.ts';

/** A network as a file, or as two. */
export interface OnnxFiles {
  /** The .onnx. */
  readonly model: Uint8Array;
  /** What is in a file beside it, if something is: its name, and its bytes in parts that follow one another. */
  readonly data?: { readonly name: string; readonly parts: readonly Uint8Array[] };
}

/** When large tensors go to a file beside the .onnx, and how it is called. */
export interface ExternalOptions {
  /** Tensors of so many bytes and more go to the other file; unless given, only where one file would not hold all. */
  readonly threshold?: number | undefined;
  /** The name of the other file, from what is in it. */
  readonly nameOf: (parts: readonly Uint8Array[]) => string;
}

/** Bytes that an .onnx can have: protobuf has no longer messages. Some are left for the graph. */
export const MOST_BYTES = 2 ** 31 - 2 ** 24;

/** Where a file would be too large, tensors from here on move out of it. */
const LARGE_TENSOR = 2 ** 16;

/** A model as one file, or as two where that was asked for or one would not hold it. */
export function filesOf(model: Model, { threshold, nameOf }: ExternalOptions, most = MOST_BYTES): OnnxFiles {
  const from = threshold ?? (sizeOfModel(model) > most ? LARGE_TENSOR : undefined);
  if (from === undefined) return { model: writeModel(model) };
  let name = '';
  const split = splitModel(model, from, (parts) => (name = nameOf(parts)));
  const bytes = writeModel(split.model);
  return split.data.length === 0 ? { model: bytes } : { model: bytes, data: { name, parts: split.data } };
}

/** A model as one file. @throws UserError where one does not hold it */
export function oneFileOf(model: Model, most = MOST_BYTES): Uint8Array {
  const size = sizeOfModel(model);
  if (size <= most) return writeModel(model);
  throw new UserError(
    `export: the network takes ${(size / 1e9).toFixed(1)} GB, and one .onnx holds 2; write its weights beside it, with toOnnxFiles() or --external`,
  );
}
