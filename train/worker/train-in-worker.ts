import { Worker } from 'node:worker_threads';
import { UserError } from '../../schemas/errors.ts';
import { defineModel, type Model } from '../../schemas/model.ts';
import type { Posterior } from '../../schemas/posterior.ts';
import type { TrainingData } from '../data/index.ts';
import type { TrainingSettings } from '../options.ts';
import type { FolderRunOptions } from '../run-folder.ts';
import { errorOf, STOP, type Task, type Told } from './messages.ts';

/** The thread beside this file: compiled as it is, or TypeScript where Node runs that. */
const entry = new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url);

/** How a training in a thread of its own is run; `onProgress` is told of steps at most every 50 ms. */
export interface WorkerRunOptions extends Omit<FolderRunOptions, 'onEpoch'> {
  /** Modules for the thread to load first, as URLs: those that register layers of one's own. */
  readonly modules?: readonly string[] | undefined;
  /** Hands the numbers of the data over instead of copying them: they are then gone in the thread that calls. */
  readonly transfer?: boolean | undefined;
}

/**
 * Trains as `trainInFolder` does, in a thread of its own: the one that calls stays free to answer. A step of
 * onnxruntime blocks its thread.
 *
 * @throws UserError as `trainInFolder`, and where an option is a function, such as an estimator of one's own
 */
export const trainInWorker = (
  run: string,
  model: Model,
  data: TrainingData,
  options: TrainingSettings & WorkerRunOptions = {},
): Promise<Posterior> => runTask({ run, model: defineModel(model), resume: false }, data, options);

/** Goes on with the training in a folder as `resumeTraining` does, in a thread of its own. */
export const resumeInWorker = (
  run: string,
  data: TrainingData,
  { model, ...options }: TrainingSettings & WorkerRunOptions & { readonly model?: Model } = {},
): Promise<Posterior> => runTask({ run, model: model && defineModel(model), resume: true }, data, options);

async function runTask(
  about: Pick<Task, 'run' | 'model' | 'resume'>,
  data: TrainingData,
  given: TrainingSettings & WorkerRunOptions,
): Promise<Posterior> {
  const { modules = [], transfer, onProgress, onValidation, onMonitor, signal, warn, ...options } = given;
  const task: Task = { ...about, data, options, tells: { monitor: onMonitor !== undefined }, modules };
  const worker = start(task, transfer ? buffersOf(data) : []);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  const stop = (): void => worker.postMessage(STOP);
  if (signal?.aborted) stop();
  signal?.addEventListener('abort', stop);
  try {
    return await new Promise<Posterior>((resolve, reject) => {
      worker.on('message', (told: Told) => {
        if ('progress' in told) onProgress?.(told.progress);
        else if ('validation' in told) onValidation?.(told.validation);
        else if ('monitor' in told) onMonitor?.(told.monitor);
        else if ('warning' in told) (warn ?? ((line) => process.emitWarning(line)))(told.warning);
        else if ('posterior' in told) resolve(told.posterior);
        else if ('stopped' in told) reject(signal?.reason);
        else if ('failure' in told) reject(errorOf(told.failure));
      });
      worker.on('error', reject);
      worker.on('exit', (code) =>
        reject(new Error(`the thread that trains ended by itself, with code ${code}`)),
      );
    });
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

function start(workerData: Task, transferList: ArrayBuffer[]): Worker {
  try {
    return new Worker(entry, { workerData, transferList, name: 'bitspike training' });
  } catch (cause) {
    if (!(cause instanceof DOMException && cause.name === 'DataCloneError')) throw cause;
    throw new UserError(
      `train: an option cannot be sent to a thread: ${cause.message}; train in this one, by trainInFolder`,
      { cause },
    );
  }
}

/** The memory of the numbers of data, where it is theirs alone: Node keeps small buffers in one piece of memory. */
function buffersOf(data: TrainingData): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>();
  for (const value of Object.values(data) as unknown[]) {
    if (!ArrayBuffer.isView(value) || !(value.buffer instanceof ArrayBuffer)) continue;
    if (value.buffer.byteLength > Buffer.poolSize) found.add(value.buffer);
  }
  return [...found];
}
