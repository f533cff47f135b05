import { parentPort, workerData } from 'node:worker_threads';
import { UserError } from '../../../schemas/errors.ts';
import { readSpikesHere, type SpikeFile } from './shd-recordings.ts';
import type { SpikeReport } from './shd-thread.ts';

const report = (message: SpikeReport, moved: ArrayBuffer[] = []): void =>
  parentPort!.postMessage(message, moved);

report({ kind: 'progress' });
try {
  const recordings = await readSpikesHere(workerData as SpikeFile, () => report({ kind: 'progress' }));
  const { times, channels } = recordings;
  report({ kind: 'done', recordings }, [times.buffer as ArrayBuffer, channels.buffer as ArrayBuffer]);
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  report({ kind: 'refused', message: error.message });
}
