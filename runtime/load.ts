/** Opening a model in Node. `browser.ts` is its counterpart for pages. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { reasonOf, UserError } from '../schemas/errors.ts';
import { withExternalData } from './external-data.ts';
import type { LoadedNetwork } from './network.ts';
import { type LoadOptions, openNetwork, type Platform } from './open.ts';
import { fetchModel, type Source } from './source.ts';

export const node: Platform = {
  name: 'Node',
  defaultDevice: 'cpu',
  devices: {
    cpu: () => import('./devices/cpu.ts'),
    cuda: () => import('./devices/cuda.ts'),
    wasm: () => import('./devices/wasm-node.ts'),
    webgpu: () => import('./devices/webgpu-node.ts'),
    bits: () => import('./devices/bits-node.ts'),
  },
  absent: {},
  read: readSource,
};

/**
 * Opens an exported network.
 *
 * @param source path or address (file:, http:, https:) of an .onnx file, or its bytes
 * @throws UserError when there is no such file, device or layer, the file is not a model of this toolkit, or the
 *   device cannot be used here; the line says what to do
 */
export async function load(source: Source, options: LoadOptions = {}): Promise<LoadedNetwork> {
  if (options.onnxruntime !== undefined) {
    throw new UserError(
      'load: onnxruntime is for pages in a browser; Node takes the packages installed beside it',
    );
  }
  return openNetwork(node, source, options);
}

async function readSource(source: string | URL, seconds: number): Promise<Uint8Array> {
  const address = String(source);
  if (/^https?:/i.test(address)) return fetchModel(source, seconds);
  if (/^file:/i.test(address)) return readModelFile(fileURLToPath(source));
  if (source instanceof URL) {
    throw new UserError(`${address}: cannot read the model: expected file:, http: or https:`);
  }
  return readModelFile(source);
}

/**
 * Reads an .onnx file, and the tensors that it keeps in files beside it.
 *
 * @throws UserError when it cannot be read, or a tensor is not in its folder
 */
export async function readModelFile(path: string): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new UserError(`${path}: cannot read the model: ${reasonOf(cause)}`, { cause });
  }
  return withExternalData(bytes, path);
}
