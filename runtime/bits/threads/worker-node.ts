/** A thread of Node that computes examples: started by `startNodeThread`. */
import { parentPort } from 'node:worker_threads';
import type { Order } from './messages.ts';
import { obeying } from './obey.ts';

const port = parentPort!;
const obey = obeying(
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  (report) => port.postMessage(report),
  (model) => new Uint8Array(model),
);
port.on('message', (order: Order) => void obey(order));
