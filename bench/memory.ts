/** Whether memory stays as it is over many runs, and over loading and releasing networks, in Node and in Chromium. */
import { readdirSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Page } from 'playwright-core';
import { type Device, load } from '../runtime/index.ts';
import { startChromium } from './browser/chromium.ts';
import { openLab } from './browser/lab.ts';
import type { Findings, Row } from './harness.ts';
import { parityInputs, parityModels, parityNetwork } from './parity/networks.ts';

const onnx = parityNetwork(parityModels.lif!, 1);
const inputs = parityInputs(parityModels.lif!, 1, 1);

/** What is done again and again. */
interface Work {
  readonly name: string;
  /** Does it so often. */
  repeat(times: number): Promise<void>;
  /** Resident memory in bytes, garbage collected. */
  resident(): Promise<number>;
  close(): Promise<void>;
}

export async function run(args: string[]): Promise<Findings> {
  const { values } = parseArgs({
    args,
    options: { runs: { type: 'string', default: '10000' }, cycles: { type: 'string', default: '100' } },
  });
  const counts = { runs: Number(values.runs), cycles: Number(values.cycles) };
  const rows: Row[] = [];
  const notes = [
    'ours: MB at the end; theirs: MB after warming up, twice the same work or 300 rounds; ratio: at most 1.05 is flat',
  ];
  for (const device of ['cpu', 'wasm', 'bits'] as const) {
    rows.push(
      await grown(await runsInNode(device), counts.runs),
      await grown(cyclesInNode(device), counts.cycles),
    );
  }
  const started = await startChromium(['--js-flags=--expose-gc']);
  if ('missing' in started) return { rows, notes: [...notes, started.missing] };
  const lab = await openLab(started.browser, process.cwd(), { '/network.onnx': onnx }, { isolated: true });
  try {
    for (const device of ['wasm', 'bits'] as const) {
      rows.push(await grown(await runsInChromium(await lab.open(), device), counts.runs));
      rows.push(await grown(cyclesInChromium(await lab.open(), device), counts.cycles));
    }
  } finally {
    await lab.close();
    await started.browser.close();
  }
  return { rows, notes };
}

const megabytes = (bytes: number): number => Math.round(bytes / 1e5) / 10;

/** Memory after the work against memory before it. V8 lets its young generation grow for some ten thousand runs first. */
async function grown(work: Work, times: number): Promise<Row> {
  try {
    await work.repeat(Math.max(2 * times, 300));
    const before = await work.resident();
    await work.repeat(times);
    const after = await work.resident();
    const ratio = Math.round((after / before) * 1000) / 1000;
    const name = `${times} ${work.name}`;
    return {
      name,
      peer: 'after warming up',
      ours: megabytes(after),
      theirs: megabytes(before),
      unit: 'MB',
      ratio,
    };
  } finally {
    await work.close();
  }
}

let collect: (() => void) | undefined;

/** Resident memory of this process. */
const residentHere = async (): Promise<number> => {
  setFlagsFromString('--expose-gc');
  collect ??= runInNewContext('gc') as () => void;
  // Buffers of what was released go with the turn after the one that finds it.
  for (let round = 0; round < 3; round++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return process.memoryUsage.rss();
};

async function runsInNode(device: Device): Promise<Work> {
  const network = await load(onnx, { device });
  const repeat = async (times: number) => {
    for (let run = 0; run < times; run++) await network.classify(inputs);
  };
  return { name: `runs, Node ${device}`, repeat, resident: residentHere, close: () => network.close() };
}

function cyclesInNode(device: Device): Work {
  const repeat = async (times: number) => {
    for (let cycle = 0; cycle < times; cycle++) {
      const network = await load(onnx, { device });
      await network.classify(inputs);
      await network.close();
    }
  };
  return { name: `loads, Node ${device}`, repeat, resident: residentHere, close: async () => {} };
}

/** In the page: one network for all runs, or one for each. */
async function repeatInPage({
  times,
  each,
  device,
  example,
}: {
  readonly times: number;
  readonly each: boolean;
  readonly device: Device;
  readonly example: readonly number[];
}): Promise<void> {
  interface Lab {
    readonly bitspike: typeof import('../runtime/index.ts');
    network?: Awaited<ReturnType<typeof load>>;
  }
  const lab = globalThis as unknown as Lab;
  const open = () => lab.bitspike.load('/network.onnx', { device, onnxruntime: '/onnxruntime/' });
  const input = Uint8Array.from(example);
  for (let run = 0; run < times; run++) {
    const network = each ? await open() : (lab.network ??= await open());
    await network.classify(input);
    if (each) await network.close();
  }
}

const inPage = (page: Page, device: Device, each: boolean) => (times: number) =>
  page.evaluate(repeatInPage, { times, each, device, example: [...inputs] });

const runsInChromium = async (page: Page, device: Device): Promise<Work> => ({
  name: `runs, Chromium ${device}`,
  repeat: inPage(page, device, false),
  resident: () => residentInChromium(page),
  close: () => page.close(),
});

const cyclesInChromium = (page: Page, device: Device): Work => ({
  name: `loads, Chromium ${device}`,
  repeat: inPage(page, device, true),
  resident: () => residentInChromium(page),
  close: () => page.close(),
});

/** Resident memory of all processes of the browser, which are children of this one: Linux says. */
async function residentInChromium(page: Page): Promise<number> {
  for (let round = 0; round < 3; round++) {
    await page.evaluate(() => (globalThis as unknown as { gc(): void }).gc());
    await page.waitForTimeout(100);
  }
  const parents = new Map<number, { readonly parent: number; readonly bytes: number }>();
  for (const name of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const status = readFileSync(`/proc/${name}/status`, 'utf8');
      const parent = Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]);
      parents.set(Number(name), { parent, bytes: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024 });
    } catch {
      // It ended meanwhile.
    }
  }
  const isOurs = (id: number): boolean => {
    const parent = parents.get(id)?.parent;
    return parent !== undefined && (parent === process.pid || isOurs(parent));
  };
  return [...parents].reduce((sum, [id, { bytes }]) => (isOurs(id) ? sum + bytes : sum), 0);
}
