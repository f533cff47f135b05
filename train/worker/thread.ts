/** A thread that trains: started by `trainInWorker`, it does one task and ends. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Progress } from '../progress.ts';
import { type FolderRunOptions, resumeTraining, trainInFolder } from '../run-folder.ts';
import { failureOf, STOP, type Task, type Told } from './messages.ts';

/** In milliseconds: how often a step is told of, so that short steps cost nothing. */
const INTERVAL = 50;

const { run, model, resume, data, options, tells, modules } = workerData as Task;
const port = parentPort!;
const controller = new AbortController();

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
const tell = (told: Told): void => port.postMessage(told);

port.on('message', (message: unknown) => {
  if (message === STOP) controller.abort(STOP);
});

let shown = Number.NEGATIVE_INFINITY;

const hooks: Pick<FolderRunOptions, 'onProgress' | 'onValidation' | 'onMonitor' | 'signal' | 'warn'> = {
  onProgress(progress: Progress) {
    const now = performance.now();
    if (now - shown < INTERVAL && progress.step % progress.stepsPerEpoch !== 0) return;
    shown = now;
    tell({ progress });
  },
  onValidation: (validation) => tell({ validation }),
  ...(tells.monitor && { onMonitor: (monitor) => tell({ monitor }) }),
  signal: controller.signal,
  warn: (warning) => tell({ warning }),
};

try {
  for (const module of modules) await import(module);
  const given = { ...options, ...hooks };
  const posterior =
    model && !resume
      ? await trainInFolder(run, model, data, given)
      : await resumeTraining(run, data, { ...given, ...(model && { model }) });
  tell({ posterior });
} catch (error) {
  tell(error === STOP ? { stopped: true } : { failure: failureOf(error) });
}
// Nothing else keeps the thread.
port.close();
