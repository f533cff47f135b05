/** A worker of a page that computes examples: started by `startPageThread`. */
import type { Order, Report } from './messages.ts';
import { obeying } from './obey.ts';

/** What is used here of a worker's globals, which the types of Node do not know. */
interface Scope {
  addEventListener(kind: 'message', listener: (event: { readonly data: Order }) => void): void;
  postMessage(report: Report): void;
}

const scope = globalThis as unknown as Scope;
const obey = obeying(
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker has no origin
  (report) => scope.postMessage(report),
  // Browsers decode no text out of memory that is shared.
  (model) => new Uint8Array(model).slice(),
);
scope.addEventListener('message', ({ data }) => void obey(data));
