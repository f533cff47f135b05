import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['default', './test/support/plain-reporter.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Every core: the default leaves one idle.
    maxWorkers: '100%',
    // Workers that the sources start run the sources too, also where Node knows no TypeScript.
    execArgv: ['--import', source('./test/support/typescript-worker.mjs')],
    // The examples and documents import the package by its name; tests run them on the sources.
    alias: [
      { find: /^bitspike$/, replacement: source('./schemas/index.ts') },
      { find: /^bitspike\/checkpoint$/, replacement: source('./schemas/checkpoint/index.ts') },
      { find: /^bitspike\/serve$/, replacement: source('./runtime/serve/index.ts') },
      { find: /^bitspike\/(train|export|runtime)$/, replacement: `${source('.')}/$1/index.ts` },
    ],
  },
});
