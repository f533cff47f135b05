import protobuf from 'protobufjs/minimal.js';
import { reasonOf, UserError } from '../errors.ts';
import { onnx } from './generated/onnx.js';
import type { Model } from './model.ts';
import { readModelMessage, writeModelMessage } from './proto/model.ts';
import { scanWire } from './proto/wire.ts';

/**
 * The model in the bytes of an .onnx file. Nothing in them is lost: `writeModel` writes it all again.
 *
 * Large data are not copied; the model refers to `bytes`, which must not change while it is in use.
 * Tensors in other files stay there.
 *
 * @param file The name for messages.
 * @throws UserError if the bytes are not a model, whatever they are.
 */
export function readModel(bytes: Uint8Array, file = 'model'): Model {
  const message = decode(bytes, file);
  try {
    return readModelMessage(message);
  } catch (error) {
    if (error instanceof UserError) throw notModel(file, error);
    throw error;
  }
}

/** The bytes of an .onnx file; the same model gives the same bytes. */
export const writeModel = (model: Model): Uint8Array =>
  onnx.ModelProto.encode(writeModelMessage(model), new protobuf.Writer()).finish();

/**
 * Whether a tensor of the model keeps its elements in another file.
 *
 * @throws UserError if the bytes are not a model
 */
export function hasExternalData(bytes: Uint8Array, file = 'model'): boolean {
  try {
    return scanWire(bytes).external;
  } catch (error) {
    throw notModel(file, damagedBy(error));
  }
}

function decode(bytes: Uint8Array, file: string): onnx.ModelProto.$Properties {
  // A view that is no Buffer, so that neither are the parts of it.
  const reader = new protobuf.Reader(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  reader.discardUnknown = false;
  try {
    scanWire(bytes);
    return onnx.ModelProto.decode(reader);
  } catch (error) {
    throw notModel(file, damagedBy(error));
  }
}

const damagedBy = (error: unknown): Error =>
  new Error(`its bytes are damaged or cut short (${reasonOf(error)})`, { cause: error });

const notModel = (file: string, error: unknown): UserError =>
  new UserError(`${file}: not an ONNX model: ${reasonOf(error)}`, { cause: error });
