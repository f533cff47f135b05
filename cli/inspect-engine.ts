/** How much memory the 1-bit engine takes for a file, found by opening it there: in a thread, within bounds. */
import { Worker } from 'node:worker_threads';
import type { OnnxReport } from '../export/index.ts';
import { bytesText, grouped } from './output.ts';

/** What `inspect` says of device bits: its memory for one example, in bytes, or why that is not known. */
export type EngineReport =
  | {
      /** Packed weights, in every layout that is read. */
      readonly weights: number;
      /** All that is in use once the network has run. */
      readonly now: number;
      /** The most that was in use until then. */
      readonly peak: number;
    }
  | { readonly refused: string };

/** What the thread is given: the bytes of the file, and its steps. */
export interface EngineOrder {
  readonly bytes: Uint8Array;
  readonly file: string;
  readonly steps: number;
}

/** `inspect` is quick: what takes longer, or more, stays unknown. A file may be made to take any time and memory. */
export interface Bounds {
  readonly milliseconds: number;
  /** By which the program may grow. */
  readonly bytes: number;
  /** Of the network. */
  readonly weights: number;
}

const usual: Bounds = { milliseconds: 5000, bytes: 2 ** 30, weights: 2 ** 26 };

/** How often the program looks at its own size. */
const MILLISECONDS_BETWEEN_LOOKS = 20;

const entry = new URL(
  import.meta.url.endsWith('.ts') ? './inspect-engine-thread.ts' : './inspect-engine-thread.js',
  import.meta.url,
);

/** Opens a file on the 1-bit engine, runs one example of zeros, and says what that took. */
export async function engineMemoryOf(
  order: EngineOrder,
  { binaryWeights, realWeights }: Pick<OnnxReport, 'binaryWeights' | 'realWeights'>,
  bounds: Bounds = usual,
): Promise<EngineReport> {
  const weights = binaryWeights + realWeights;
  if (weights > bounds.weights)
    return { refused: `not tried with ${grouped(weights)} weights, more than ${grouped(bounds.weights)}` };
  const worker = new Worker(entry, { workerData: order, name: 'bitspike inspect' });
  const start = performance.now();
  const size = process.memoryUsage.rss();
  let watch: NodeJS.Timeout | undefined;
  try {
    return await new Promise<EngineReport>((resolve) => {
      const stop = (refused: string): void => resolve({ refused });
      watch = setInterval(() => {
        if (process.memoryUsage.rss() - size > bounds.bytes)
          stop(`it took more than ${bytesText(bounds.bytes)}`);
        if (performance.now() - start > bounds.milliseconds)
          stop(`not known within ${bounds.milliseconds / 1000} seconds`);
      }, MILLISECONDS_BETWEEN_LOOKS);
      worker.once('message', resolve);
      worker.once('error', ({ message }) => stop(message.replaceAll(/\s+/g, ' ')));
      worker.once('exit', () => stop('the thread that opened it ended'));
    });
  } finally {
    clearInterval(watch);
    await worker.terminate();
  }
}

/** The same in a line. */
export const engineText = (report: EngineReport): string =>
  'refused' in report
    ? `device bits: ${report.refused.replace(/^device bits /, '')}`
    : `device bits, one example: ${bytesText(report.peak)} at most, ${bytesText(report.now)} once it has run, ${bytesText(report.weights)} of that packed weights`;
