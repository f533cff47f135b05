// The runtime for pages without a bundler, as one file: dist/browser/bitspike-runtime.js, or in the folder given. Beside
// it bitspike-worker.js, which is for the threads of the 1-bit engine and is loaded only where some are asked for.
import { dirname, join, resolve } from 'node:path';
import { build } from 'vite';

const root = dirname(import.meta.dirname);

await build({
  configFile: false,
  root,
  // The worker is looked for beside the file.
  base: './',
  publicDir: false,
  logLevel: 'error',
  worker: {
    format: 'es',
    rolldownOptions: { output: { entryFileNames: 'bitspike-worker.js' } },
  },
  build: {
    target: 'es2023',
    outDir: resolve(process.argv[2] ?? join(root, 'dist', 'browser')),
    emptyOutDir: true,
    lib: {
      entry: join(root, 'runtime', 'page.ts'),
      formats: ['es'],
      fileName: () => 'bitspike-runtime.js',
    },
    rolldownOptions: {
      // A page names it in an import map, or by the option `onnxruntime` of `load`.
      external: /^onnxruntime-web\//,
      output: { codeSplitting: false },
    },
  },
});
