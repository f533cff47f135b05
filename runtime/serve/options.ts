import { z } from 'zod';

const seconds = z.number().positive().max(86_400);

/** How a server listens, what it takes and how long it waits. */
export const serveOptionsSchema = z.strictObject({
  host: z.string().min(1).default('127.0.0.1').meta({
    description: 'Address to listen on; 0.0.0.0 is every one of this machine.',
  }),
  port: z.int().min(0).max(65_535).default(8000).meta({
    description: 'Port to listen on; 0 is any free one.',
  }),
  maxBatch: z.int().min(1).max(4096).default(32).meta({
    description: 'Most examples that are computed together, and most that one request may hold.',
  }),
  maxDelay: z.number().min(0).max(60_000).default(0).meta({
    description:
      'Milliseconds that an idle network waits for a batch to fill. With 0 it takes what is there: requests that come while it computes are the next batch.',
  }),
  inlineLimit: z.number().min(0).max(1000).default(1).meta({
    description:
      'Milliseconds that a request that comes alone may be computed for in the thread that answers, which saves the way to the thread of its network; 0 is never.',
  }),
  queue: z.int().min(1).max(1_000_000).default(256).meta({
    description: 'Most requests that wait for a network; more are answered 503.',
  }),
  bodyLimit: z
    .int()
    .min(1)
    .max(2 ** 31)
    .default(16 * 2 ** 20)
    .meta({ description: 'Most bytes of the body of a request; more are answered 413.' }),
  timeout: seconds.default(10).meta({
    description: 'Seconds that a request waits for its answer, after which it is answered 504.',
  }),
  headersTimeout: seconds.default(10).meta({
    description: 'Seconds in which the headers of a request must have come.',
  }),
  requestTimeout: seconds.default(30).meta({
    description: 'Seconds in which a whole request must have come.',
  }),
  connections: z.int().min(1).max(65_535).default(1024).meta({
    description: 'Most connections at a time; more are closed at once.',
  }),
  grace: seconds.default(30).meta({
    description: 'Seconds that requests under way have to finish when the server stops.',
  }),
});

export type ServeOptions = z.input<typeof serveOptionsSchema>;
export type Settings = z.output<typeof serveOptionsSchema>;
