import { hasSimd, whyNoWebAssembly } from '../bits/kernels.ts';
import { type BitsRunner, openBits } from '../bits/runner.ts';
import type { Availability, RunnerOptions } from '../runner.ts';

/** The 1-bit engine of this toolkit: WebAssembly, one thread, the same in Node and in browsers. */
export const open = (model: Uint8Array, _options: RunnerOptions, what: string): Promise<BitsRunner> =>
  openBits(model, {}, what);

export async function probe(): Promise<Availability> {
  const why = whyNoWebAssembly();
  if (why) return { available: false, why, remedy: "allow the page's scripts 'wasm-unsafe-eval'" };
  return { available: true, detail: hasSimd() ? 'WebAssembly with SIMD' : 'WebAssembly without SIMD' };
}
