import { load, type LoadOptions } from '../index.ts';
import type { LoadedNetwork } from '../network.ts';
import { openInThread, type ServedNetwork } from './network.ts';

/** Devices whose second opening takes no memory of a card, and that compute in the thread that asks. */
const onProcessor: ReadonlySet<string> = new Set(['cpu', 'bits', 'wasm']);

/**
 * Opens a network in a thread of its own and, where it is quick, in this one as well.
 *
 * The way to another thread and back takes longer than a small network computes, and as much of the processor: what
 * comes alone is computed here, unless that blocks this thread for too long. Batches go to the other thread, which
 * computes while this one reads and writes.
 *
 * @param inlineLimit milliseconds that computing may block this thread
 * @throws UserError when the file is no model, or the device is not there
 */
export async function openNearest(
  file: string,
  options: LoadOptions,
  inlineLimit: number,
): Promise<ServedNetwork> {
  const threaded = await openInThread(file, options);
  const { device, seconds } = threaded;
  const most = onProcessor.has(device) ? Math.floor(inlineLimit / (1000 * seconds)) : 0;
  if (most < 1) return threaded;
  let here: LoadedNetwork;
  try {
    // What comes alone is computed by one thread of bits anyway; others would only wait.
    const { threads, ...rest } = options;
    const sameThreads = threads !== undefined && device !== 'bits' && { threads };
    here = await load(file, {
      ...rest,
      ...sameThreads,
      device: device as NonNullable<LoadOptions['device']>,
    });
  } catch (error) {
    await threaded.close();
    throw error;
  }
  return {
    ...threaded,
    get failure() {
      return threaded.failure;
    },
    run: (examples, count, isAlone) =>
      isAlone && count <= most ? here.run(examples) : threaded.run(examples, count, isAlone),
    async close() {
      await Promise.all([threaded.close(), here.close()]);
    },
  };
}
