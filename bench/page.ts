/** How long the page of `examples/web` takes from its address to its first answer, and what it downloads for that. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Browser } from 'playwright-core';
import { UserError } from '../schemas/errors.ts';
import { startChromium } from './browser/chromium.ts';
import { type StaticServer, serve } from './browser/server.ts';
import { type Findings, median, rounded } from './harness.ts';
import { integers } from './options.ts';

/** What one load of the page took. */
interface Load {
  /** Milliseconds from the start of the navigation to the first frame after an answer. */
  readonly answered: number;
  /** Body bytes of all that was asked for. */
  readonly bytes: number;
}

export async function run(args: string[]): Promise<Findings> {
  const { values } = parseArgs({ args, options: { loads: { type: 'string', default: '9' } } });
  const [loads = 1] = integers('loads', values.loads);
  const started = await startChromium();
  if ('missing' in started) throw new UserError(started.missing);
  const { browser } = started;
  const built = await buildPage();
  const server = await servePage(built);
  try {
    // The first start of a browser's processes is not the page's.
    await loadPage(browser, server.origin);
    const found: Load[] = [];
    for (let load = 0; load < loads; load++) found.push(await loadPage(browser, server.origin));
    const times = found.map(({ answered }) => answered);
    const none = { peer: 'none', theirs: null, ratio: null };
    return {
      rows: [
        { name: 'first answer', ...none, ours: rounded(median(times)), unit: 'ms' },
        { name: 'download', ...none, ours: found[0]?.bytes ?? 0, unit: 'bytes' },
      ],
      notes: [
        `Chromium ${browser.version()}, headless; ${loads} loads, each as a first visit, from loopback`,
        `first answer: ${rounded(Math.min(...times))} to ${rounded(Math.max(...times))} ms; an example is clicked as soon as it is there`,
        'download: all that the page asks for on the device bits, without compression',
      ],
    };
  } finally {
    await browser.close();
    await server.close();
    await rm(built, { recursive: true, force: true });
  }
}

async function buildPage(): Promise<string> {
  const { build } = await import('vite');
  const outDir = await mkdtemp(join(tmpdir(), 'bitspike-page-'));
  await build({
    configFile: join(process.cwd(), 'examples/web/vite.config.ts'),
    logLevel: 'silent',
    build: { outDir, emptyOutDir: true },
  });
  return outDir;
}

const servePage = async (folder: string): Promise<StaticServer> =>
  serve(
    {
      '/': await readFile(join(folder, 'index.html'), 'utf8'),
      '/service-worker.js': await readFile(join(folder, 'service-worker.js'), 'utf8'),
      '/icon.svg': await readFile(join(folder, 'icon.svg'), 'utf8'),
      '/assets/': { folder: join(folder, 'assets') },
      '/models/': { folder: join(folder, 'models') },
    },
    { isolated: true, csp: "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'" },
  );

/** Opens the page as if for the first time, without anything kept. */
async function loadPage(browser: Browser, origin: string): Promise<Load> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  try {
    await context.addInitScript(askAtOnce);
    const page = await context.newPage();
    await page.goto(`${origin}/`);
    await page.locator('html[data-answered]').waitFor({ state: 'attached', timeout: 60_000 });
    const answered = Number(await page.locator('html').getAttribute('data-answered'));
    // The spiking network comes after the answer; it is there when it says something.
    await page.locator('#belief-text:not(:empty)').waitFor();
    const bytes = await page.evaluate<number>(
      `[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
        .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)`,
    );
    return { answered, bytes };
  } finally {
    await context.close();
  }
}

/** Is run in the page before its own scripts: clicks an example once there is one, and notes when the answer is painted. */
function askAtOnce(): void {
  interface Element {
    readonly dataset: Record<string, string>;
    readonly textContent: string;
    click(): void;
  }
  const { document, requestAnimationFrame } = globalThis as unknown as {
    readonly document: { querySelector(selector: string): Element | null };
    requestAnimationFrame(then: () => void): void;
  };
  let isAsked = false;
  const look = (): void => {
    const page = document.querySelector('html');
    if (page && isAsked && document.querySelector('#verdict')?.textContent) {
      page.dataset['answered'] = String(performance.now());
      return;
    }
    const example = isAsked ? null : document.querySelector('#samples button');
    example?.click();
    isAsked ||= example !== null;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}
