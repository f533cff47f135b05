import { Worker } from 'node:worker_threads';
import { UserError } from '../../schemas/errors.ts';
import type { LoadOptions } from '../index.ts';
import { movable, type Opened, type Order, type Report, type ThreadStart } from './messages.ts';
import type { Numbers, Tensor } from './signature.ts';

export type Outputs = Readonly<Record<string, Tensor>>;

/** A network that can be served: what the batcher needs of it. */
export interface ServedNetwork extends Opened {
  /** Why it computes no more; undefined while it does. */
  readonly failure: Error | undefined;
  /**
   * @param examples `count` of them, one after another; their memory may be taken away
   * @param isAlone whether they are one request, which no other waits beside
   */
  run(examples: Numbers, count: number, isAlone: boolean): Promise<Outputs>;
  /** Ends it, after what it computes now. */
  close(): Promise<void>;
}

/** The thread beside this file: compiled as it is, or TypeScript where Node runs that. */
const entry = new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url);

/** Milliseconds that a thread has to end by itself. */
const patience = 10_000;

interface Waiting {
  readonly resolve: (outputs: Outputs) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Opens a network in a thread of its own, since computing blocks the thread that it happens in.
 *
 * @throws UserError when the file is no model, or the device is not there
 */
export async function openInThread(file: string, options: LoadOptions): Promise<ServedNetwork> {
  const workerData: ThreadStart = { file, options };
  const worker = new Worker(entry, { workerData, name: 'bitspike network' });
  const order = (told: Order, moved: readonly ArrayBuffer[] = []): void =>
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    worker.postMessage(told, moved);
  // Answers come in the order of the questions.
  const waiting: Waiting[] = [];
  let failure: Error | undefined;
  const fail = (error: Error): void => {
    failure ??= error;
    for (const { reject } of waiting.splice(0)) reject(failure);
  };
  const ended = new Promise<void>((resolve) => {
    worker.on('exit', (code) => {
      fail(new Error(`${file}: the thread that computes it ended, with code ${code}`));
      resolve();
    });
  });
  worker.on('error', fail);

  const { signature, classes, device, seconds } = await new Promise<Opened>((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', (code) =>
      reject(new Error(`${file}: the thread that opens it ended, with code ${code}`)),
    );
    worker.on('message', (report: Report) => {
      if (report.kind === 'ready') resolve(report);
      else if (report.kind === 'refused') reject(new UserError(report.message));
      else if (report.kind === 'done') waiting.shift()?.resolve(report.outputs);
      else waiting.shift()?.reject(new Error(report.reason));
    });
  });

  return {
    signature,
    classes,
    device,
    seconds,
    get failure() {
      return failure;
    },
    run(examples, count) {
      if (failure) return Promise.reject(failure);
      return new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        order({ kind: 'run', examples, count }, movable([examples]));
      });
    },
    async close() {
      if (!failure) order({ kind: 'close' });
      // What hangs in a computation hears no message.
      const late = setTimeout(() => void worker.terminate(), patience);
      await ended;
      clearTimeout(late);
    },
  };
}
