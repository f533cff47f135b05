import type { HostTensor } from '../../runner.ts';
import { openBits } from '../runner.ts';
import { splitting, type SplitRunner } from '../split.ts';
import {
  failureOf,
  laidOut,
  type Order,
  type Report,
  roomFor,
  type Start,
  viewOf,
  viewsOf,
  type Work,
} from './messages.ts';

/**
 * What a thread does with what it is told: opens the network, then computes examples. Its errors are told, too.
 *
 * @param bytesOf the file, in a memory that it can be read from here
 */
export function obeying(
  tell: (report: Report) => void,
  bytesOf: (model: SharedArrayBuffer) => Uint8Array,
): (order: Order) => Promise<void> {
  let runner: SplitRunner | undefined;
  const rooms: SharedArrayBuffer[] = [];

  const open = async ({ model, axes, what }: Start): Promise<void> => {
    try {
      runner = splitting(await openBits(bytesOf(model), {}, what), axes);
      tell({ kind: 'ready', use: runner.memory() });
    } catch (error) {
      tell({ kind: 'refused', failure: failureOf(error) });
    }
  };

  const compute = ({ place, memory, feeds, outputs }: Work): void => {
    try {
      const opened = runner as SplitRunner;
      const start = performance.now();
      const found = opened.runNow(viewsOf(memory, feeds), outputs);
      const took = performance.now() - start;
      const { tensors, bytes } = laidOut(found);
      const room = roomFor(bytes, rooms[place]);
      rooms[place] = room;
      for (const [name, tensor] of Object.entries(tensors))
        viewOf(room, tensor).set((found[name] as HostTensor).data as never);
      tell({ kind: 'done', place, memory: room, outputs: tensors, took, use: opened.memory() });
    } catch (error) {
      tell({ kind: 'failed', place, failure: failureOf(error) });
    }
  };
  return async (order) => (order.kind === 'open' ? open(order) : compute(order));
}
