import type { IncomingMessage } from 'node:http';
import { Refusal } from './refusal.ts';

/** What is left of a body that is too large is not read: the connection ends with the answer. */
const tooLarge = (limit: number): Refusal =>
  new Refusal(413, `the body is larger than ${limit} bytes`, { Connection: 'close' });

/**
 * The whole body of a request.
 *
 * @throws Refusal 413 as soon as it is larger than the limit, whatever its headers say; 415 where it is compressed
 */
export async function readBody(incoming: IncomingMessage, limit: number): Promise<Buffer> {
  const encoding = incoming.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') {
    throw new Refusal(415, `Content-Encoding: expected none, got ${JSON.stringify(encoding.slice(0, 40))}`);
  }
  if (Number(incoming.headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((resolve, reject) => {
    incoming.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) {
        incoming.pause();
        chunks.length = 0;
        reject(tooLarge(limit));
      } else {
        chunks.push(chunk);
      }
    });
    incoming.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)));
    incoming.on('error', () => reject(new Refusal(400, 'the body ended before its end')));
  });
}
