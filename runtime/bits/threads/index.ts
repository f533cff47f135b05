import { UserError } from '../../../schemas/errors.ts';
import type { HostTensor, HostTensors } from '../../runner.ts';
import { type BatchAxes, batchOf, canSplit, dimsWith, Joined, type Span, takeExamples } from '../batch.ts';
import type { BitsRunner, MemoryUse } from '../runner.ts';
import { openSplit, type SplitRunner } from '../split.ts';
import { type Answer, laidOut, type SharedTensor, viewOf, viewsOf } from './messages.ts';
import { NoThreads, Pool, type Share } from './pool.ts';
import type { StartThread } from './thread.ts';

/** Bytes of the feeds of one share, at most: what lies in shared memory does not grow with the batch. */
const LARGEST = 2 ** 22;

/** What others get in one call is too little for a thread: so many of it. */
const SHARES = 8;

/** Milliseconds of work that are worth the way to a thread and back. */
const LEAST = 2;

export interface ThreadOptions {
  readonly threads: number;
  readonly start: StartThread;
  /** Milliseconds; less is computed in the thread that calls. */
  readonly leastWork?: number;
}

/**
 * A network whose batches are computed by several threads, some examples each: the same bits as by one. The thread that
 * calls is one of them. It alone computes single examples, steps of streams and what is too little to be shared.
 *
 * @throws UserError where a part of it cannot be computed here
 */
export async function openThreaded(
  bytes: Uint8Array,
  { threads, start, leastWork = LEAST }: ThreadOptions,
  what: string,
): Promise<BitsRunner> {
  const model = new SharedArrayBuffer(bytes.byteLength);
  new Uint8Array(model).set(bytes);
  const own = await openSplit(bytes, {}, what);
  const { axes } = own;
  const alone = (why: string): BitsRunner => ({
    ...own,
    notes: [...(own.notes ?? []), `It computes on one thread, not ${threads}, as ${why}.`],
  });
  if (!axes) return alone('the file does not tell where its examples are, which those of this toolkit do');
  try {
    const pool = await Pool.open(start, threads - 1, { kind: 'open', model, axes, what });
    return shared(own, axes, pool, leastWork);
  } catch (error) {
    if (!(error instanceof NoThreads)) throw error;
    return alone(`no other can be started here: ${error.message}`);
  }
}

function shared(own: SplitRunner, axes: BatchAxes, pool: Pool, leastWork: number): BitsRunner {
  const threads = pool.size + 1;
  /** Milliseconds for a number of the feeds: the least that a thread has needed, unknown before the first share. */
  let pace = Number.POSITIVE_INFINITY;
  let isClosed = false;

  const run = async (feeds: HostTensors, outputs: readonly string[]): Promise<HostTensors> => {
    if (isClosed) throw new UserError('the network is closed; load it again');
    const batch = batchOf(axes, feeds) ?? 1;
    if (batch === 1 || pool.size === 0 || !canSplit(axes, outputs)) return own.runNow(feeds, outputs);
    const numbers = Object.keys(axes.inputs).reduce(
      (sum, name) => sum + (feeds[name] as HostTensor).data.length,
      0,
    );
    if (numbers * pace < leastWork) return own.runNow(feeds, outputs);
    const joined = new Joined(axes, feeds, batch);
    const controller = new AbortController();
    const { signal } = controller;
    const compute = (span: Span): Promise<void> =>
      new Promise((resolve, reject) => {
        const done = (answer: Answer): void => {
          pace = Math.min(pace, (answer.took * batch) / (numbers * span.count));
          joined.put(viewsOf(answer.memory, answer.outputs), span);
          resolve();
        };
        pool.give({ ...shareOf(axes, feeds, span), outputs, done, failed: reject, signal });
      });
    const spans = spansOf(feeds, batch, threads);
    const isOwn = (_: Span, index: number): boolean => index % threads === 0;
    try {
      const others = Promise.all(spans.filter((span, index) => !isOwn(span, index)).map(compute));
      // Where one fails, what is left is not computed.
      others.catch(() => controller.abort());
      for (const [index, span] of spans.filter(isOwn).entries()) {
        // Between two of its own the thread hears of the others, and gives them more.
        if (index > 0) await nextTurn();
        if (signal.aborted) break;
        own.putNow(joined, feeds, outputs, span);
      }
      await others;
    } catch (error) {
      controller.abort();
      throw error;
    }
    return joined.outputs;
  };
  return {
    ...own,
    batchFactor: SHARES * threads,
    run,
    memory: () => [own.memory(), ...pool.uses].reduce(sum),
    release: async () => {
      isClosed = true;
      await pool.end();
      await own.release();
    },
  };
}

/** What is used here of a port, which Node and browsers type differently. */
interface Port {
  addEventListener(kind: 'message', listener: () => void): void;
  start(): void;
  close(): void;
}

/** When what has come from other threads has been heard. */
const nextTurn = (): Promise<void> =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    const port = port1 as unknown as Port;
    port.addEventListener('message', () => {
      port.close();
      resolve();
    });
    port.start();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port has no origin
    port2.postMessage(undefined);
  });

/**
 * One share for every thread; where that is too large, shares of a power of two, which is what the parts have that a
 * thread computes: a rest is a program of its own.
 */
function spansOf(feeds: HostTensors, batch: number, threads: number): Span[] {
  const bytes = Object.values(feeds).reduce((total, { data }) => total + data.byteLength, 0);
  const most = Math.max(1, Math.floor((LARGEST * batch) / bytes));
  const even = Math.ceil(batch / threads);
  const size = even <= most ? even : 2 ** Math.floor(Math.log2(most));
  return Array.from({ length: Math.ceil(batch / size) }, (_, index) => ({
    first: index * size,
    count: Math.min(size, batch - index * size),
  }));
}

function shareOf(
  { inputs }: BatchAxes,
  feeds: HostTensors,
  span: Span,
): Pick<Share, 'feeds' | 'bytes' | 'fill'> {
  const given = Object.entries(inputs).map(([name, axis]) => ({
    name,
    axis,
    feed: feeds[name] as HostTensor,
  }));
  const { tensors, bytes } = laidOut(
    Object.fromEntries(
      given.map(({ name, axis, feed: { type, dims } }) => [
        name,
        { type, dims: dimsWith(dims, axis, span.count) },
      ]),
    ),
  );
  return {
    feeds: tensors,
    bytes,
    fill(memory) {
      for (const { name, axis, feed } of given)
        takeExamples(feed, axis, span, viewOf(memory, tensors[name] as SharedTensor));
    },
  };
}

const sum = (a: MemoryUse, b: MemoryUse): MemoryUse => ({
  weights: a.weights + b.weights,
  now: a.now + b.now,
  peak: a.peak + b.peak,
});
