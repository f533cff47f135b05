/** WebAssembly by onnxruntime-web, in browsers. */
import type { Availability, Runner, RunnerOptions } from '../runner.ts';
import { bringOnnxruntimeWeb, openOnnxruntimeWeb, probeWasm } from './onnxruntime-web.ts';
import { pageSurroundings } from './threads.ts';

// Imported when it is wanted: its threads import this very module again, and must not find a page's code in it.
const bring = (folder?: string) =>
  bringOnnxruntimeWeb(() => import('onnxruntime-web/wasm'), 'ort.wasm.bundle.min.mjs', folder);

export async function open(model: Uint8Array, options: RunnerOptions, what: string): Promise<Runner> {
  const ort = await bring(options.onnxruntime);
  const opening = { provider: 'wasm', surroundings: pageSurroundings() } as const;
  return openOnnxruntimeWeb(ort, opening, model, options, what);
}

export const probe = (options: RunnerOptions = {}): Promise<Availability> =>
  probeWasm(() => bring(options.onnxruntime), pageSurroundings());
