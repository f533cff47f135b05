import { Worker } from 'node:worker_threads';
import { reasonOf } from '../../../schemas/errors.ts';
import type { Shape } from '../../../schemas/layer.ts';
import { type BatchFiller, checkBatch } from './fill.ts';
import { errorOf, type Job, type Report, type Slot, type WorkerStart } from './messages.ts';
import { batchesOf, type BatchPlan, examplesIn, shareData } from './plan.ts';
import type { BatchSource } from './source.ts';

/** The worker beside this file: compiled as it is, or TypeScript where Node runs that. */
const workerEntry = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

/** A batch that was ordered; once done it waits in its slot until it is asked for. */
interface Order extends Job {
  done: boolean;
}

interface Thread {
  readonly worker: Worker;
  orders: number;
}

/**
 * Batches made ahead by worker threads, in the order in which training asks for them. Data and batches lie in
 * shared memory; a batch is copied once, to where its caller wants it.
 *
 * Orders for all free slots are sent at once, so that workers go on while the main thread is busy with a step.
 */
export class WorkerBatches implements BatchSource {
  readonly steps: number;
  readonly shape: Shape;
  readonly classes: number;
  readonly count: number;
  readonly batches: number;
  readonly #plan: BatchPlan;
  readonly #filler: BatchFiller;
  readonly #slots: readonly Slot[];
  readonly #threads: readonly Thread[];
  readonly #free: number[];
  /** Ordered and not yet asked for, in the order in which they will be. */
  #queue: Order[] = [];
  /** By slot: what it is ordered for, whether or not anyone still wants it. */
  readonly #bySlot: { order: Order; thread: Thread }[] = [];
  /** What is ordered next. */
  #following = { epoch: 0, index: 0 };
  #isFilling = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  /** @param filler of the same plan, to know its shapes */
  constructor(plan: BatchPlan, filler: BatchFiller, workers: number, entry: URL = workerEntry) {
    this.#plan = plan;
    this.#filler = filler;
    this.steps = filler.steps;
    this.shape = filler.shape;
    this.classes = filler.classes;
    this.count = plan.data.count;
    this.batches = batchesOf(plan);
    // One batch for each worker to make and one ready to be taken.
    this.#slots = Array.from({ length: workers + 1 }, () => ({
      inputs: sharedFloats(filler.inputs),
      targets: sharedFloats(filler.targets),
    }));
    this.#free = this.#slots.map((_, slot) => slot);
    const workerData: WorkerStart = { plan: shareData(plan), slots: this.#slots };
    this.#threads = Array.from({ length: workers }, () => this.#start(entry, workerData));
  }

  #start(entry: URL, workerData: WorkerStart): Thread {
    const worker = new Worker(entry, { workerData, name: 'bitspike batches' });
    worker.on('message', (report: Report) => this.#receive(report));
    worker.on('error', (error) =>
      this.#fail(new Error(`${this.#name}: ${reasonOf(error)}`, { cause: error })),
    );
    worker.on('exit', (code) =>
      this.#fail(new Error(`${this.#name}: it ended by itself, with code ${code}`)),
    );
    // Only who waits for a batch keeps the process alive, not a source that was never closed.
    worker.unref();
    return { worker, orders: 0 };
  }

  get #name(): string {
    return `batches of ${this.#plan.data.name}: a worker failed`;
  }

  examplesIn(index: number): number {
    return examplesIn(this.#plan, index);
  }

  async fill(epoch: number, index: number, inputs: Float32Array, targets: Float32Array): Promise<void> {
    checkBatch(this.#plan, this.#filler, epoch, index, inputs, targets);
    if (this.#isFilling)
      throw new Error('batches: asked for a batch before the last one was there; await fill');
    this.#isFilling = true;
    try {
      const first = this.#queue[0] ?? this.#following;
      if (first.epoch !== epoch || first.index !== index) this.#startOver(epoch, index);
      this.#order();
      const { slot } = await this.#first();
      inputs.set(this.#slots[slot]!.inputs);
      targets.set(this.#slots[slot]!.targets);
      this.#queue.shift();
      this.#free.push(slot);
      this.#order();
    } finally {
      this.#isFilling = false;
    }
  }

  async close(): Promise<void> {
    this.#fail(new Error(`batches of ${this.#plan.data.name}: closed`));
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  /** Lets go of what is under way, since another batch is wanted than was expected. */
  #startOver(epoch: number, index: number): void {
    for (const { done, slot } of this.#queue) if (done) this.#free.push(slot);
    this.#queue = [];
    this.#following = { epoch, index };
  }

  /** Orders batches for all free slots. */
  #order(): void {
    while (this.#free.length > 0 && !this.#failure) {
      const { epoch, index } = this.#following;
      const job: Job = { epoch, index, slot: this.#free.pop()! };
      const order: Order = { ...job, done: false };
      const thread = this.#threads.reduce((least, other) => (other.orders < least.orders ? other : least));
      thread.orders++;
      this.#queue.push(order);
      this.#bySlot[job.slot] = { order, thread };
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      thread.worker.postMessage(job);
      this.#following =
        index + 1 < this.batches ? { epoch, index: index + 1 } : { epoch: epoch + 1, index: 0 };
    }
  }

  /** Waits for the first batch of the queue. */
  async #first(): Promise<Order> {
    for (const { worker } of this.#threads) worker.ref();
    try {
      for (;;) {
        if (this.#failure) throw this.#failure;
        const [first] = this.#queue;
        if (first?.done) return first;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.#wake = undefined;
      for (const { worker } of this.#threads) worker.unref();
    }
  }

  #receive({ slot, failure }: Report): void {
    const { order, thread } = this.#bySlot[slot]!;
    thread.orders--;
    order.done = true;
    if (!this.#queue.includes(order)) {
      this.#free.push(slot);
      if (this.#isFilling) this.#order();
    } else if (failure) {
      this.#fail(errorOf(failure, `${this.#name} at batch ${order.index} of epoch ${order.epoch}`));
    }
    this.#wake?.();
  }

  /** From now on every caller gets this error, unless there was one before. */
  #fail(error: Error): void {
    if (this.#failure) return;
    this.#failure = error;
    for (const { worker } of this.#threads) void worker.terminate();
    this.#wake?.();
  }
}

const sharedFloats = (length: number): Float32Array =>
  new Float32Array(new SharedArrayBuffer(length * Float32Array.BYTES_PER_ELEMENT));
