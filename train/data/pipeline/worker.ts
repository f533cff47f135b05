/** A thread that makes batches: started by `WorkerBatches`, it fills slots of shared memory as it is told. */
import { parentPort, workerData } from 'node:worker_threads';
import { batchFiller } from './fill.ts';
import { failureOf, type Job, type Report, type WorkerStart } from './messages.ts';

const { plan, slots } = workerData as WorkerStart;
const filler = batchFiller(plan);

parentPort!.on('message', ({ epoch, index, slot }: Job) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort!.postMessage(attempt(epoch, index, slot));
});

function attempt(epoch: number, index: number, slot: number): Report {
  try {
    const { inputs, targets } = slots[slot]!;
    filler.fill(epoch, index, inputs, targets);
    return { slot };
  } catch (error) {
    return { slot, failure: failureOf(error) };
  }
}
