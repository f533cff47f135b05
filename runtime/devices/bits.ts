/** The 1-bit engine of this toolkit in browsers: WebAssembly, on as many threads as are asked for. */
import { hasSimd, whyNoWebAssembly } from '../bits/kernels.ts';
import type { BitsRunner } from '../bits/runner.ts';
import { openSplit } from '../bits/split.ts';
import type { Availability, RunnerOptions } from '../runner.ts';
import { ISOLATION_REMEDY, pageSurroundings } from './threads.ts';

export async function open(
  model: Uint8Array,
  { threads = 1 }: RunnerOptions,
  what: string,
): Promise<BitsRunner> {
  if (threads === 1) return openSplit(model, {}, what);
  if (!pageSurroundings().isolated) {
    const runner = await openSplit(model, {}, what);
    const note = `It computes on one thread, not ${threads}, as this page is not cross-origin isolated: ${ISOLATION_REMEDY}.`;
    return { ...runner, notes: [...(runner.notes ?? []), note] };
  }
  const { openThreaded } = await import('../bits/threads/index.ts');
  const { startPageThread: start } = await import('../bits/threads/start-page.ts');
  return openThreaded(model, { threads, start }, what);
}

export async function probe(): Promise<Availability> {
  const why = whyNoWebAssembly();
  if (why) return { available: false, why, remedy: "allow the page's scripts 'wasm-unsafe-eval'" };
  return { available: true, detail: hasSimd() ? 'WebAssembly with SIMD' : 'WebAssembly without SIMD' };
}
