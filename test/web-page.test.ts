import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { drawnDigit } from '../examples/web/drawings/digits.ts';
import {
  drawnDigits,
  drawnScribbles,
  entropyThatKeeps,
  judge,
  noises,
  pairs,
  taughtKinds,
  unseenKinds,
} from '../examples/web/drawings/judging.ts';
import { bytesOf } from '../examples/web/drawings/pixels.ts';
import { drawnScribble, unseenScribbles } from '../examples/web/drawings/scribbles.ts';
import { inkOfStrokes, type Stroke } from '../examples/web/drawings/strokes.ts';
import { imageAt } from '../examples/web/drawings/teaching.ts';
import { digitOf, inkOf } from '../examples/web/src/image.ts';
import { devices, load, type LoadedNetwork } from '../runtime/index.ts';
import { Random } from '../schemas/index.ts';
import { startChromium } from './support/chromium.ts';

const at = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

const started = await startChromium();

let folder = '';
let server: Server;
let address = '';
let context: BrowserContext | undefined;

/** A server of plain files, which is all that the page needs. */
function serveFiles(): Server {
  return createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://page');
    const file = join(folder, pathname === '/' ? 'index.html' : pathname);
    try {
      const bytes = readFileSync(file);
      response
        .writeHead(200, { 'Content-Type': types[extname(file)] ?? 'application/octet-stream' })
        .end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bitspike-page-'));
  await build({
    configFile: at('examples/web/vite.config.ts'),
    logLevel: 'silent',
    build: { outDir: folder, emptyOutDir: true },
  });
  server = serveFiles().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});

afterEach(async () => {
  await context?.close();
  context = undefined;
});

afterAll(async () => {
  if (!('missing' in started)) await started.browser.close();
  server?.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Opened {
  readonly page: Page;
  /** Addresses that were asked for. */
  readonly requests: string[];
  /** What the browser found wrong. */
  readonly problems: string[];
}

async function open(options: BrowserContextOptions = {}): Promise<Opened> {
  if ('missing' in started) throw new Error(started.missing);
  context = await started.browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const requests: string[] = [];
  const problems: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  await page.goto(address);
  await page.waitForSelector('html[data-ready]');
  return { page, requests, problems };
}

const seven: Stroke = [
  [0.3, 0.25],
  [0.7, 0.25],
  [0.6, 0.45],
  [0.5, 0.6],
  [0.45, 0.85],
];

/** Draws by pointer, in parts of the pad. */
async function draw(page: Page, ...strokes: readonly Stroke[]): Promise<void> {
  const { x, y, width, height } = (await page.locator('#pad').boundingBox())!;
  for (const [first, ...rest] of strokes) {
    await page.mouse.move(x + width * first![0], y + height * first![1]);
    await page.mouse.down();
    for (const [right, down] of rest)
      await page.mouse.move(x + width * right, y + height * down, { steps: 5 });
    await page.mouse.up();
  }
}

const verdict = async (page: Page): Promise<string> => (await page.locator('#verdict').textContent()) ?? '';
const says = (page: Page, answer: string) =>
  expect.poll(() => verdict(page), { timeout: 20_000 }).toBe(answer);

/** What is answered to a drawing, once the spiking network looks at it too: the drawing is finished then. */
const nextVerdict = async (page: Page): Promise<string> => {
  await page.locator('#traces').waitFor();
  return verdict(page);
};

/** What a device took for a digit, once it is there. */
const timeOn = (page: Page, device: string) =>
  expect
    .poll(() => page.locator(`label:has(input[value=${device}]) small`).textContent(), { timeout: 60_000 })
    .toMatch(/^[\d.]+ (µs|ms)$/);

describe.skipIf('missing' in started)(`the page${'missing' in started ? `: ${started.missing}` : ''}`, () => {
  it('reads a digit that is drawn, shows it in spikes, and asks nobody else', async () => {
    const { page, requests, problems } = await open();
    expect(await page.locator('#sentence').textContent()).toBe('Waiting for a digit.');
    expect(await page.locator('#traces').isVisible()).toBe(false);
    await draw(page, seven);
    await says(page, '7');
    const rows = await page.locator('#classes tbody tr').allTextContents();
    expect(rows).toHaveLength(10);
    const percents = rows.map((row) => Number.parseFloat(row.slice(1)));
    expect(percents.indexOf(Math.max(...percents))).toBe(7);
    // One mark for each of the six networks.
    expect(await page.locator('.likeliest .member').count()).toBe(6);

    await expect
      .poll(() => page.locator('#belief-text').textContent(), { timeout: 30_000 })
      .toMatch(/^After 96 steps .* says 7, /);
    const inked = (id: string) =>
      page.evaluate<number>(`(() => {
        const canvas = document.querySelector('${id}');
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return data.filter((value, index) => index % 4 === 3 && value > 0).length;
      })()`);
    for (const id of ['#raster', '#membranes', '#belief', '#eye']) expect(await inked(id)).toBeGreaterThan(5);

    await page.getByRole('button', { name: 'Clear' }).click();
    await says(page, '');
    expect(await page.locator('#traces').isVisible()).toBe(false);
    expect(requests.filter((request) => !request.startsWith(address))).toEqual([]);
    // Engines that were not chosen are not loaded.
    const engines = requests.filter((request) => /\/ort[.-]/.test(request));
    expect(engines.length > 0).toBe(!devices.includes('bits' as never));
    expect(problems).toEqual([]);
  });

  it('knows the examples, and says when it does not know', async () => {
    const { page } = await open();
    const clear = page.getByRole('button', { name: 'Clear' });
    const answers: string[] = [];
    for (let digit = 0; digit < 10; digit++) {
      await page.getByRole('button', { name: `Try a ${digit}` }).click();
      answers.push(await nextVerdict(page));
      await clear.click();
      await says(page, '');
    }
    expect(answers.filter((answer, digit) => answer === String(digit)).length).toBeGreaterThanOrEqual(9);

    const asterisk: Stroke[] = [
      [
        [0.15, 0.15],
        [0.85, 0.85],
      ],
      [
        [0.85, 0.15],
        [0.15, 0.85],
      ],
      [
        [0.5, 0.1],
        [0.5, 0.9],
      ],
      [
        [0.1, 0.5],
        [0.9, 0.5],
      ],
    ];
    await draw(page, ...asterisk);
    await says(page, '?');
    expect(await page.locator('#sentence').textContent()).toBe('I don’t know.');

    const random = Random.fromSeed(1, 'scribbles of a test');
    const { spiral, star, grid, house, otherLetter } = unseenScribbles;
    const doubts: string[] = [];
    for (const kind of [spiral, star, grid, house, otherLetter, otherLetter]) {
      await clear.click();
      await says(page, '');
      await draw(page, ...drawnScribble(kind, random));
      doubts.push(await nextVerdict(page));
    }
    expect(doubts.filter((answer) => answer === '?').length).toBeGreaterThanOrEqual(5);
  });

  it('puts ink where a pen was, as drawings by code do', async () => {
    const { page } = await open();
    const strokes = drawnDigit(5, Random.fromSeed(1, 'five'));
    await draw(page, ...strokes);
    const alpha = await page.evaluate<number[]>(`(() => {
      const { width, height } = document.querySelector('#pad');
      const { data } = document.querySelector('#pad').getContext('2d').getImageData(0, 0, width, height);
      return [...data].filter((_, index) => index % 4 === 3);
    })()`);
    const { data } = inkOfStrokes(strokes);
    const difference = alpha.reduce((sum, value, at) => sum + Math.abs(value / 255 - data[at]!), 0);
    expect(data.reduce((sum, ink) => sum + ink, 0)).toBeGreaterThan(2000);
    // Their edges are smoothed otherwise.
    expect(difference / data.reduce((sum, ink) => sum + ink, 0)).toBeLessThan(0.05);
  });

  it('reads a picture that is dropped on it', async () => {
    const { page } = await open();
    const transfer = await page.evaluateHandle(`(async () => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 300, height: 200 });
      const drawing = canvas.getContext('2d');
      drawing.fillStyle = '#203060';
      drawing.fillRect(0, 0, 300, 200);
      drawing.strokeStyle = '#f0e8c0';
      drawing.lineWidth = 16;
      drawing.strokeRect(120, 50, 50, 90);
      const blob = await new Promise((resolve) => canvas.toBlob(resolve));
      const found = new DataTransfer();
      found.items.add(new File([blob], 'zero.png', { type: 'image/png' }));
      return found;
    })()`);
    await page.dispatchEvent('#pad', 'drop', { dataTransfer: transfer });
    await says(page, '0');
    const odd = await page.evaluateHandle(`(() => {
      const found = new DataTransfer();
      found.items.add(new File(['no picture'], 'odd.png', { type: 'image/png' }));
      return found;
    })()`);
    await page.dispatchEvent('#pad', 'drop', { dataTransfer: odd });
    await expect.poll(() => page.locator('#device-note').textContent()).toContain('“odd.png” is no picture');
    expect(await verdict(page)).toBe('0');
  });

  it('computes on every device, with the same answer', async () => {
    const { page, problems } = await open();
    await draw(page, seven);
    const known = await page.evaluate<string[]>(
      "[...document.querySelectorAll('#devices input')].map(({ value }) => value)",
    );
    expect(known).toEqual(expect.arrayContaining(['wasm', 'webgpu']));
    for (const device of known) {
      await page.locator(`label:has(input[value=${device}])`).click();
      await timeOn(page, device);
      await says(page, '7');
    }
    expect(problems).toEqual([]);
  });

  it('works on without a network, also when it is loaded again', async () => {
    const { page } = await open();
    await expect
      .poll(() => page.locator('#network-state').textContent(), { timeout: 20_000 })
      .toContain('works without a network');
    await context!.setOffline(true);
    await expect.poll(() => page.locator('#network-state').textContent()).toContain('You are offline');
    await page.getByRole('button', { name: 'Try a 4' }).click();
    await says(page, '4');
    await page.reload();
    await page.waitForSelector('html[data-ready]');
    await page.getByRole('button', { name: 'Try a 2' }).click();
    await says(page, '2');
  });

  it('can be used with the keyboard alone', async () => {
    const { page } = await open();
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.id')).toBe('pad');
    await page.keyboard.press('Space');
    for (let step = 0; step < 15; step++) await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Space');
    await says(page, '1');
    await page.keyboard.press('Delete');
    await says(page, '');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.id')).toBe('clear');
    await page.getByRole('button', { name: 'Try a 5' }).focus();
    await page.keyboard.press('Enter');
    await says(page, '5');
  });

  it('is drawn on with a finger, on a phone, and nothing sticks out', async () => {
    const { page } = await open({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    const { x, y, width, height } = (await page.locator('#pad').boundingBox())!;
    const session = await context!.newCDPSession(page);
    const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', points: Stroke) =>
      session.send('Input.dispatchTouchEvent', {
        type,
        touchPoints: points.map(([right, down]) => ({ x: x + width * right, y: y + height * down })),
      });
    await touch('touchStart', [seven[0]!]);
    for (const [index, [right, down]] of seven.slice(1).entries()) {
      const [fromRight, fromDown] = seven[index]!;
      for (let part = 0.25; part <= 1; part += 0.25)
        await touch('touchMove', [
          [fromRight + part * (right - fromRight), fromDown + part * (down - fromDown)],
        ]);
    }
    await touch('touchEnd', []);
    await says(page, '7');
    await page.locator('#traces').waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
  });

  it.each(['light', 'dark'] as const)('has nothing that axe finds, in %s', async (colorScheme) => {
    const { page } = await open({ colorScheme });
    const axe = readFileSync(at('node_modules/axe-core/axe.min.js'), 'utf8');
    const violations = async () => {
      // Not as a script of the page, which its policy would forbid.
      return page.evaluate<string[]>(`(async () => {
        if (!window.axe) { ${axe} }
        const { violations } = await window.axe.run();
        return violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' '));
      })()`);
    };
    expect(await violations()).toEqual([]);
    await draw(page, seven);
    await says(page, '7');
    await page.locator('#traces').waitFor();
    expect(await violations()).toEqual([]);
  });

  it('is small: its own models, and no more than 1.5 MB before an engine is chosen', () => {
    expect(statSync(at('examples/web/public/models/digits.onnx')).size).toBeLessThan(300_000);
    expect(statSync(at('examples/web/public/models/spiking.onnx')).size).toBeLessThan(60_000);
    const kept = /const files = (\[.*\]);/.exec(readFileSync(join(folder, 'service-worker.js'), 'utf8'))!;
    const files = (JSON.parse(kept[1]!) as string[]).map((file) => (file === './' ? 'index.html' : file));
    expect(files).toContain('models/digits.onnx');
    expect(files.some((file) => /\/ort[.-]/.test(file))).toBe(false);
    expect(files.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0)).toBeLessThan(1_500_000);
  });
});

describe('the networks of the page', async () => {
  const network = await load(at('examples/web/public/models/digits.onnx'));
  afterAll(() => network.close());
  const facts = JSON.parse(readFileSync(at('examples/web/public/models/facts.json'), 'utf8')) as {
    doubt: number;
    answered: number;
    accuracyOfAnswered: number;
  };
  const answered = async (images: Uint8Array) => (await judge(network, facts.doubt, images)).answered;

  it('answer to digits, in any style, thick and thin, turned and anywhere, and are right', async () => {
    const { images, labels } = drawnDigits(400, 11);
    const judged = await judge(network, facts.doubt, images, labels);
    expect(judged.answered).toBeGreaterThan(0.93);
    expect(judged.accuracyOfAnswered).toBeGreaterThan(0.95);
    for (let digit = 0; digit < 10; digit++) {
      const own = [...labels.keys()].filter((index) => labels[index] === digit);
      const some = Buffer.concat(own.map((index) => imageAt(images, index)));
      const { answered, accuracyOfAnswered } = await judge(
        network,
        facts.doubt,
        some,
        own.map(() => digit),
      );
      expect(answered, String(digit)).toBeGreaterThan(0.75);
      expect(accuracyOfAnswered, String(digit)).toBeGreaterThan(0.8);
    }
  });

  it.each(taughtKinds)('doubt: %s', async (kind) => {
    expect(await answered(drawnScribbles(kind, 100, 11))).toBeLessThan(kind === 'sign' ? 0.25 : 0.15);
  });

  it.each(unseenKinds)('doubt what they were never taught to: %s', async (kind) => {
    expect(await answered(drawnScribbles(kind, 100, 11))).toBeLessThan(kind === 'otherLetter' ? 0.4 : 0.25);
  });

  it('doubt noise, a dot, and two digits beside each other', async () => {
    expect(await answered(noises(100, 11))).toBeLessThan(0.1);
    expect(await answered(pairs(drawnDigits(100, 12).images, 100, 11))).toBeLessThan(0.2);
    expect(await answered(bytesOf(inkOfStrokes([[[0.5, 0.5]]])))).toBe(0);
  });

  it('come with what they can do on digits that they never saw', () => {
    expect(facts.answered).toBeGreaterThan(0.93);
    expect(facts.accuracyOfAnswered).toBeGreaterThan(0.98);
  });

  it('are judged by what is above the doubt and what is not', async () => {
    const entropies = [0.1, 0.5, 0.9, 0.3, 0.7];
    const classify = async () => entropies.map((entropy, label) => ({ entropy, label }));
    const fake = { classify } as unknown as LoadedNetwork;
    const none = new Uint8Array(0);
    expect(await judge(fake, 0.5, none, [0, 9, 2, 3, 9])).toEqual({
      answered: 0.6,
      accuracy: 0.6,
      accuracyOfAnswered: 2 / 3,
    });
    expect(await entropyThatKeeps(fake, none, 0.6)).toBe(0.5);
    expect(await entropyThatKeeps(fake, none, 1)).toBe(0.9);
  });
});

const inked = (width: number, height: number, isInk: (x: number, y: number) => boolean) => ({
  width,
  height,
  data: Float32Array.from({ length: width * height }, (_, index) =>
    isInk(index % width, Math.floor(index / width)) ? 1 : 0,
  ),
});

describe('a drawing', () => {
  it('becomes 20 pixels high with its centre of mass in the middle, wherever it was', () => {
    for (const [left, top] of [
      [10, 5],
      [120, 90],
    ] as const) {
      const digit = digitOf(
        inked(280, 200, (x, y) => x >= left && x < left + 40 && y >= top && y < top + 100),
      )!;
      const rows = Array.from({ length: 28 }, (_, row) =>
        digit.subarray(row * 28, row * 28 + 28).some((byte) => byte > 0),
      );
      expect(rows.indexOf(true)).toBe(4);
      expect(rows.lastIndexOf(true)).toBe(23);
      // 8 × 20 pixels of full ink.
      expect([...digit].reduce((sum, byte) => sum + byte, 0) / 255).toBeCloseTo(160, 0);
      expect(digit[14 * 28 + 10]).toBe(255);
      expect(digit[14 * 28 + 9]).toBe(0);
    }
  });

  it('of nothing is nothing, and a speck stays one', () => {
    expect(digitOf(inked(280, 280, () => false))).toBeUndefined();
    const speck = digitOf(inked(280, 280, (x, y) => x < 7 && y < 7))!;
    expect(speck.filter((byte) => byte > 0).length).toBeLessThanOrEqual(9);
  });

  it('is found in a picture, dark on light or light on dark', () => {
    for (const [paper, ink] of [
      [230, 20],
      [15, 240],
    ] as const) {
      const pixels = Uint8ClampedArray.from({ length: 4 * 100 }, (_, index) => {
        const [x, y] = [Math.floor(index / 4) % 10, Math.floor(index / 40)];
        if (index % 4 === 3) return 255;
        return x > 3 && x < 6 && y > 2 && y < 8 ? ink : paper;
      });
      const { data } = inkOf(pixels, 10, 10);
      expect(data[5 * 10 + 4]).toBe(1);
      expect(data.reduce((sum, value) => sum + value, 0)).toBe(10);
    }
    expect(inkOf(new Uint8ClampedArray(400).fill(200), 10, 10).data.some((value) => value > 0)).toBe(false);
  });
});
