import type { Order, Report } from './messages.ts';
import type { StartThread } from './thread.ts';

/** What is used here of a page's workers, which the types of Node do not know. */
interface PageWorker {
  addEventListener(kind: 'message', listener: (event: { readonly data: Report }) => void): void;
  addEventListener(kind: 'messageerror', listener: () => void): void;
  addEventListener(kind: 'error', listener: (event: Failed) => void): void;
  postMessage(order: Order): void;
  terminate(): void;
}

interface Failed {
  /** None where its file could not be loaded. */
  readonly message?: string;
  preventDefault(): void;
}

declare const Worker: new (
  address: URL,
  options: { readonly type: 'module'; readonly name: string },
) => PageWorker;

export const startPageThread: StartThread = ({ onReport, onEnd }) => {
  // Bundlers look for these very words, and make a file of the worker.
  const worker = new Worker(new URL('./worker.js', import.meta.url), {
    type: 'module',
    name: 'bitspike examples',
  });
  let isOver = false;
  const over = (why: string): void => {
    if (isOver) return;
    isOver = true;
    worker.terminate();
    onEnd(why);
  };
  worker.addEventListener('message', ({ data }) => onReport(data));
  worker.addEventListener('messageerror', () => over('what it said cannot be read'));
  worker.addEventListener('error', (event) => {
    event.preventDefault();
    over(event.message ?? 'its file cannot be loaded');
  });
  return {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker has no origin
    tell: (order) => worker.postMessage(order),
    hold: () => {},
    end: async () => over('it was ended'),
  };
};
