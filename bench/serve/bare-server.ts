/** The least that answers the same requests: node:http and onnxruntime-node, no checks, no batches, one thread. */
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onnxruntime } from '../../runtime/session.ts';

const { InferenceSession, Tensor } = await onnxruntime();
const session = await InferenceSession.create(await readFile(process.argv[2] as string), {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
});

interface Asked {
  readonly inputs: readonly [{ readonly shape: readonly number[]; readonly data: readonly number[] }];
}

async function answer(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { inputs } = JSON.parse(Buffer.concat(chunks).toString()) as Asked;
  const [{ shape, data }] = inputs;
  const found = await session.run({ input: new Tensor('uint8', Uint8Array.from(data), shape) });
  const outputs = Object.entries(found).map(([name, { dims, data: own }]) => ({
    name,
    datatype: 'FP32',
    shape: dims,
    data: Array.from(own as Float32Array),
  }));
  return JSON.stringify({ model_name: 'digits', model_version: '1', outputs });
}

const server = createServer((request, response) => {
  void answer(request).then((body) =>
    response
      .writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) })
      .end(body),
  );
});
server.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v2/models/digits`);
});
