import { readFile } from 'node:fs/promises';
import { describe } from '../schemas/description.ts';
import { reasonOf, UserError } from '../schemas/errors.ts';
import { type DataType, type Model, readModel, type Value, writeModel } from '../schemas/onnx/index.ts';
import { LoadedNetwork } from './network.ts';
import { openSession } from './session.ts';

/** Where a network can run. */
export const devices = ['cpu'] as const;
export type Device = (typeof devices)[number];

export interface LoadOptions {
  /** Where to run: `cpu` is onnxruntime-node. */
  readonly device?: Device;
  /** Threads that compute one operator; by default all cores. */
  readonly threads?: number;
  /** Layers, by the names in `description.layers`, whose activations `run` shall return too. */
  readonly observe?: readonly string[];
}

/**
 * Opens an exported network.
 *
 * @param source path of an .onnx file, or its bytes
 * @throws UserError when there is no such file, device or layer, or the file is not a model of this toolkit
 */
export async function load(source: string | Uint8Array, options: LoadOptions = {}): Promise<LoadedNetwork> {
  const { device = 'cpu', threads, observe = [] } = options;
  if (!devices.includes(device)) {
    throw new UserError(`there is no device '${String(device)}'; expected one of ${devices.join(', ')}`);
  }
  const file = typeof source === 'string' ? source : 'model';
  const bytes = typeof source === 'string' ? await readModelFile(source) : source;
  const model = readModel(bytes, file);
  const description = describe(model, file);
  const session = await openSession(
    observe.length > 0 ? observing(model, observe, file) : bytes,
    threads === undefined ? {} : { threads },
    file,
  );
  const outputs = model.graph.outputs.map(({ name }) => name);
  return new LoadedNetwork(description, device, session, outputs);
}

/** Reads an .onnx file. @throws UserError when it cannot be read */
export async function readModelFile(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new UserError(`${path}: cannot read the model: ${reasonOf(cause)}`, { cause });
  }
}

/** The same model with more of its values as outputs. */
function observing(model: Model, names: readonly string[], file: string): Uint8Array {
  const type: DataType = 'uint8';
  for (const name of names) {
    if (!model.graph.has(name)) {
      throw new UserError(`${file}: there is no layer '${name}' to observe; description.layers lists them`);
    }
    model.graph.output(name as Value, type);
  }
  return writeModel(model);
}
