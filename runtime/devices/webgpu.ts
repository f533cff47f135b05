/** GPUs by onnxruntime-web, in browsers. */
import { reasonOf } from '../../schemas/errors.ts';
import type { Availability, Runner, RunnerOptions } from '../runner.ts';
import { bringOnnxruntimeWeb, openOnnxruntimeWeb } from './onnxruntime-web.ts';
import { Turns } from './session-runner.ts';
import { pageSurroundings } from './threads.ts';
import { Unavailable } from './unavailable.ts';

const bring = (folder?: string) =>
  bringOnnxruntimeWeb(() => import('onnxruntime-web/webgpu'), 'ort.webgpu.bundle.min.mjs', folder);

/** What is used here of the browser's WebGPU, which the types of Node do not know. */
interface Page {
  readonly navigator: { readonly gpu?: Gpu };
  readonly isSecureContext: boolean;
}

interface Gpu {
  requestAdapter(): Promise<{
    readonly info?: { readonly vendor: string; readonly architecture: string };
  } | null>;
}

const remedies = {
  secure: 'serve the page over https, or from localhost',
  browser:
    "take Chrome or Edge 113, Safari 26 or Firefox 141 or newer; Chrome on Linux wants --enable-unsafe-webgpu --enable-features=Vulkan; or load(…, { device: 'wasm' })",
} as const;

/** Runs of one GPU that meet each other fail. */
const turns = new Turns();

/** The GPU, or what keeps it away. */
async function look(): Promise<Availability> {
  const { navigator, isSecureContext = true } = globalThis as Partial<Page>;
  const gpu = navigator?.gpu;
  if (!gpu) {
    return isSecureContext
      ? { available: false, why: 'this browser has no WebGPU', remedy: remedies.browser }
      : { available: false, why: 'WebGPU needs a secure page', remedy: remedies.secure };
  }
  try {
    const adapter = await gpu.requestAdapter();
    if (!adapter) {
      return { available: false, why: 'WebGPU finds no GPU that it may use', remedy: remedies.browser };
    }
    const { vendor = '', architecture = '' } = adapter.info ?? {};
    return { available: true, detail: `${vendor} ${architecture}`.trim() || 'WebGPU' };
  } catch (error) {
    return { available: false, why: `WebGPU: ${reasonOf(error)}`, remedy: remedies.browser };
  }
}

export async function open(model: Uint8Array, options: RunnerOptions, what: string): Promise<Runner> {
  const found = await look();
  if (!found.available) throw new Unavailable('webgpu', found.why, found.remedy);
  const ort = await bring(options.onnxruntime);
  const opening = { provider: 'webgpu', surroundings: pageSurroundings(), turns } as const;
  return openOnnxruntimeWeb(ort, opening, model, options, what);
}

export async function probe(options: RunnerOptions = {}): Promise<Availability> {
  const found = await look();
  if (!found.available) return found;
  try {
    const ort = await bring(options.onnxruntime);
    return { available: true, detail: `onnxruntime-web ${ort.env.versions.web}, ${found.detail}` };
  } catch (error) {
    return { available: false, why: reasonOf(error), remedy: 'npm install onnxruntime-web' };
  }
}
