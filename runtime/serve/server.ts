import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import { reasonOf, UserError } from '../../schemas/errors.ts';
import { checkOptions } from '../../schemas/layer.ts';
import type { LoadOptions } from '../index.ts';
import { appOf, inferenceAddresses, type Served, type Serving } from './app.ts';
import { Batcher } from './batcher.ts';
import { answerInference } from './infer.ts';
import { ServerMetrics } from './metrics.ts';
import { openNearest } from './nearest.ts';
import { type ServeOptions, serveOptionsSchema, type Settings } from './options.ts';

/** A network to serve. */
export interface ModelToServe {
  /** What it is called in addresses. */
  readonly name: string;
  /** Path of its .onnx. */
  readonly file: string;
  readonly device?: LoadOptions['device'];
  readonly threads?: number;
}

/** A server that listens. */
export interface RunningServer {
  /** Such as `http://127.0.0.1:8000`. */
  readonly url: string;
  readonly port: number;
  /** Takes no more connections, finishes what has come, and lets go of the networks. */
  close(): Promise<void>;
}

/**
 * Serves networks over HTTP, by the Open Inference Protocol, version 2: docs/serving.md tells its addresses.
 *
 * @throws UserError when a file is no model, a device is not there, or the address is taken
 */
export async function serve(
  models: readonly ModelToServe[],
  options: ServeOptions = {},
): Promise<RunningServer> {
  const settings = checkOptions(serveOptionsSchema, options, 'serve');
  checkNames(models);
  const served = new Map<string, Served>();
  let isStopping = false;
  const metrics = new ServerMetrics(() =>
    [...served.values()].map(({ name, device, network, batcher }) => ({
      name,
      device,
      queueLength: batcher.length,
      isReady: !network.failure,
    })),
  );
  const closeNetworks = async (): Promise<void> => {
    await Promise.all([...served.values()].map(({ network }) => network.close()));
  };
  try {
    for (const { name, file, device = 'cpu', threads } of models) {
      const load = { device, ...(threads !== undefined && { threads }) };
      const network = await openNearest(file, load, settings.inlineLimit);
      const batcher = new Batcher(network, settings, metrics.observerOf(name));
      served.set(name, { name, device, network, batcher, answered: metrics.answersOf(name) });
    }
    const serving = { models: served, settings, metrics, isStopping: () => isStopping };
    const server = await listen(listenerOf(serving), settings);
    const { port } = server.address() as AddressInfo;
    return {
      url: `http://${settings.host.includes(':') ? `[${settings.host}]` : settings.host}:${port}`,
      port,
      async close() {
        isStopping = true;
        await drain(server, settings.grace);
        await closeNetworks();
      },
    };
  } catch (error) {
    await closeNetworks();
    throw error;
  }
}

function checkNames(models: readonly ModelToServe[]): void {
  if (models.length === 0) throw new UserError('serve: there is no model to serve; give at least one');
  const names = models.map(({ name }) => name);
  const odd = names.find((name) => !/^[\w.-]{1,128}$/.test(name));
  if (odd !== undefined) {
    throw new UserError(
      `serve: ${JSON.stringify(odd)} cannot be the name of a model; expected letters, digits, '_', '-' and '.'`,
    );
  }
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new UserError(`serve: two models are called '${twice}'; rename one of the files`);
  }
}

/** What answers: inference requests go straight to their network, and all others by the routes. */
function listenerOf(serving: Serving): RequestListener {
  const addresses = inferenceAddresses(serving.models.values());
  const others = getRequestListener(appOf(serving).fetch, { overrideGlobalObjects: false });
  return (request, response) => {
    const served = request.method === 'POST' ? addresses.get(request.url ?? '') : undefined;
    void (served ? answerInference(request, response, served, serving) : others(request, response));
  };
}

async function listen(listener: RequestListener, settings: Settings): Promise<Server> {
  const [headersTimeout, requestTimeout] = [settings.headersTimeout * 1000, settings.requestTimeout * 1000];
  const server = createServer(
    {
      headersTimeout: Math.min(headersTimeout, requestTimeout),
      requestTimeout,
      // Node looks for late ones only so often.
      connectionsCheckingInterval: Math.min(1000, headersTimeout / 2, requestTimeout / 2),
      keepAliveTimeout: 65_000,
    },
    listener,
  );
  server.maxConnections = settings.connections;
  // Who does not read its answer, or says nothing at all, does not keep the connection.
  server.setTimeout(requestTimeout + settings.timeout * 1000 + 65_000);
  server.on('clientError', refuseBytes);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const { host, port } = settings;
      const problem = cause.code === 'EADDRINUSE' ? 'something listens there already' : reasonOf(cause);
      reject(new UserError(`serve: cannot listen on ${host}, port ${port}: ${problem}`, { cause }));
    });
    server.listen(settings.port, settings.host, resolve);
  });
  return server;
}

/** Answers what is not HTTP, or comes too slowly, and ends the connection. */
function refuseBytes(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, reason] =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? ['408 Request Timeout', 'the request did not come in time']
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? ['431 Request Header Fields Too Large', 'the headers are too large']
        : ['400 Bad Request', 'this is not HTTP'];
  const body = JSON.stringify({ error: reason });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  );
}

/** Stops taking connections and waits for those that are in use, but no longer than `grace` seconds. */
async function drain(server: Server, grace: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const late = setTimeout(() => server.closeAllConnections(), grace * 1000);
  const finished = new AbortController();
  const watch = (async () => {
    // A connection is idle once its answer is sent; kept alive, it would stay until it times out.
    while (!finished.signal.aborted) {
      server.closeIdleConnections();
      await delay(20);
    }
  })();
  await closed;
  clearTimeout(late);
  finished.abort();
  await watch;
}
