/** The 1-bit engine of this toolkit in Node, on as many threads as are asked for. */
import type { BitsRunner } from '../bits/runner.ts';
import { openSplit } from '../bits/split.ts';
import type { RunnerOptions } from '../runner.ts';

export { probe } from './bits.ts';

export async function open(
  model: Uint8Array,
  { threads = 1 }: RunnerOptions,
  what: string,
): Promise<BitsRunner> {
  if (threads === 1) return openSplit(model, {}, what);
  const { openThreaded } = await import('../bits/threads/index.ts');
  const { startNodeThread: start } = await import('../bits/threads/start-node.ts');
  return openThreaded(model, { threads, start }, what);
}
