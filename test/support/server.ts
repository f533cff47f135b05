export { serve, type ServerOptions, type StaticServer } from '../../bench/browser/server.ts';
