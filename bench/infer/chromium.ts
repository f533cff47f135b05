/** Two forms of a network in onnxruntime-web on one thread, each in a page of Chromium of its own. */
import type { Browser, Page } from 'playwright-core';
import { type Lab, openLab } from '../browser/lab.ts';
import { type Case, inputsOf } from '../bits/cases.ts';
import { bytesOf, SEED } from '../bits/feeds.ts';
import type { Contender } from '../harness.ts';

const forms = { ours: 'any', float32: 'gpu' } as const;

/** What a page keeps between calls. */
interface Held {
  bitspike: typeof import('../../runtime/index.ts');
  call: () => Promise<unknown>;
}

/** Ours and the same network in float32; pages are isolated, so that their clock is fine enough. */
export async function chromiumContenders(
  browser: Browser,
  given: Case,
): Promise<{ readonly sides: [Contender, Contender]; close(): Promise<void> }> {
  const files = Object.fromEntries(
    Object.entries(forms).map(([form, target]) => [`/${form}.onnx`, bytesOf(given, false, target)]),
  );
  const lab = await openLab(browser, process.cwd(), files, { isolated: true });
  return {
    sides: [pageContender(lab, 'ours', given), pageContender(lab, 'float32', given)],
    close: () => lab.close(),
  };
}

function pageContender(lab: Lab, form: keyof typeof forms, given: Case): Contender {
  let page: Page | undefined;
  return {
    name: form,
    async prepare() {
      page = await lab.open();
      const text = Buffer.from(inputsOf(given, SEED).data).toString('base64');
      await page.waitForFunction(() => 'bitspike' in globalThis);
      await page.evaluate(open, { model: `/${form}.onnx`, text });
    },
    steps: async (count) => (await page?.evaluate(timed, count)) ?? [],
    close: async () => page?.close(),
  };
}

/** Is run in the page. */
async function open({ model, text }: { readonly model: string; readonly text: string }): Promise<void> {
  const held = globalThis as unknown as Held;
  const inputs = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const network = await held.bitspike.load(model, {
    device: 'wasm',
    threads: 1,
    onnxruntime: '/onnxruntime/',
  });
  held.call = () => network.run(inputs);
}

/** Is run in the page. */
async function timed(count: number): Promise<number[]> {
  const { call } = globalThis as unknown as Held;
  const times: number[] = [];
  for (let step = 0; step < count; step++) {
    const start = performance.now();
    await call();
    times.push(performance.now() - start);
  }
  return times;
}
