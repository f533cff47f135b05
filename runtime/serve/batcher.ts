import { reasonOf } from '../../schemas/errors.ts';
import type { Outputs, ServedNetwork } from './network.ts';
import type { Settings } from './options.ts';
import { Refusal } from './refusal.ts';
import { type Numbers, rowsOf } from './signature.ts';

interface Waiting {
  readonly examples: Numbers;
  readonly count: number;
  /** Milliseconds, of `performance.now()`. */
  readonly since: number;
  readonly resolve: (outputs: Outputs) => void;
  readonly reject: (error: Error) => void;
}

/** Told of what a batcher does; times in seconds. */
export interface BatchObserver {
  /** A batch has been computed. */
  computed(examples: number, seconds: number): void;
  /** A request has left the queue to be computed. */
  taken(seconds: number): void;
}

/**
 * Puts the examples of requests that come at the same time together, computes them at once and gives each request
 * its own.
 *
 * One batch is computed at a time. What comes meanwhile waits and makes the next one, so batches grow with the load by
 * themselves; `maxDelay` makes an idle network wait as well.
 */
export class Batcher {
  readonly #network: ServedNetwork;
  readonly #settings: Settings;
  readonly #observer: BatchObserver;
  readonly #axes: ReadonlyMap<string, number>;
  #queue: Waiting[] = [];
  #isBusy = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(network: ServedNetwork, settings: Settings, observer: BatchObserver) {
    this.#network = network;
    this.#settings = settings;
    this.#observer = observer;
    this.#axes = new Map(network.signature.outputs.map(({ name, shape }) => [name, shape.indexOf(-1)]));
  }

  /** Requests that wait. */
  get length(): number {
    return this.#queue.length;
  }

  /**
   * The outputs for the examples of one request.
   *
   * @param watch is given what to call when nobody waits for the answer any more; to call it later does no harm
   * @throws Refusal 503 when the queue is full or the network has failed, 504 when it takes too long
   */
  submit(examples: Numbers, count: number, watch?: (leave: () => void) => void): Promise<Outputs> {
    const { queue, timeout } = this.#settings;
    if (this.#network.failure) throw unavailable('the network has failed; the server must be started again');
    if (this.#queue.length >= queue)
      throw unavailable(`the queue is full (${queue} requests wait); try again later`);
    return new Promise<Outputs>((resolve, reject) => {
      const waiting: Waiting = {
        examples,
        count,
        since: performance.now(),
        resolve: (outputs) => settle(() => resolve(outputs)),
        reject: (error) => settle(() => reject(error)),
      };
      let isSettled = false;
      const settle = (then: () => void): void => {
        isSettled = true;
        clearTimeout(timer);
        then();
      };
      const leave = (status: 408 | 504, reason: string): void => {
        if (isSettled) return;
        this.#queue = this.#queue.filter((other) => other !== waiting);
        waiting.reject(new Refusal(status, reason));
      };
      const timer = setTimeout(() => leave(504, `there was no answer in ${timeout} s`), timeout * 1000);
      watch?.(() => leave(408, 'the client went away'));
      this.#queue.push(waiting);
      this.#next();
    });
  }

  /** Starts the next batch, if it is time to. */
  #next(): void {
    const [first] = this.#queue;
    if (this.#isBusy || !first) return;
    const { maxBatch, maxDelay } = this.#settings;
    const left = first.since + maxDelay - performance.now();
    const examples = this.#queue.reduce((sum, { count }) => sum + count, 0);
    if (left > 0 && examples < maxBatch) {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#next();
      }, left);
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isBusy = true;
    void this.#compute(this.#take(maxBatch)).finally(() => {
      this.#isBusy = false;
      this.#next();
    });
  }

  /** The requests at the head of the queue that fit into one batch. */
  #take(maxBatch: number): Waiting[] {
    let examples = 0;
    const end = this.#queue.findIndex(({ count }) => (examples += count) > maxBatch);
    return this.#queue.splice(0, end === -1 ? this.#queue.length : end);
  }

  async #compute(batch: readonly Waiting[]): Promise<void> {
    const started = performance.now();
    for (const { since } of batch) this.#observer.taken((started - since) / 1000);
    const count = batch.reduce((sum, { count: own }) => sum + own, 0);
    try {
      const outputs = await this.#network.run(joined(batch), count, batch.length === 1);
      this.#observer.computed(count, (performance.now() - started) / 1000);
      const [alone, ...others] = batch;
      if (others.length === 0) {
        alone?.resolve(outputs);
        return;
      }
      let start = 0;
      for (const request of batch) {
        request.resolve(this.#part(outputs, start, request.count));
        start += request.count;
      }
    } catch (error) {
      const refusal = this.#network.failure
        ? unavailable('the network has failed; the server must be started again')
        : new Refusal(500, `the network could not compute this: ${reasonOf(error)}`);
      for (const { reject } of batch) reject(refusal);
    }
  }

  /** The examples of one request out of those of its batch. */
  #part(outputs: Outputs, start: number, count: number): Outputs {
    return Object.fromEntries(
      [...this.#axes].map(([name, axis]) => [name, rowsOf(outputs[name]!, axis, start, count)]),
    );
  }
}

const unavailable = (message: string): Refusal => new Refusal(503, message, { 'Retry-After': '1' });

/** The examples of all requests one after another, in memory that is theirs alone. */
function joined(batch: readonly Waiting[]): Numbers {
  if (batch.length === 1) return batch[0]!.examples;
  const size = batch.reduce((sum, { examples }) => sum + examples.length, 0);
  const all = new (batch[0]!.examples instanceof Uint8Array ? Uint8Array : Float32Array)(size);
  let start = 0;
  for (const { examples } of batch) {
    all.set(examples, start);
    start += examples.length;
  }
  return all;
}
