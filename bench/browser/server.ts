import { createServer, type Server } from 'node:http';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
  '.onnx': 'application/octet-stream',
};

export interface ServerOptions {
  /** Sends what a page needs for memory shared between threads. */
  readonly isolated?: boolean;
  readonly csp?: string;
  /** Lets pages of other origins use the files, as a content delivery network does. */
  readonly open?: boolean;
}

export interface StaticServer {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  close(): Promise<void>;
}

/**
 * Serves files: each of `places` is an address' beginning and the folder that it stands for, or a text or bytes that
 * are the whole file.
 */
export async function serve(
  places: Readonly<Record<string, string | Uint8Array | { readonly folder: string }>>,
  { isolated = false, csp, open = false }: ServerOptions = {},
): Promise<StaticServer> {
  const find = (path: string): Promise<Uint8Array | string> => {
    const exact = places[path];
    if (typeof exact === 'string' || exact instanceof Uint8Array) return Promise.resolve(exact);
    const found = Object.entries(places).find(
      ([start, place]) =>
        path.startsWith(start) && typeof place === 'object' && !(place instanceof Uint8Array),
    );
    if (!found) return Promise.reject(new Error('not there'));
    const [start, place] = found as [string, { readonly folder: string }];
    return readFile(join(place.folder, normalize(path.slice(start.length))));
  };
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
    if (isolated) {
      response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
      response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
    }
    if (csp !== undefined) response.setHeader('Content-Security-Policy', csp);
    if (open) {
      response.setHeader('Access-Control-Allow-Origin', '*');
      response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
    }
    find(path).then(
      (body) => {
        response.setHeader('Content-Type', types[extname(path)] ?? types['.html'] ?? '');
        response.end(body);
      },
      () => {
        response.statusCode = 404;
        response.end();
      },
    );
  });
  await listening(server);
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const listening = (server: Server): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
