import { Worker } from 'node:worker_threads';
import { UserError } from '../../../schemas/errors.ts';
import type { Recordings } from '../recordings.ts';
import type { SpikeFile } from './shd-recordings.ts';

/** What the worker says. */
export type SpikeReport =
  | { readonly kind: 'progress' }
  | { readonly kind: 'done'; readonly recordings: Recordings }
  | { readonly kind: 'refused'; readonly message: string };

/** The worker beside this file: compiled as it is, or TypeScript where Node runs that. */
const entry = new URL(
  import.meta.url.endsWith('.ts') ? './shd-worker.ts' : './shd-worker.js',
  import.meta.url,
);

/** How long reading may stand still, in milliseconds: a block of recordings takes a small part of it. */
const patience = 30_000;

/**
 * Reads the recordings of a file in the layout of the Spiking Heidelberg Digits, in a worker: a damaged file may
 * keep the HDF5 library busy for ever, and then the worker is ended.
 *
 * @param limit milliseconds that reading may stand still
 * @throws UserError where the file is missing or damaged
 */
export async function readSpikes(spikes: SpikeFile, limit = patience): Promise<Recordings> {
  const worker = new Worker(entry, { workerData: spikes, name: 'bitspike spikes' });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Recordings>((resolve, reject) => {
      const wait = (time: number): void => {
        clearTimeout(timer);
        timer = setTimeout(() => {
          reject(
            new UserError(
              `${spikes.file}: damaged HDF5 data (reading stood still for ${time / 1000} s); make or download it again`,
            ),
          );
        }, time);
      };
      // Until the first report the worker starts: that takes the time it takes.
      wait(patience);
      worker.on('message', (report: SpikeReport) => {
        if (report.kind === 'done') resolve(report.recordings);
        else if (report.kind === 'refused') reject(new UserError(report.message));
        else wait(limit);
      });
      worker.on('error', reject);
      worker.on('exit', (code) =>
        reject(new Error(`${spikes.file}: the worker that reads it ended with ${code}`)),
      );
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
