/** The 1-bit engine and onnxruntime-web, each in a page of Chromium of its own, on one thread. */
import type { Browser, Page } from 'playwright-core';
import type { HostTensor, HostTensors } from '../../runtime/runner.ts';
import { type Lab, openLab } from '../browser/lab.ts';
import type { Contender } from '../harness.ts';
import type { Case } from './cases.ts';
import { bytesOf, type Feeding, feedingOf } from './feeds.ts';

/** What runs in pages, and in which form the network is written for it. */
const sides = { bits: 'any', 'ort-web-float32': 'gpu', 'ort-web': 'any' } as const;
type SideName = keyof typeof sides;

export const chromiumPeers = ['ort-web-float32', 'ort-web'] as const satisfies readonly SideName[];

/** A case by its name. */
export interface NamedCase {
  readonly name: string;
  readonly given: Case;
  readonly isStream: boolean;
}

/** Pages for networks: the runtime is bundled once for all. */
export interface Pages {
  sidesOf(given: NamedCase): [Contender, ...Contender[]];
  close(): Promise<void>;
}

export async function openPages(browser: Browser, cases: readonly NamedCase[]): Promise<Pages> {
  const fileOf = ({ name }: NamedCase, side: SideName): string =>
    `/${name.replace(/[^\w-]/g, '-')}.${sides[side]}.onnx`;
  const files: Record<string, Uint8Array> = {};
  for (const each of cases)
    for (const side of Object.keys(sides) as SideName[])
      files[fileOf(each, side)] = bytesOf(each.given, each.isStream, sides[side]);
  // Isolated pages have a clock that is fine enough: steps of 5 µs, not of 100.
  const lab = await openLab(browser, process.cwd(), files, { isolated: true });
  const side = (each: NamedCase, which: SideName): Contender => {
    const file = fileOf(each, which);
    const feeding = () => feedingOf(each.given, each.isStream, files[file] as Uint8Array);
    return pageContender(lab, which, file, feeding);
  };
  return {
    sidesOf: (each) => [side(each, 'bits'), ...chromiumPeers.map((which) => side(each, which))],
    close: () => lab.close(),
  };
}

function pageContender(lab: Lab, side: SideName, model: string, feedingFor: () => Feeding): Contender {
  let page: Page | undefined;
  return {
    name: side,
    async prepare() {
      page = await lab.open();
      const { feeds, carried } = feedingFor();
      const sent = Object.entries(feeds).map(([name, { type, dims, data }]) => ({
        name,
        type,
        dims,
        text: Buffer.from(
          new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength),
        ).toString('base64'),
      }));
      await page.waitForFunction(() => 'bitspike' in globalThis);
      const engine = side === 'bits' ? 'bits' : 'onnxruntime';
      await page.evaluate(open, { engine, model, sent, carried } satisfies Given);
    },
    steps: async (count) => (await page?.evaluate(timedBlocks, count)) ?? [],
    close: async () => page?.close(),
  };
}

/** What a page keeps between calls. */
interface Held {
  bitspike: typeof import('../../runtime/index.ts');
  call: () => unknown;
  /** Calls between two looks at the clock. */
  block: number;
}

/** Of onnxruntime-web, what is used here. */
interface Web {
  readonly env: { readonly wasm: { numThreads: number } };
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options: object,
    ): Promise<{ run(feeds: object, outputs: readonly string[]): Promise<Record<string, object>> }>;
  };
  readonly Tensor: new (type: string, data: HostTensor['data'], dims: readonly number[]) => object;
}

interface Given {
  readonly engine: 'bits' | 'onnxruntime';
  readonly model: string;
  readonly sent: readonly {
    readonly name: string;
    readonly type: HostTensor['type'];
    readonly dims: readonly number[];
    readonly text: string;
  }[];
  readonly carried: readonly { readonly input: string; readonly output: string }[];
}

/** Is run in the page, and so knows nothing of what is around it here. Nothing stands between a call and an engine. */
async function open({ engine, model, sent, carried }: Given): Promise<void> {
  const held = globalThis as unknown as Held;
  const bytes = new Uint8Array(await (await fetch(model)).arrayBuffer());
  const feeds: Record<string, HostTensor> = {};
  for (const { name, type, dims, text } of sent) {
    const data = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    feeds[name] = { type, dims, data: type === 'uint8' ? data : new Float32Array(data.buffer) };
  }
  if (engine === 'bits') {
    const runner = await held.bitspike.openBits(bytes);
    const stepper = carried.length > 0 ? runner.stepper(feeds, ['logits'], carried) : undefined;
    held.call = stepper ? () => stepper.step() : () => runner.runNow(feeds, ['logits']);
  } else {
    // @ts-expect-error -- an address of the page. In a variable it would become a call of a helper that pages lack.
    const ort: Web = await import('/onnxruntime/ort.wasm.bundle.min.mjs');
    ort.env.wasm.numThreads = 1;
    const session = await ort.InferenceSession.create(bytes, { executionProviders: ['wasm'] });
    const tensors: Record<string, object> = {};
    for (const [name, { type, data, dims }] of Object.entries(feeds as HostTensors))
      tensors[name] = new ort.Tensor(type, data, dims);
    const outputs = ['logits', ...carried.map(({ output }) => output)];
    held.call = async () => {
      const found = await session.run(tensors, outputs);
      for (const { input, output } of carried) tensors[input] = found[output] as object;
    };
  }
  // As many calls as fill five milliseconds: a thousand steps of the clock. Of three tries the fastest tells, as other
  // work on the machine only makes one longer.
  held.block = 1;
  for (let took = 0; took < 5 && held.block < 8192; ) {
    held.block *= 2;
    took = Number.POSITIVE_INFINITY;
    for (let tries = 0; tries < 3; tries++) {
      const start = performance.now();
      for (let each = 0; each < held.block; each++) await held.call();
      took = Math.min(took, performance.now() - start);
    }
  }
}

/** Is run in the page. */
async function timedBlocks(count: number): Promise<number[]> {
  const { call, block } = globalThis as unknown as Held;
  const times: number[] = [];
  for (let step = 0; step < count; step++) {
    const start = performance.now();
    for (let each = 0; each < block; each++) {
      const found = call();
      if (found instanceof Promise) await found;
    }
    times.push((performance.now() - start) / block);
  }
  return times;
}
