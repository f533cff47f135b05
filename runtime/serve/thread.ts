/** The thread that a network computes in, so that the server answers while it does: started by `openInThread`. */
import { parentPort, workerData } from 'node:worker_threads';
import { reasonOf, UserError } from '../../schemas/errors.ts';
import { load } from '../load.ts';
import type { LoadedNetwork } from '../network.ts';
import { movable, type Order, type Report, type ThreadStart } from './messages.ts';
import { secondsOf, signatureOf } from './signature.ts';

const { file, options } = workerData as ThreadStart;

const say = (report: Report, moved: readonly ArrayBuffer[] = []): void =>
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort!.postMessage(report, moved);

async function obey(network: LoadedNetwork, order: Order): Promise<void> {
  if (order.kind === 'close') {
    await network.close();
    parentPort!.close();
    return;
  }
  try {
    const outputs = await network.run(order.examples);
    say({ kind: 'done', outputs }, movable(Object.values(outputs).map(({ data }) => data)));
  } catch (error) {
    say({ kind: 'failed', reason: reasonOf(error) });
  }
}

try {
  const network = await load(file, options);
  const signature = await signatureOf(network, file);
  const { device, description } = network;
  const seconds = await secondsOf(network, signature);
  say({ kind: 'ready', signature, classes: description.classes, device, seconds });
  parentPort!.on('message', (order: Order) => void obey(network, order));
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  say({ kind: 'refused', message: error.message });
}
