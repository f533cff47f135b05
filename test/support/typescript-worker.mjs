// Lets worker threads that tests start run TypeScript sources, as Node 22.18 and newer do by themselves.
import { register } from 'node:module';
import { isMainThread } from 'node:worker_threads';

if (!isMainThread && !process.features.typescript) register('./typescript-hooks.mjs', import.meta.url);
