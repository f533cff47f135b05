/**
 * Treats a server badly for a while, at rates that do not depend on its answers: `abuse.js URL SECONDS`.
 *
 * Its last line is an `AbuseResult` as JSON.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface AbuseResult {
  /** How often each was done. */
  readonly done: Readonly<Record<string, number>>;
  /** The answers to all of it, by status; `none` where the connection ended without one. */
  readonly answers: Readonly<Record<string, number>>;
}

const [address = '', seconds = '1'] = process.argv.slice(2);
const { hostname, port, pathname } = new URL(`${address}/infer`);
const end = performance.now() + 1000 * Number(seconds);

const head = (rest: string): string => `POST ${pathname} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n${rest}`;
const posted = (body: string): string => head(`Content-Length: ${body.length}\r\n\r\n${body}`);

const tensor = (data: readonly unknown[]): string =>
  posted(JSON.stringify({ inputs: [{ name: 'input', datatype: 'UINT8', shape: [1, 784], data }] }));

/** One more than the server takes. */
const oversized = 17 * 2 ** 20;
const megabyte = Buffer.alloc(2 ** 20, 0x20);

const malformed: readonly string[] = [
  posted('{"inputs": ['),
  posted('['.repeat(100_000)),
  posted('{"inputs": [{"name": "input", "datatype": "UINT8", "shape": [9e15, 784], "data": []}]}'),
  tensor(Array.from({ length: 784 }, () => 'x')),
  tensor(Array.from({ length: 783 }, () => 0)),
  head('Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}'),
  head('Transfer-Encoding: chunked\r\n\r\nzz\r\n'),
  head(`X: ${'y'.repeat(40_000)}\r\n\r\n`),
  'hello\r\n\r\n',
];

async function writeAll(socket: Socket, chunk: Buffer, times: number): Promise<void> {
  for (let time = 0; time < times && !socket.destroyed; time++) {
    if (!socket.write(chunk)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
  }
}

const once = (socket: Socket, event: string): Promise<void> =>
  new Promise((resolve) => socket.once(event, () => resolve()));

/** What is done, how often a second, and how. */
const abuses: Readonly<Record<string, [perSecond: number, act: (socket: Socket, time: number) => unknown]>> =
  {
    malformed: [100, (socket, time) => socket.write(malformed[time % malformed.length] as string)],
    oversized: [
      2,
      (socket) => {
        socket.write(head(`Content-Length: ${oversized}\r\n\r\n`));
        return writeAll(socket, megabyte, 17);
      },
    ],
    'oversized without saying so': [
      2,
      (socket) => {
        socket.write(head(`Transfer-Encoding: chunked\r\n\r\n${oversized.toString(16)}\r\n`));
        return writeAll(socket, megabyte, 17);
      },
    ],
    'a letter at a time': [
      20,
      async (socket) => {
        for (const letter of head('X: '.padEnd(400, 'y'))) {
          if (socket.destroyed || performance.now() > end) return;
          socket.write(letter);
          await delay(100);
        }
      },
    ],
    'a body that stops': [20, (socket) => socket.write(head('Content-Length: 1000\r\n\r\n{"inputs"'))],
    'gone before the answer': [
      50,
      (socket) => socket.write(tensor(Array.from({ length: 784 }, () => 0)), () => socket.destroy()),
    ],
  };

const done: Record<string, number> = {};
const answers: Record<string, number> = {};
const sockets = new Set<Socket>();

function begin(act: (socket: Socket, time: number) => unknown, time: number): void {
  let status = 'none';
  const socket = connect({ host: hostname, port: Number(port), noDelay: true }, () => void act(socket, time));
  sockets.add(socket);
  socket.on('data', (chunk: Buffer) => {
    if (status === 'none') status = chunk.toString('latin1', 9, 12);
    socket.end();
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    sockets.delete(socket);
    answers[status] = (answers[status] ?? 0) + 1;
  });
}

await Promise.all(
  Object.entries(abuses).map(async ([name, [perSecond, act]]) => {
    const started = performance.now();
    for (let time = 0; performance.now() < end; time++) {
      begin(act, time);
      done[name] = time + 1;
      await delay(Math.max(0, started + (1000 * (time + 1)) / perSecond - performance.now()));
    }
  }),
);
for (const socket of sockets) socket.destroy();
await delay(100);
const result: AbuseResult = { done, answers };
console.log(JSON.stringify(result));
