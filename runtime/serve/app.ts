import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { type Context, Hono } from 'hono';
import { version } from '../../schemas/version.ts';
import type { Batcher } from './batcher.ts';
import { contentType } from './exposition.ts';
import { answerInference, refusalOf } from './infer.ts';
import type { ServerMetrics } from './metrics.ts';
import type { ServedNetwork } from './network.ts';
import type { Settings } from './options.ts';
import { Refusal } from './refusal.ts';

/** A network with its name and the queue before it. */
export interface Served {
  readonly name: string;
  readonly device: string;
  readonly network: ServedNetwork;
  readonly batcher: Batcher;
  /** Is told of every answer: its status, and the seconds that it took. */
  readonly answered: (status: number, seconds: number) => void;
}

/** What the routes need of the server. */
export interface Serving {
  readonly models: ReadonlyMap<string, Served>;
  readonly settings: Settings;
  readonly metrics: ServerMetrics;
  /** Whether the server is about to stop: it finishes what it has, and is not ready for more. */
  readonly isStopping: () => boolean;
}

type Environment = { Bindings: HttpBindings };

/** There is one version of every network. */
const modelVersion = '1';

/**
 * The addresses that inference requests are sent to, written as everyone writes them: what comes there needs no
 * router.
 */
export const inferenceAddresses = (models: Iterable<Served>): Map<string, Served> =>
  new Map(
    [...models].flatMap((served) =>
      ['', `/versions/${modelVersion}`].map((version) => [
        `/v2/models/${served.name}${version}/infer`,
        served,
      ]),
    ),
  );

/** The routes of the Open Inference Protocol, and `/metrics`. */
export function appOf(serving: Serving): Hono<Environment> {
  const { models, metrics, isStopping } = serving;
  const app = new Hono<Environment>();
  const isAlive = (): boolean => [...models.values()].every(({ network }) => !network.failure);
  const modelOf = (context: Context): Served => {
    const { model = '', version: wanted } = context.req.param() as Record<string, string>;
    const served = models.get(model);
    if (!served) throw new Refusal(404, `there is no model ${JSON.stringify(model.slice(0, 80))}`);
    if (wanted !== undefined && wanted !== modelVersion) {
      throw new Refusal(
        404,
        `model ${model} has no version ${JSON.stringify(wanted.slice(0, 20))}, only ${modelVersion}`,
      );
    }
    return served;
  };

  app.use(async (context, next) => {
    await next();
    if (isStopping()) context.header('Connection', 'close');
  });

  const routes: Record<
    string,
    [method: string, handler: (context: Context<Environment>) => Response | Promise<Response>]
  > = {
    '/v2': [
      'GET',
      (context) => context.json({ name: 'bitspike', version, extensions: ['binary_tensor_data'] }),
    ],
    '/v2/health/live': ['GET', (context) => context.json({ live: isAlive() }, isAlive() ? 200 : 400)],
    '/v2/health/ready': [
      'GET',
      (context) => {
        const ready = isAlive() && !isStopping();
        return context.json({ ready }, ready ? 200 : 400);
      },
    ],
    '/metrics': ['GET', (context) => context.body(metrics.text(), 200, { 'Content-Type': contentType })],
  };
  for (const path of ['/v2/models/:model', `/v2/models/:model/versions/:version`]) {
    routes[path] = [
      'GET',
      (context) => {
        const { name, network } = modelOf(context);
        const { input, outputs } = network.signature;
        return context.json({
          name,
          versions: [modelVersion],
          platform: 'bitspike_onnx',
          inputs: [input],
          outputs,
        });
      },
    ];
    routes[`${path}/ready`] = [
      'GET',
      (context) => {
        const { name, network } = modelOf(context);
        const ready = !network.failure && !isStopping();
        return context.json({ name, ready }, ready ? 200 : 400);
      },
    ];
    routes[`${path}/infer`] = [
      'POST',
      async (context) => {
        const { incoming, outgoing } = context.env;
        await answerInference(incoming, outgoing, modelOf(context), serving);
        return RESPONSE_ALREADY_SENT;
      },
    ];
  }

  for (const [path, [method, handler]] of Object.entries(routes)) {
    app.on(method, path, handler);
    app.all(path, () => {
      throw new Refusal(405, `expected ${method}`, { Allow: method === 'GET' ? 'GET, HEAD' : method });
    });
  }
  app.notFound((context) =>
    context.json({ error: `there is nothing at ${context.req.path.slice(0, 200)}` }, 404),
  );
  app.onError((error, context) => refuse(context, error));
  return app;
}

function refuse(context: Context, error: unknown): Response {
  const { status, message, headers } = refusalOf(error);
  return context.json({ error: message }, status, { ...headers });
}
