/** The runtime in pages: built by Vite, without a bundler, in a worker, isolated and not, under a strict policy. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Lab, openLab, runInPage } from '../bench/browser/lab.ts';
import { toOnnx } from '../export/index.ts';
import { compareOutputs, load } from '../runtime/index.ts';
import { defineModel, dense, lif, readout } from '../schemas/index.ts';
import { type Started, startChromium } from './support/chromium.ts';
import { denseModel, randomBytes, randomNetwork } from './support/networks.ts';
import { type ServerOptions, type StaticServer, serve } from './support/server.ts';

const root = dirname(import.meta.dirname);
const path = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url));

const model = denseModel({ type: 'uint8', shape: [784], scale: 1 / 255 }, [64, 10]);
const onnx = toOnnx(randomNetwork(model, 3));

const streaming = toOnnx(
  randomNetwork(
    defineModel({
      input: { type: 'uint8', shape: [6], scale: 1 },
      steps: 20,
      layers: [dense({ units: 8 }), lif(), dense({ units: 3 }), readout()],
    }),
    5,
  ),
  { form: 'stream' },
);

/** The stroke that the examples draw. */
const image = new Uint8Array(784);
for (let row = 6; row < 22; row++) image.fill(255, row * 28 + 13, row * 28 + 16);

const STRICT = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";

let started: Started;
let folder = '';
let said = '';
const servers: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bitspike-browser-'));
  started = await startChromium();
  const network = await load(onnx);
  const [answer] = await network.classify(image);
  said = `it is a ${answer!.label} (${(answer!.probability * 100).toFixed(1)} %)`;
  await network.close();
});

beforeEach(({ skip }) => {
  if ('missing' in started) skip(started.missing);
});

afterAll(async () => {
  for (const server of servers) await server.close();
  if ('browser' in started) await started.browser.close();
  await rm(folder, { recursive: true, force: true });
});

/** A server that the end of the tests closes. */
async function serving(
  places: Parameters<typeof serve>[0],
  options: ServerOptions = {},
): Promise<StaticServer> {
  const server = await serve(places, options);
  servers.push(server);
  return server;
}

/** Opens a page, and keeps what it says on its console and what its policy refuses. */
async function opened(origin: string): Promise<{ page: Page; console: string[] }> {
  if ('missing' in started) throw new Error(started.missing);
  const page = await started.browser.newPage();
  const lines: string[] = [];
  page.on('console', (message) => lines.push(message.text()));
  page.on('pageerror', (error) => lines.push(String(error)));
  await page.goto(origin);
  return { page, console: lines };
}

/** What a page of the examples answers. */
async function answerOf(page: Page): Promise<string> {
  await page.locator('#answer').filter({ hasNotText: '…' }).waitFor({ timeout: 90_000 });
  return (await page.locator('#answer').textContent()) ?? '';
}

describe('a page that Vite builds', () => {
  let built = '';

  beforeAll(async () => {
    built = join(folder, 'vite');
    await build({
      root: path('examples/browser-vite'),
      logLevel: 'error',
      resolve: { alias: { 'bitspike/runtime': path('runtime/browser.ts') } },
      build: { outDir: built, emptyOutDir: true },
    });
  });

  it('answers as Node does, with threads where it is isolated', async () => {
    const server = await serving({ '/digits.onnx': onnx, '/': { folder: built } }, { isolated: true });
    const { page, console } = await opened(`${server.origin}/index.html`);
    expect(await answerOf(page)).toBe(said);
    expect(console).toEqual([]);
    await page.close();
  });

  it('says that it has one thread where it is not isolated, and what to do', async () => {
    const server = await serving({ '/digits.onnx': onnx, '/': { folder: built } });
    const { page, console } = await opened(`${server.origin}/index.html`);
    expect(await answerOf(page)).toBe(said);
    expect(console).toEqual([
      'It computes on one thread, as this page is not cross-origin isolated: serve the page with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp.',
    ]);
    await page.close();
  });
});

describe('pages without a bundler', () => {
  let bundle: Lab;

  beforeAll(async () => {
    if ('missing' in started) return;
    bundle = await openLab(started.browser, root, { '/model.onnx': onnx, '/stream.onnx': streaming });
    servers.push(bundle);
  });

  it('take everything from a content delivery network', async () => {
    const server = await serving({
      '/digits.onnx': onnx,
      '/': { folder: path('examples/browser-script') },
    });
    if ('missing' in started) return;
    const page = await started.browser.newPage();
    const delivered: Readonly<Record<string, string>> = {
      'bitspike@0.1.0/dist/browser/': `${bundle.server.origin}/runtime/`,
      'onnxruntime-web@1.30.0/dist/': `${bundle.server.origin}/onnxruntime/`,
    };
    await page.route('https://cdn.jsdelivr.net/npm/**', async (route) => {
      const asked = route.request().url().replace('https://cdn.jsdelivr.net/npm/', '');
      const [start, place] = Object.entries(delivered).find(([start]) => asked.startsWith(start)) ?? [];
      if (start === undefined) return route.abort();
      const response = await page.request.get(`${place}${asked.slice(start.length)}`);
      return route.fulfill({
        response,
        headers: { ...response.headers(), 'access-control-allow-origin': '*' },
      });
    });
    await page.goto(`${server.origin}/index.html`);
    expect(await answerOf(page)).toBe(said);
    await page.close();
  });

  it('compute in a worker', async () => {
    const vendor = { '/vendor/onnxruntime-web/': { folder: path('node_modules/onnxruntime-web/dist') } };
    const runtime = await (await fetch(`${bundle.server.origin}/runtime/bitspike-runtime.js`)).text();
    const server = await serving(
      {
        '/digits.onnx': onnx,
        '/vendor/bitspike-runtime.js': runtime,
        ...vendor,
        '/': { folder: path('examples/browser-worker') },
      },
      { isolated: true, csp: STRICT },
    );
    const { page, console } = await opened(`${server.origin}/index.html`);
    expect(await answerOf(page)).toBe(said);
    expect(console).toEqual([]);
    await page.close();
  });

  it('say in one line what is wrong', async () => {
    const page = await bundle.open();
    const failure = (source: string, options: object = {}): Promise<string> =>
      page.evaluate(
        ({ source, options }) =>
          (globalThis as unknown as { bitspike: typeof import('../runtime/index.ts') }).bitspike
            .load(source, options)
            .then(
              () => 'it opened',
              (error: Error) => `${error.name}: ${error.message}`,
            ),
        { source, options },
      );
    const given = { onnxruntime: '/onnxruntime/' };
    expect(await failure('/nowhere.onnx')).toBe(
      'UserError: /nowhere.onnx: cannot fetch the model: the server says 404 Not Found',
    );
    expect(await failure('/')).toMatch(
      /^UserError: \/: cannot fetch the model: the server sends a page \(text\/html\)/,
    );
    expect(await failure('/model.onnx', { device: 'cpu' })).toMatch(
      /^UserError: device 'cpu' is not in a browser: it is onnxruntime-node; .*'wasm'/,
    );
    expect(await failure('/model.onnx')).toMatch(
      /^UserError: onnxruntime-web cannot be loaded: npm install onnxruntime-web, or .* \{ onnxruntime: 'https/,
    );
    expect(await failure('/model.onnx', { onnxruntime: '/elsewhere/' })).toMatch(
      /^UserError: onnxruntime: cannot load \/elsewhere\/ort\.wasm\.bundle\.min\.mjs .*; expected the folder of/,
    );
    expect(await failure('/model.onnx', { ...given, threads: 2 })).toBe('it opened');
    await page.evaluate(() =>
      Reflect.deleteProperty(
        Object.getPrototypeOf((globalThis as unknown as { navigator: object }).navigator),
        'gpu',
      ),
    );
    expect(await failure('/model.onnx', { ...given, device: 'webgpu' })).toMatch(
      /^UserError: device 'webgpu': this browser has no WebGPU; take Chrome/,
    );
    await page.close();
  });

  it('go on with a stream that began in Node', async () => {
    const began = (await load(streaming)).stream();
    const steps = randomBytes(20 * 6, 7, 1);
    await began.push(steps.slice(0, 6 * 6));
    const text = Buffer.from(began.snapshot()).toString('base64');
    const { logits } = await began.push(steps.slice(6 * 6));
    const page = await bundle.open();
    const found = await page.evaluate(
      async ({ text, rest }) => {
        const { load } = (globalThis as unknown as { bitspike: typeof import('../runtime/index.ts') })
          .bitspike;
        const stream = (await load('/stream.onnx', { onnxruntime: '/onnxruntime/' })).stream();
        stream.restore(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)));
        return [...(await stream.push(Uint8Array.from(rest))).logits!.data];
      },
      { text, rest: Array.from(steps.subarray(6 * 6)) },
    );
    expect(found).toEqual([...logits!.data]);
    await page.close();
  });

  it('know what they can run on', async () => {
    const page = await bundle.open();
    const { facts, devices } = await page.evaluate(() =>
      (globalThis as unknown as { bitspike: typeof import('../runtime/browser.ts') }).bitspike.probeDevices({
        onnxruntime: '/onnxruntime/',
      }),
    );
    expect(facts).toMatchObject({ secureContext: true, crossOriginIsolated: false });
    expect(devices).toMatchObject([
      { device: 'cpu', available: false, why: 'not in a browser' },
      { device: 'cuda', available: false },
      {
        device: 'wasm',
        available: true,
        detail: expect.stringMatching(/1\.30\.0, one thread; for more serve/),
      },
      { device: 'webgpu', available: true, detail: expect.stringContaining('swiftshader') },
      { device: 'bits', available: true },
    ]);
    await page.close();
  });
});

describe('an isolated page with a strict policy', () => {
  let lab: Lab;

  beforeAll(async () => {
    if ('missing' in started) return;
    lab = await openLab(started.browser, root, { '/model.onnx': onnx }, { isolated: true, csp: STRICT });
    servers.push(lab);
  });

  it.each([1, 2])('runs on %i threads, refused nothing', async (threads) => {
    const page = await lab.open();
    const inputs = randomBytes(784 * 20, threads);
    const { outputs, notes } = await runInPage(page, '/model.onnx', inputs, { threads });
    const network = await load(onnx, { observe: ['1.binary'] });
    const differences = compareOutputs(await network.run(inputs), outputs);
    await network.close();
    expect(differences.filter(({ output }) => output !== 'probabilities')).toEqual([]);
    expect(notes).toEqual([]);
    expect(await page.evaluate(() => (globalThis as unknown as { refused: string[] }).refused)).toEqual([]);
    expect(page.workers().length).toBe(threads - 1);
    await page.close();
  });

  it('says that the number of threads cannot change', async () => {
    const page = await lab.open();
    await runInPage(page, '/model.onnx', image, { threads: 2 });
    await expect(runInPage(page, '/model.onnx', image, { threads: 1 })).rejects.toThrow(
      /threads: onnxruntime-web has had 2 since its first model and cannot change that; give threads: 2 or none/,
    );
    const { notes } = await runInPage(page, '/model.onnx', image, {});
    expect(notes).toEqual([]);
    await page.close();
  });
});
