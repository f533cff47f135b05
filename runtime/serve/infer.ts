/** An inference request from its first byte to its answer, on Node's own objects: those of the web take longer. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { reasonOf } from '../../schemas/errors.ts';
import type { Serving, Served } from './app.ts';
import { readBody } from './body.ts';
import { lengthHeader, readInference, writeAnswer } from './protocol.ts';
import { Refusal } from './refusal.ts';

/** As Node writes the names of headers that come. */
const lengthHeaderName = lengthHeader.toLowerCase();

/** Milliseconds for which the rest of a refused body is read: a client that still sends would not see its answer. */
const lingering = 500;

/** Answers one request; a network that fails is an answer, too. */
export async function answerInference(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { name, network, batcher, answered }: Served,
  { settings, isStopping }: Pick<Serving, 'settings' | 'isStopping'>,
): Promise<void> {
  const started = performance.now();
  let status = 200;
  let headers: OutgoingHttpHeaders;
  let body: Uint8Array | string;
  try {
    const request = await readBody(incoming, settings.bodyLimit);
    const length = incoming.headers[lengthHeaderName] as string | undefined;
    const inference = readInference(request, length, network.signature, settings.maxBatch);
    const outputs = await batcher.submit(inference.examples, inference.count, (leave) =>
      outgoing.once('close', leave),
    );
    ({ headers, body } = writeAnswer(name, inference, outputs));
  } catch (error) {
    const refusal = refusalOf(error);
    ({ status } = refusal);
    headers = { 'Content-Type': 'application/json', ...refusal.headers };
    body = JSON.stringify({ error: refusal.message });
  }
  if (isStopping()) headers['Connection'] = 'close';
  headers['Content-Length'] = Buffer.byteLength(body);
  outgoing.writeHead(status, headers);
  if (incoming.complete) outgoing.end(body);
  else endLate(incoming, outgoing, body);
  answered(status, (performance.now() - started) / 1000);
}

/** Sends an answer before its request has ended, and keeps the connection until it has, or for a little while. */
function endLate(incoming: IncomingMessage, outgoing: ServerResponse, body: Uint8Array | string): void {
  outgoing.write(body);
  const end = (): void => {
    clearTimeout(late);
    outgoing.end();
  };
  const late = setTimeout(end, lingering);
  incoming.once('end', end).resume();
}

/** What a request is told that could not be answered. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  // A defect of ours: who runs the server learns where, who asks does not.
  console.error(error instanceof Error ? error.stack : reasonOf(error));
  return new Refusal(500, 'the server has a defect; its log tells more');
}
