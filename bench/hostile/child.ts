/** A process that runs hostile inputs one after another, as its parent tells it: one that crashes or hangs takes none with it. */
import { makeFixtures } from './fixtures.ts';
import { runCase } from './case.ts';
import type { Order, Report } from './messages.ts';
import { runHere } from './run-here.ts';

const tell = (report: Report): void => void process.send?.(report);

/** What nobody awaited, since the last case began. */
const strays: string[] = [];
for (const event of ['unhandledRejection', 'uncaughtException'] as const) {
  process.on(event, (error: unknown) => {
    strays.push(`${event}: ${error instanceof Error ? error.stack : String(error)}`);
  });
}

async function follow(order: Order): Promise<void> {
  if (order.kind === 'fixtures') {
    await makeFixtures(order.folder);
    tell({ kind: 'ready' });
    return;
  }
  const { seed, numbers, folder } = order;
  for (const number of numbers) {
    tell({ kind: 'begun', number });
    strays.length = 0;
    const judged = await runCase(seed, number, folder, runHere);
    await new Promise((resolve) => setImmediate(resolve));
    const [stray] = strays;
    const memory = process.resourceUsage().maxRSS * 1024;
    tell({ kind: 'judged', judged: stray === undefined ? judged : { ...judged, fault: stray }, memory });
  }
  tell({ kind: 'done' });
}

process.on('message', (order: Order) => {
  follow(order).catch((error: unknown) => {
    tell({ kind: 'broken', reason: error instanceof Error ? String(error.stack) : String(error) });
  });
});
