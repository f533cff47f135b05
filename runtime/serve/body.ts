import type { IncomingMessage } from 'node:http';
import { Refusal } from './refusal.ts';

/** What is left of a body that is too large is not kept: the connection ends with the answer. */
const tooLarge = (limit: number): Refusal =>
  new Refusal(413, `the body is larger than ${limit} bytes`, { Connection: 'close' });

/**
 * The whole body of a request.
 *
 * @throws Refusal 413 as soon as it is larger than the limit, whatever its headers say; 415 where it is compressed
 */
export function readBody(incoming: IncomingMessage, limit: number): Promise<Buffer> {
  const { 'content-encoding': encoding = 'identity', 'content-length': length = '0' } = incoming.headers;
  return new Promise((resolve, reject) => {
    if (encoding !== 'identity') {
      reject(
        new Refusal(415, `Content-Encoding: expected none, got ${JSON.stringify(encoding.slice(0, 40))}`),
      );
      return;
    }
    if (Number(length) > limit) {
      reject(tooLarge(limit));
      return;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > limit) {
        incoming.off('data', take);
        chunks.length = 0;
        reject(tooLarge(limit));
      } else {
        chunks.push(chunk);
      }
    };
    incoming.on('data', take);
    incoming.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)));
    incoming.on('error', () => reject(new Refusal(400, 'the body ended before its end')));
  });
}
