/**
 * `bitspike/runtime` as bundlers for browsers find it: the same as `index.ts`, and nothing of Node in what it imports.
 */
import type { Inputs } from './examples.ts';
import type { LoadedNetwork } from './network.ts';
import { type Device, type LoadOptions, openNetwork, type Platform } from './open.ts';
import { compareOn, type Parity } from './parity.ts';
import { type Diagnosis, probePlatform } from './probe.ts';
import { fetchModel, type Source } from './source.ts';

export * from './common.ts';

const inNode = "it is onnxruntime-node; load(…, { device: 'wasm' }) or 'webgpu'";

const browser: Platform = {
  name: 'a browser',
  defaultDevice: 'wasm',
  devices: {
    wasm: () => import('./devices/wasm.ts'),
    webgpu: () => import('./devices/webgpu.ts'),
    bits: () => import('./devices/bits.ts'),
  },
  absent: { cpu: inNode, cuda: inNode },
  read: fetchModel,
};

/**
 * Opens an exported network.
 *
 * @param source address of an .onnx file, which may be relative to the page, or its bytes
 * @throws UserError when there is no such file, device or layer, the file is not a model of this toolkit, or the
 *   device cannot be used here; the line says what to do
 */
export const load = (source: Source, options?: LoadOptions): Promise<LoadedNetwork> =>
  openNetwork(browser, source, options);

/** What this page can run networks on, and what to do about the rest. */
export const probeDevices = (options: Pick<LoadOptions, 'onnxruntime'> = {}): Promise<Diagnosis> =>
  probePlatform(browser, pageFacts(), options);

/**
 * Runs the same inputs on several devices and compares every output and every neuron layer, to the last bit.
 *
 * @param devices the others are compared with the first
 * @throws UserError as `load` and `run` do
 */
export const compareDevices = (
  source: Source,
  inputs: Inputs,
  devices: readonly [Device, ...Device[]],
  options?: Omit<LoadOptions, 'device' | 'observe'>,
): Promise<Parity> => compareOn(browser, source, inputs, devices, options);

/** What is used here of a page's globals, which the types of Node do not know. */
interface Page {
  readonly navigator: { readonly userAgent: string; readonly hardwareConcurrency: number };
  readonly crossOriginIsolated: boolean;
  readonly isSecureContext: boolean;
}

function pageFacts(): Record<string, string | number | boolean> {
  const { navigator, crossOriginIsolated, isSecureContext } = globalThis as unknown as Page;
  return {
    runtime: navigator.userAgent,
    cores: navigator.hardwareConcurrency,
    secureContext: isSecureContext,
    crossOriginIsolated,
  };
}
