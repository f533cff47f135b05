/** `browser.ts` for pages without a bundler: build/bundle-browser.mjs makes one file of it. */
import './page-zod.ts';

export * from './browser.ts';
