/**
 * Asks a server as fast as it answers, over connections that are kept alive: `load.js URL CONNECTIONS SECONDS`.
 *
 * It speaks HTTP by hand, so that it is less work than what it measures; its last line is a `LoadResult` as JSON.
 */
import { connect, type Socket } from 'node:net';

export interface LoadResult {
  readonly requests: number;
  /** Answers with a status other than 200. */
  readonly refused: number;
  readonly seconds: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

const [address = '', connections = '1', seconds = '1'] = process.argv.slice(2);
const { hostname, port, pathname } = new URL(`${address}/infer`);

/** A request like a drawn digit: one in five pixels has ink. */
function requestBytes(): Buffer {
  const data = Array.from({ length: 784 }, (_, pixel) => (pixel % 5 === 0 ? (pixel * 37) % 256 : 0));
  const body = JSON.stringify({ inputs: [{ name: 'input', datatype: 'UINT8', shape: [1, 784], data }] });
  return Buffer.from(
    `POST ${pathname} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}

const request = requestBytes();
const times: number[] = [];
let refused = 0;
const started = performance.now();
const end = started + 1000 * Number(seconds);

const opened = (): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true }, () => resolve(socket));
    socket.once('error', reject);
  });

/** Reads one answer. @returns its status */
function answerOf(socket: Socket): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = '';
    const take = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      const head = text.indexOf('\r\n\r\n');
      if (head === -1) return;
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1]);
      if (text.length < head + 4 + length) return;
      socket.off('data', take);
      socket.off('close', closed);
      resolve(Number(text.slice(9, 12)));
    };
    const closed = (): void => reject(new Error('the server closed a connection'));
    socket.on('data', take);
    socket.once('close', closed);
  });
}

async function ask(): Promise<void> {
  const socket = await opened();
  while (performance.now() < end) {
    const sent = performance.now();
    const answer = answerOf(socket);
    socket.write(request);
    if ((await answer) !== 200) refused++;
    times.push(performance.now() - sent);
  }
  socket.destroy();
}

await Promise.all(Array.from({ length: Number(connections) }, ask));
times.sort((a, b) => a - b);
const at = (part: number): number =>
  times[Math.min(times.length - 1, Math.floor(part * times.length))] ?? Number.NaN;
const result: LoadResult = {
  requests: times.length,
  refused,
  seconds: (performance.now() - started) / 1000,
  p50: at(0.5),
  p99: at(0.99),
};
console.log(JSON.stringify(result));
