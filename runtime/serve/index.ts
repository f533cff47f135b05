/** Networks over HTTP: `import { serve } from 'bitspike/serve'`. */
export { type ServeOptions, serveOptionsSchema } from './options.ts';
export { type ModelToServe, type RunningServer, serve } from './server.ts';
