import { Worker } from 'node:worker_threads';
import { reasonOf } from '../../../schemas/errors.ts';
import type { Report } from './messages.ts';
import type { StartThread } from './thread.ts';

/** The thread beside this file: compiled as it is, or TypeScript where Node runs that. */
const entry = new URL(
  import.meta.url.endsWith('.ts') ? './worker-node.ts' : './worker-node.js',
  import.meta.url,
);

export const startNodeThread: StartThread = ({ onReport, onEnd }) => {
  const worker = new Worker(entry, { name: 'bitspike examples' });
  let why: string | undefined;
  worker.on('message', (report: Report) => onReport(report));
  worker.on('error', (error) => {
    why = reasonOf(error);
  });
  worker.on('exit', (code) => onEnd(why ?? `it ended with code ${code}`));
  return {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    tell: (order) => worker.postMessage(order),
    hold: (isNeeded) => (isNeeded ? worker.ref() : worker.unref()),
    end: async () => {
      await worker.terminate();
    },
  };
};
