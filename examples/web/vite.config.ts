/** Builds the page into `dist/web`, as files that any server can serve: `npm run demo:web`. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Writes the service worker: what it keeps is all that the page loads by itself, and not the engines to choose. */
const offline = (): Plugin => ({
  name: 'offline',
  writeBundle({ dir: output = '' }) {
    const files = readdirSync(output, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) =>
        join(parentPath, name)
          .slice(output.length + 1)
          .replaceAll('\\', '/'),
      )
      .filter((file) => !/(^|\/)ort[.-]/.test(file) && file !== 'service-worker.js')
      .sort();
    const hash = createHash('sha256');
    for (const file of files) hash.update(file).update(readFileSync(join(output, file)));
    const worker = readFileSync(at('service-worker.js'), 'utf8')
      .replace("['FILES']", JSON.stringify(['./', ...files.filter((file) => file !== 'index.html')]))
      .replace('VERSION', hash.digest('hex').slice(0, 16));
    writeFileSync(join(output, 'service-worker.js'), worker);
  },
});

/** Fetches the engine that the page begins with while its program is still being read. */
const engineAhead = (): Plugin => ({
  name: 'engine-ahead',
  transformIndexHtml: {
    order: 'post',
    handler: (_html, { bundle = {} }) =>
      Object.values(bundle)
        .filter((file) => file.type === 'chunk' && file.facadeModuleId?.endsWith('/runtime/devices/bits.ts'))
        .map(({ fileName }) => ({
          tag: 'link',
          attrs: { rel: 'modulepreload', crossorigin: true, href: `./${fileName}` },
          injectTo: 'head' as const,
        })),
  },
});

const headers = {
  'Content-Security-Policy': "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'",
  // With these two, WebAssembly may have threads.
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export default defineConfig({
  root: at('.'),
  base: './',
  // An installed package needs none of this: here the page is built from the sources beside it.
  resolve: {
    alias: [
      { find: /^bitspike$/, replacement: at('../../schemas/index.ts') },
      { find: /^bitspike\/runtime$/, replacement: at('../../runtime/browser.ts') },
    ],
  },
  build: {
    outDir: at('../../dist/web'),
    emptyOutDir: true,
    target: 'es2022',
    // The content security policy takes no data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1000,
  },
  preview: { headers },
  plugins: [engineAhead(), offline()],
});
