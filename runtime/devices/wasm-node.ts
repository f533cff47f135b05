/** WebAssembly by onnxruntime-web, in Node, where it finds its files by itself. */
import { availableParallelism } from 'node:os';
import type { Availability, Runner, RunnerOptions } from '../runner.ts';
import { bringOnnxruntimeWeb, openOnnxruntimeWeb, probeWasm } from './onnxruntime-web.ts';

const bring = () => bringOnnxruntimeWeb(() => import('onnxruntime-web'));

/** Node shares memory between threads, and knows no isolation of origins. */
const surroundings = () => ({ cores: availableParallelism(), isolated: true });

export async function open(model: Uint8Array, options: RunnerOptions, what: string): Promise<Runner> {
  const opening = { provider: 'wasm', surroundings: surroundings() } as const;
  return openOnnxruntimeWeb(await bring(), opening, model, options, what);
}

export const probe = (): Promise<Availability> => probeWasm(bring, surroundings());
