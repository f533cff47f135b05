/** What `npm publish` would send, seen by those who install it: Node, the compiler, a bundler. */
import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { build, createLogger, createServer } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toOnnx } from '../export/index.ts';
import { startChromium } from './support/chromium.ts';
import { denseModel, randomNetwork } from './support/networks.ts';
import { type Packed, packPackage } from './support/package.ts';

const root = dirname(import.meta.dirname);
const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
  readonly exports: Readonly<Record<string, unknown>>;
  readonly version: string;
};
const entries = Object.keys(manifest.exports).filter((entry) => entry !== './package.json');
const nameOf = (entry: string): string => `bitspike${entry.slice(1)}`;

let packed: Packed;

beforeAll(async () => {
  packed = await packPackage();
  await writeFile(join(packed.consumer, 'package.json'), '{ "type": "module" }\n');
}, 300_000);

afterAll(() => rm(packed.consumer, { recursive: true, force: true }));

describe('the package', () => {
  it('holds what its users need and nothing else', () => {
    const { files } = packed;
    expect(files).toContain('dist/browser/bitspike-runtime.js');
    expect(files).toContain('dist/schemas/onnx/generated/onnx.js');
    expect(
      files.filter((file) => !/^dist\/|^(package\.json|README\.md|CHANGELOG\.md|LICENSE)$/.test(file)),
    ).toEqual([]);
    expect(files.filter((file) => /^dist\/(bench|examples|test)\//.test(file))).toEqual([]);
  });

  it('has sound entries', async () => {
    const pkgDir = join(packed.consumer, 'node_modules', 'bitspike');
    const { messages, pkg } = await publint({ pkgDir, pack: false, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
  });

  it('has types that resolve as its code does', async () => {
    const { problems, entrypoints } = (await checkPackage(
      createPackageFromTarballData(packed.tarball),
    )) as Exclude<Awaited<ReturnType<typeof checkPackage>>, { types: false }>;
    expect(Object.keys(entrypoints).sort()).toEqual([...entries, './package.json'].sort());
    // The package is ECMAScript modules alone: require() of them, and resolvers that know no exports, are not for it.
    const foreign = new Set(['node10', 'node16-cjs']);
    const relevant = problems.filter(
      (problem) => !('resolutionKind' in problem && foreign.has(problem.resolutionKind)),
    );
    expect(relevant).toEqual([]);
  });
});

describe('who installs it', () => {
  it('imports every entry in Node', async () => {
    const script = join(packed.consumer, 'import.js');
    const lines = entries.map(
      (entry) => `console.log(Object.keys(await import('${nameOf(entry)}')).length > 0);`,
    );
    await writeFile(script, lines.join('\n'));
    const { stdout } = await promisify(execFile)(process.execPath, [script], { cwd: packed.consumer });
    expect(stdout).toBe('true\n'.repeat(entries.length));
  });

  it.each(['nodenext', 'bundler'])('compiles against its types, resolved as %s does', async (resolution) => {
    const folder = join(packed.consumer, resolution);
    await mkdir(folder);
    await writeFile(
      join(folder, 'use.ts'),
      `import { defineModel, dense, readout } from 'bitspike';
import { toOnnx } from 'bitspike/export';
import { type Classification, load, type StreamSession } from 'bitspike/runtime';
defineModel({ input: [4], layers: [dense({ units: 2 }), readout()] });
export const write: (network: Parameters<typeof toOnnx>[0]) => Uint8Array = (network) => toOnnx(network);
export const answers: Promise<Classification[]> = load('net.onnx', { device: 'wasm', threads: 2 }).then((net) => net.classify(new Uint8Array(4)));
export const stream = async (): Promise<StreamSession> => (await load(new URL('file:///net.onnx'))).stream({ batch: 2 });
// @ts-expect-error there is no such device
void load('net.onnx', { device: 'abacus' });
`,
    );
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          target: 'es2023',
          lib: ['es2023', 'dom', 'esnext.disposable'],
          types: [],
          module: resolution === 'bundler' ? 'esnext' : 'nodenext',
          moduleResolution: resolution,
          strict: true,
          noEmit: true,
        },
        include: ['use.ts'],
      }),
    );
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    const compiled = promisify(execFile)(process.execPath, [compiler, '-p', folder]);
    await expect(
      compiled.catch(({ stdout }) => Promise.reject(new Error(String(stdout)))),
    ).resolves.toMatchObject({
      stdout: '',
    });
  });

  it('works in the development server of Vite', async ({ skip }) => {
    const started = await startChromium();
    if ('missing' in started) return skip(started.missing);
    const folder = join(packed.consumer, 'developing');
    await cp(join(root, 'examples/browser-vite'), folder, { recursive: true });
    const model = denseModel({ type: 'uint8', shape: [784], scale: 1 / 255 }, [8, 10]);
    await mkdir(join(folder, 'public'));
    await writeFile(join(folder, 'public', 'digits.onnx'), toOnnx(randomNetwork(model, 1)));
    // Above the consumer lies what the package stands on.
    const server = await createServer({
      root: folder,
      logLevel: 'silent',
      server: { port: 0, fs: { allow: [root] } },
    });
    try {
      await server.listen();
      const page = await started.browser.newPage();
      const lines: string[] = [];
      page.on('pageerror', (error) => lines.push(String(error)));
      page.on('console', (message) => lines.push(message.text()));
      const { port } = server.httpServer!.address() as AddressInfo;
      await page.goto(`http://localhost:${port}/`);
      await page
        .locator('#answer')
        .filter({ hasText: /^it is a \d \(/ })
        .waitFor({ timeout: 100_000 });
      expect(await page.evaluate(() => Reflect.get(globalThis, 'crossOriginIsolated'))).toBe(true);
      expect(lines.filter((line) => !line.startsWith('[vite]'))).toEqual([]);
    } finally {
      await server.close();
      await started.browser.close();
    }
  });

  it('finds nothing of Node in what a bundler for browsers takes', async () => {
    const folder = join(packed.consumer, 'page');
    await mkdir(folder);
    await writeFile(join(folder, 'page.js'), "export { load } from 'bitspike/runtime';\n");
    const outDir = join(folder, 'built');
    const warnings: string[] = [];
    await build({
      root: folder,
      configFile: false,
      customLogger: { ...createLogger('silent'), warn: (line) => warnings.push(line) },
      build: {
        outDir,
        lib: { entry: join(folder, 'page.js'), formats: ['es'] },
        rolldownOptions: { external: /^onnxruntime-/ },
      },
    });
    expect(warnings.filter((line) => !line.includes('PLUGIN_TIMINGS'))).toEqual([]);
    const scripts = (await readdir(outDir)).filter((file) => file.endsWith('.js'));
    const texts = await Promise.all(scripts.map((file) => readFile(join(outDir, file), 'utf8')));
    expect(scripts.length).toBeGreaterThan(1);
    for (const text of texts)
      expect(text).not.toMatch(/onnxruntime-node['"`]|from ?["']node:|import\(["']node:/);
  });
});
