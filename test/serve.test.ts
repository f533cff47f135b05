import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toOnnx } from '../export/index.ts';
import { load } from '../runtime/index.ts';
import { Batcher } from '../runtime/serve/batcher.ts';
import { Counter, exposition, Histogram } from '../runtime/serve/exposition.ts';
import { type RunningServer, serve, type ServeOptions } from '../runtime/serve/index.ts';
import type { Outputs, ServedNetwork } from '../runtime/serve/network.ts';
import { openNearest } from '../runtime/serve/nearest.ts';
import { serveOptionsSchema } from '../runtime/serve/options.ts';
import { binary, defineModel, dense, flatten, lif, Random, readout, UserError } from '../schemas/index.ts';
import { buildCli, startCli } from './support/cli.ts';
import { denseModel, randomBytes, randomNetwork } from './support/networks.ts';

const ensemble = randomNetwork(denseModel({ type: 'uint8', shape: [12], scale: 1 / 255 }, [9, 3]), 1, 3);
const real = randomNetwork(
  defineModel({
    input: [2, 3],
    layers: [flatten(), dense({ units: 8 }), binary(), dense({ units: 4 }), readout()],
  }),
  2,
);
const timed = randomNetwork(
  defineModel({
    input: { type: 'uint8', shape: [5], scale: 1 },
    steps: 4,
    layers: [dense({ units: 6 }), lif(), dense({ units: 3 }), readout()],
  }),
  3,
);

const randomFloats = (count: number, seed: number): Float32Array => {
  const random = Random.fromSeed(seed, 'floats');
  return Float32Array.from({ length: count }, () => random.nextUniform() * 4 - 2);
};

let folder = '';
const files = { ensemble: '', real: '', timed: '' };
let server: RunningServer;

const models = () => Object.entries(files).map(([name, file]) => ({ name, file, threads: 1 }));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bitspike-serve-'));
  for (const [name, network] of Object.entries({ ensemble, real, timed })) {
    files[name as keyof typeof files] = join(folder, `${name}.onnx`);
    writeFileSync(join(folder, `${name}.onnx`), toOnnx(network));
  }
  server = await serve(models(), {
    port: 0,
    bodyLimit: 20_000,
    maxBatch: 16,
    requestTimeout: 1,
    headersTimeout: 0.5,
  });
});

afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

interface TensorTold {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: readonly number[];
  readonly parameters?: unknown;
}

/** What answers may hold. */
interface Told {
  readonly error?: string;
  readonly inputs: readonly TensorTold[];
  readonly outputs: readonly TensorTold[];
}

interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly json: Told;
}

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string | number>;
  readonly body?: string | Uint8Array;
  readonly to?: RunningServer;
}

/** One request on a connection of its own. */
const ask = (
  path: string,
  { method = 'GET', headers = {}, body, to = server }: Asked = {},
): Promise<Answered> =>
  new Promise((resolve, reject) => {
    const request = httpRequest(`${to.url}${path}`, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const bytes = Buffer.concat(chunks);
        const isJson = response.headers['content-type']?.startsWith('application/json') ?? false;
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: bytes,
          json: isJson ? (JSON.parse(bytes.toString()) as Told) : ({} as Told),
        });
      });
    });
    request.on('error', reject);
    request.end(body);
  });

const infer = (model: string, request: unknown, more: Asked = {}): Promise<Answered> =>
  ask(`/v2/models/${model}/infer`, {
    method: 'POST',
    body: typeof request === 'string' ? request : JSON.stringify(request),
    ...more,
  });

const inputOf = (examples: Uint8Array | Float32Array, example: readonly number[]) => ({
  name: 'input',
  datatype: examples instanceof Uint8Array ? 'UINT8' : 'FP32',
  shape: [examples.length / example.reduce((product, size) => product * size, 1), ...example],
  data: [...examples],
});

/** What the network says when it is asked directly. */
async function directly(file: string, examples: Uint8Array | Float32Array) {
  const network = await load(file);
  try {
    return await network.run(examples);
  } finally {
    await network.close();
  }
}

/** JSON and bytes of a request or an answer of the binary extension. */
const framed = (json: unknown, ...bytes: Uint8Array[]) => {
  const head = Buffer.from(JSON.stringify(json));
  return {
    method: 'POST',
    body: Buffer.concat([head, ...bytes]),
    headers: { 'Inference-Header-Content-Length': head.length },
  };
};

describe('the protocol', () => {
  it('tells of the server, its health and its models', async () => {
    expect((await ask('/v2')).json).toMatchObject({ name: 'bitspike', extensions: ['binary_tensor_data'] });
    expect(await ask('/v2/health/live')).toMatchObject({ status: 200, json: { live: true } });
    expect(await ask('/v2/health/ready')).toMatchObject({ status: 200, json: { ready: true } });
    expect((await ask('/v2/models/ensemble')).json).toMatchObject({
      name: 'ensemble',
      versions: ['1'],
      inputs: [{ name: 'input', datatype: 'UINT8', shape: [-1, 12] }],
    });
    const { outputs } = (await ask('/v2/models/ensemble/versions/1')).json;
    expect(outputs).toContainEqual({ name: 'probabilities', datatype: 'FP32', shape: [-1, 3] });
    expect(outputs).toContainEqual({ name: 'member_probabilities', datatype: 'FP32', shape: [3, -1, 3] });
    expect((await ask('/v2/models/real')).json.inputs).toEqual([
      { name: 'input', datatype: 'FP32', shape: [-1, 2, 3] },
    ]);
    expect((await ask('/v2/models/timed')).json.inputs[0]!.shape).toEqual([-1, 4, 5]);
    expect((await ask('/v2/models/timed/versions/1/ready')).json).toEqual({ name: 'timed', ready: true });
  });

  it.each([
    ['GET', '/', 404],
    ['GET', '/v2/models/other', 404],
    ['GET', '/v2/models/%zz', 404],
    ['GET', '/v2/models/other/ready', 404],
    ['GET', '/v2/models/real/versions/2', 404],
    ['POST', '/v2/models/other/infer', 404],
    ['POST', '/v2/models/real/versions/2/infer', 404],
    ['GET', '/v2/models/real/infer', 405],
    ['DELETE', '/v2/models/real', 405],
    ['POST', '/metrics', 405],
  ])('answers %s %s with %d and a reason', async (method, path, status) => {
    const answer = await ask(path, { method });
    expect(answer.status).toBe(status);
    expect(answer.json.error).toEqual(expect.any(String));
    expect(answer.headers['allow'] !== undefined).toBe(status === 405);
  });

  it('computes what the network computes, bytes', async () => {
    const examples = randomBytes(5 * 12, 4);
    const own = await directly(files.ensemble, examples);
    const { status, json } = await infer('ensemble', { id: 'a1', inputs: [inputOf(examples, [12])] });
    expect(status).toBe(200);
    expect(json).toMatchObject({ model_name: 'ensemble', model_version: '1', id: 'a1' });
    expect(json.outputs.map(({ name }: { name: string }) => name).sort()).toEqual(Object.keys(own).sort());
    for (const { name, shape, data, datatype } of json.outputs) {
      expect({ shape, datatype }).toEqual({ shape: own[name]!.dims, datatype: 'FP32' });
      expect(data).toEqual([...own[name]!.data]);
    }
  });

  it('computes what the network computes, real numbers in arrays in arrays, and sequences', async () => {
    const numbers = randomFloats(2 * 6, 5);
    const nested = [0, 1].map((row) =>
      [0, 1].map((half) => Array.from(numbers.subarray(row * 6 + half * 3, row * 6 + half * 3 + 3))),
    );
    const { json } = await infer('real', { inputs: [{ ...inputOf(numbers, [2, 3]), data: nested }] });
    const own = await directly(files.real, numbers);
    for (const { name, data } of json.outputs) expect(data).toEqual([...own[name]!.data]);

    const spikes = randomBytes(3 * 20, 6).map((byte) => byte & 1);
    const sequences = await infer('timed', { inputs: [inputOf(spikes, [4, 5])] });
    const direct = await directly(files.timed, spikes);
    for (const { name, data } of sequences.json.outputs) expect(data).toEqual([...direct[name]!.data]);
  });

  it('takes inference requests at every way to write their address', async () => {
    const body = JSON.stringify({ inputs: [inputOf(randomBytes(12, 2), [12])] });
    const answers = await Promise.all(
      ['ensemble/infer', 'ensemble/versions/1/infer', 'ensemble/infer?a=b', '%65nsemble/infer'].map((path) =>
        ask(`/v2/models/${path}`, { method: 'POST', body }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    for (const { json } of answers) expect(json).toEqual(answers[0]!.json);
  });

  it('gives the outputs that are asked for, in that order', async () => {
    const outputs = [{ name: 'probabilities' }];
    const { json } = await infer('ensemble', { inputs: [inputOf(randomBytes(12, 1), [12])], outputs });
    expect(json.outputs).toHaveLength(1);
    expect(json.outputs[0]).toMatchObject({ name: 'probabilities', shape: [1, 3] });
  });

  it('takes and gives tensors as bytes', async () => {
    const numbers = randomFloats(3 * 6, 7);
    const own = await directly(files.real, numbers);
    const { data: _data, ...input } = inputOf(numbers, [2, 3]);
    const request = {
      parameters: { binary_data_output: true },
      inputs: [{ ...input, parameters: { binary_data_size: numbers.byteLength } }],
      outputs: [{ name: 'probabilities' }, { name: 'logits', parameters: { binary_data: false } }],
    };
    const answer = await ask('/v2/models/real/infer', framed(request, new Uint8Array(numbers.buffer)));
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/octet-stream');
    const length = Number(answer.headers['inference-header-content-length']);
    const json = JSON.parse(answer.body.subarray(0, length).toString()) as Told;
    const [probabilities, logits] = json.outputs;
    expect(probabilities).toEqual({
      name: 'probabilities',
      datatype: 'FP32',
      shape: [3, 4],
      parameters: { binary_data_size: 48 },
    });
    const bytes = answer.body.subarray(length);
    expect(bytes).toEqual(Buffer.from((own['probabilities']!.data as Float32Array).buffer));
    expect(logits!.data).toEqual([...own['logits']!.data]);
  });
});

describe('a wrong request', () => {
  const good = inputOf(new Uint8Array(12).fill(7), [12]);
  const goodReal = inputOf(new Float32Array(6), [2, 3]);
  const cases: [string, string, unknown, RegExp][] = [
    ['no JSON', 'ensemble', '{"inputs": [', /not JSON/],
    ['JSON of another kind', 'ensemble', '[1]', /expected object/],
    ['no inputs', 'ensemble', {}, /inputs/],
    [
      'another input',
      'ensemble',
      { inputs: [{ ...good, name: 'image' }] },
      /expected one, 'input'; got "image"/,
    ],
    ['an input twice', 'ensemble', { inputs: [good, good] }, /expected one, 'input'/],
    [
      'another type',
      'ensemble',
      { inputs: [{ ...good, datatype: 'FP32' }] },
      /expected datatype UINT8, got "FP32"/,
    ],
    ['another shape', 'ensemble', { inputs: [{ ...good, shape: [12] }] }, /\[examples, 12\], got \[12\]/],
    ['a shape that lies', 'ensemble', { inputs: [{ ...good, shape: [2, 12] }] }, /array of 24 .* got 12/],
    ['a shape of no numbers', 'ensemble', { inputs: [{ ...good, shape: [1, -12] }] }, /inputs\.0\.shape\.1/],
    ['a huge shape', 'ensemble', { inputs: [{ ...good, shape: [9e15, 12] }] }, /1 to 16 examples/],
    ['no examples', 'ensemble', { inputs: [{ ...good, shape: [0, 12], data: [] }] }, /1 to 16 examples/],
    [
      'too many examples',
      'ensemble',
      { inputs: [inputOf(new Uint8Array(12 * 17), [12])] },
      /1 to 16 examples .* got 17/,
    ],
    [
      'no data',
      'ensemble',
      { inputs: [{ ...good, data: undefined }] },
      /expected an array as 'data', got undefined/,
    ],
    [
      'a byte that is none',
      'ensemble',
      { inputs: [{ ...good, data: [...good.data.slice(1), 256] }] },
      /number 11 .* 256/,
    ],
    ['half a byte', 'ensemble', { inputs: [{ ...good, data: good.data.with(3, 0.5) }] }, /number 3 .* 0\.5/],
    ['a word', 'ensemble', { inputs: [{ ...good, data: [...good.data.slice(1), 'x'] }] }, /"x"/],
    [
      'what float32 cannot hold',
      'real',
      JSON.stringify({ inputs: [goodReal] }).replace('[0,', '[1e39,'),
      /finite/,
    ],
    [
      'infinity',
      'real',
      JSON.stringify({ inputs: [goodReal] }).replace('[0,', '[1e999,'),
      /Infinity.*finite/,
    ],
    ['null', 'real', JSON.stringify({ inputs: [goodReal] }).replace('[0,', '[null,'), /null/],
    [
      'deep JSON',
      'ensemble',
      `{"inputs":[{"name":"input","datatype":"UINT8","shape":[1,12],"data":${'['.repeat(9000)}${']'.repeat(9000)}}]}`,
      /expected an array/,
    ],
    [
      'another output',
      'ensemble',
      { inputs: [good], outputs: [{ name: 'sum' }] },
      /"sum" is none of the outputs \('probabilities'/,
    ],
    [
      'an output twice',
      'ensemble',
      { inputs: [good], outputs: [{ name: 'probabilities' }, { name: 'probabilities' }] },
      /twice/,
    ],
    [
      'the extension of classification',
      'ensemble',
      { inputs: [good], outputs: [{ name: 'probabilities', parameters: { classification: 3 } }] },
      /'classification' .* not supported/,
    ],
    [
      'shared memory',
      'ensemble',
      { inputs: [{ ...good, parameters: { shared_memory_region: 'x' } }] },
      /not supported/,
    ],
    [
      'bytes that are not there',
      'ensemble',
      { inputs: [{ ...good, data: undefined, parameters: { binary_data_size: 12 } }] },
      /is 12, and 0 bytes follow/,
    ],
  ];
  it.each(cases)('%s is refused', async (_what, model, request, message) => {
    const answer = await infer(model, request);
    expect(answer.json.error).toMatch(message);
    expect(answer.status).toBe(400);
  });

  const binary = { ...good, data: undefined, parameters: { binary_data_size: 12 } };
  it.each<[string, Asked, RegExp]>([
    ['too few bytes', framed({ inputs: [binary] }, new Uint8Array(11)), /is 12, and 11 bytes follow/],
    ['too many bytes', framed({ inputs: [binary] }, new Uint8Array(13)), /is 12, and 13 bytes follow/],
    ['bytes that nobody claims', framed({ inputs: [good] }, new Uint8Array(3)), /3 bytes follow the JSON/],
    ['data twice', framed({ inputs: [{ ...binary, data: good.data }] }, new Uint8Array(12)), /both/],
    [
      'a size unlike the shape',
      framed({ inputs: [{ ...binary, shape: [2, 12] }] }, new Uint8Array(12)),
      /\[2, 12\] takes 24 bytes/,
    ],
    [
      'a header longer than the body',
      { body: '{}', headers: { 'Inference-Header-Content-Length': 3 } },
      /at most the 2/,
    ],
    [
      'a header that is no number',
      { body: '{}', headers: { 'Inference-Header-Content-Length': '-1' } },
      /expected a number/,
    ],
  ])('%s are refused', async (_what, asked, message) => {
    const answer = await ask('/v2/models/ensemble/infer', { method: 'POST', ...asked });
    expect(answer.json.error).toMatch(message);
    expect(answer.status).toBe(400);
  });

  it('numbers that are not finite are refused as bytes too', async () => {
    const numbers = new Float32Array(6).fill(1).fill(Number.NaN, 4, 5);
    const { data: _data, ...input } = inputOf(numbers, [2, 3]);
    const request = { inputs: [{ ...input, parameters: { binary_data_size: 24 } }] };
    const answer = await ask('/v2/models/real/infer', framed(request, new Uint8Array(numbers.buffer)));
    expect(answer).toMatchObject({
      status: 400,
      json: { error: "input 'input': number 4 is NaN; expected finite numbers" },
    });
  });

  it('a compressed body is refused', async () => {
    const answer = await infer('ensemble', { inputs: [good] }, { headers: { 'Content-Encoding': 'gzip' } });
    expect(answer.status).toBe(415);
  });

  it('a large body is refused, whether or not it says so', async () => {
    const large = Buffer.alloc(30_000, 0x20);
    expect((await infer('ensemble', '', { body: large })).status).toBe(413);
    const chunked = await infer('ensemble', '', { body: large, headers: { 'Transfer-Encoding': 'chunked' } });
    expect(chunked.json.error).toBe('the body is larger than 20000 bytes');
    expect(chunked.status).toBe(413);
  });
});

/** Writes bytes to the server and reads what comes until it ends the connection. */
const raw = (write: (send: (text: string) => void) => void | Promise<void>): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(server.port, '127.0.0.1', () => void write((text) => socket.write(text)));
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('error', () => resolve(text));
    socket.on('close', () => resolve(text));
  });

describe('a bad connection', () => {
  const head = 'POST /v2/models/ensemble/infer HTTP/1.1\r\nHost: x\r\n';
  const good = { inputs: [inputOf(new Uint8Array(12), [12])] };

  it('that sends slowly is closed, and the others are answered meanwhile', async () => {
    const slowHeaders = raw(async (send) => {
      for (const letter of `${head}X: ${'y'.repeat(20)}`) {
        send(letter);
        await delay(30);
      }
    });
    const slowBody = raw((send) => send(`${head}Content-Length: 1000\r\n\r\n{"inputs"`));
    const answers = await Promise.all(Array.from({ length: 20 }, () => infer('ensemble', good)));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect(await slowHeaders).toMatch(/^HTTP\/1\.1 408 .*"the request did not come in time"\}$/s);
    expect(await slowBody).toMatch(/^HTTP\/1\.1 408/);
  });

  it('that lies about its length or its chunks is refused', async () => {
    expect(
      await raw((send) => send(`${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`)),
    ).toMatch(/^HTTP\/1\.1 400/);
    expect(await raw((send) => send(`${head}Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}`))).toMatch(
      /^HTTP\/1\.1 400/,
    );
    expect(await raw((send) => send('hello\r\n\r\n'))).toMatch(/^HTTP\/1\.1 400 .*"this is not HTTP"\}$/s);
    expect(await raw((send) => send(`${head}X: ${'y'.repeat(40_000)}\r\n\r\n`))).toMatch(/^HTTP\/1\.1 431/);
    expect((await infer('ensemble', good)).status).toBe(200);
  });

  it('that sends too much, all of it before it reads, is told so', async () => {
    const socket = connect(server.port, '127.0.0.1');
    socket.write(`${head}Content-Length: 3000000\r\n\r\n`);
    for (let part = 0; part < 30; part++) {
      socket.write(' '.repeat(100_000));
      await delay(5);
    }
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString()));
    const error = await new Promise((resolve) => {
      socket.on('error', resolve);
      socket.on('end', () => resolve(undefined));
    });
    expect(error).toBeUndefined();
    expect(answer).toMatch(/^HTTP\/1\.1 413 .*"the body is larger than 20000 bytes"\}$/s);
  });

  it('that says it sends too much, and then does not, is closed', async () => {
    const answer = await raw((send) => send(`${head}Content-Length: 3000000\r\n\r\n`));
    expect(answer).toMatch(/^HTTP\/1\.1 413 .*Connection: close/s);
  });

  it('that ends in the middle of a request harms nobody', async () => {
    for (let count = 0; count < 20; count++) {
      const socket = connect(server.port, '127.0.0.1', () => {
        socket.write(`${head}Content-Length: 500\r\n\r\n{"inputs"`, () => socket.destroy());
      });
      socket.on('error', () => undefined);
    }
    await delay(50);
    expect((await infer('ensemble', good)).status).toBe(200);
  });
});

/** A network that gives back the sum of each example, when it is told to. */
function sums() {
  const batches: number[] = [];
  const gates: (() => void)[] = [];
  const network: ServedNetwork = {
    signature: {
      input: { name: 'input', datatype: 'UINT8', shape: [-1, 2] },
      outputs: [
        { name: 'sum', datatype: 'FP32', shape: [-1, 1] },
        { name: 'member_sum', datatype: 'FP32', shape: [2, -1, 1] },
      ],
    },
    classes: ['sum'],
    device: 'cpu',
    seconds: 0.001,
    failure: undefined,
    run(examples, count) {
      batches.push(count);
      const each = Float32Array.from(
        { length: count },
        (_, row) => examples[2 * row]! + examples[2 * row + 1]!,
      );
      const outputs: Outputs = {
        sum: { dims: [count, 1], data: each },
        member_sum: { dims: [2, count, 1], data: Float32Array.from([...each, ...each.map((sum) => -sum)]) },
      };
      return new Promise((resolve) => gates.push(() => resolve(outputs)));
    },
    close: async () => undefined,
  };
  return { network, batches, open: () => gates.shift()!() };
}

const quiet = { computed: () => undefined, taken: () => undefined };
const settings = (options: object) => serveOptionsSchema.parse(options);
const pair = (value: number) => Uint8Array.of(value, 1);
const tick = () => delay(0);

/** Whether a run was over before this thread heard from any other. */
async function isHere(network: ServedNetwork, count: number, isAlone: boolean): Promise<boolean> {
  let isOver = false;
  const running = network.run(randomBytes(count * 12, 9), count, isAlone).then(() => (isOver = true));
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
  const found = isOver;
  await running;
  return found;
}

describe('a quick network', () => {
  it('computes a lone request in this thread, no longer than it may, and batches in its own', async () => {
    const quick = await openNearest(files.ensemble, { device: 'bits' }, 100);
    expect(await isHere(quick, 1, true)).toBe(true);
    expect(await isHere(quick, 1, false)).toBe(false);
    expect(await isHere(quick, 1 + Math.floor(0.1 / quick.seconds), true)).toBe(false);
    const examples = randomBytes(12, 10);
    expect(await quick.run(examples.slice(), 1, true)).toEqual(await quick.run(examples.slice(), 1, false));
    await quick.close();

    const never = await openNearest(files.ensemble, { device: 'bits' }, 0);
    expect(await isHere(never, 1, true)).toBe(false);
    await never.close();
  });

  it('is told which requests are alone', async () => {
    const { network, open } = sums();
    const alone: boolean[] = [];
    const batcher = new Batcher(
      {
        ...network,
        run(examples, count, isAlone) {
          alone.push(isAlone);
          return network.run(examples, count, isAlone);
        },
      },
      settings({}),
      quiet,
    );
    const answers = [1, 2, 3].map((value) => batcher.submit(pair(value), 1));
    open();
    await tick();
    open();
    await Promise.all(answers);
    expect(alone).toEqual([true, false]);
  });
});

describe('batches', () => {
  it('are what came while the network computed, no larger than the limit, and each gets its own', async () => {
    const { network, batches, open } = sums();
    const batcher = new Batcher(network, settings({ maxBatch: 4 }), quiet);
    const single = [0, 1, 2, 3].map((value) => batcher.submit(pair(value), 1));
    const double = batcher.submit(Uint8Array.of(10, 1, 20, 1), 2);
    const last = batcher.submit(pair(30), 1);
    expect(batches).toEqual([1]);
    expect(batcher.length).toBe(5);
    for (let batch = 0; batch < 3; batch++) {
      await tick();
      open();
    }
    const found = await Promise.all(single);
    expect(found.map(({ sum }) => [...sum!.data])).toEqual([[1], [2], [3], [4]]);
    expect(found.map(({ member_sum: own }) => Array.from(own!.data))).toEqual([
      [1, -1],
      [2, -2],
      [3, -3],
      [4, -4],
    ]);
    const { sum, member_sum: members } = await double;
    expect([sum!.dims, [...sum!.data]]).toEqual([
      [2, 1],
      [11, 21],
    ]);
    expect([members!.dims, [...members!.data]]).toEqual([
      [2, 2, 1],
      [11, 21, -11, -21],
    ]);
    expect([...(await last)['sum']!.data]).toEqual([31]);
    // The pair did not fit beside the three.
    expect(batches).toEqual([1, 3, 3]);
  });

  it('fill while the network is idle, where it may wait', async () => {
    const { network, batches, open } = sums();
    const batcher = new Batcher(network, settings({ maxBatch: 3, maxDelay: 60_000 }), quiet);
    const answers = [1, 2].map((value) => batcher.submit(pair(value), 1));
    await delay(20);
    expect(batches).toEqual([]);
    answers.push(batcher.submit(pair(3), 1));
    expect(batches).toEqual([3]);
    open();
    expect((await Promise.all(answers)).map(({ sum }) => sum!.data[0])).toEqual([2, 3, 4]);

    const soon = new Batcher(network, settings({ maxBatch: 3, maxDelay: 5 }), quiet);
    const answer = soon.submit(pair(7), 1);
    expect(batches).toEqual([3]);
    await delay(30);
    open();
    expect((await answer)['sum']!.data[0]).toBe(8);
  });

  it('refuse what does not fit into the queue, takes too long or is not wanted any more', async () => {
    const { network, batches, open } = sums();
    const batcher = new Batcher(network, settings({ queue: 2, timeout: 0.05, maxBatch: 1 }), quiet);
    const first = batcher.submit(pair(1), 1);
    const late = batcher.submit(pair(2), 1);
    let leave: (() => void) | undefined;
    const left = batcher.submit(pair(3), 1, (gone) => (leave = gone));
    expect(() => batcher.submit(pair(4), 1)).toThrow(
      expect.objectContaining({ status: 503, headers: { 'Retry-After': '1' } }),
    );
    leave?.();
    await expect(left).rejects.toMatchObject({ status: 408 });
    await expect(first).rejects.toMatchObject({ status: 504 });
    await expect(late).rejects.toMatchObject({ status: 504 });
    expect(batcher.length).toBe(0);
    open();
    await tick();
    const next = batcher.submit(pair(5), 1);
    open();
    expect((await next)['sum']!.data[0]).toBe(6);
    expect(batches).toEqual([1, 1]);
  });

  it('of a network that fails are refused alone', async () => {
    const { network, open } = sums();
    let attempts = 0;
    const failing: ServedNetwork = {
      ...network,
      run: (examples, count, isAlone) =>
        attempts++ === 0 ? Promise.reject(new Error('too hot')) : network.run(examples, count, isAlone),
    };
    const batcher = new Batcher(failing, settings({}), quiet);
    await expect(batcher.submit(pair(1), 1)).rejects.toMatchObject({ status: 500, message: /too hot/ });
    const next = batcher.submit(pair(1), 1);
    open();
    expect((await next)['sum']!.data[0]).toBe(2);
  });

  it('over HTTP hold the answers of single runs, each its own', async () => {
    const requests = Array.from({ length: 60 }, (_, seed) => randomBytes((1 + (seed % 3)) * 12, 100 + seed));
    const answers = await Promise.all(
      requests.map((examples) => infer('ensemble', { inputs: [inputOf(examples, [12])] })),
    );
    const network = await load(files.ensemble);
    for (const [index, examples] of requests.entries()) {
      const own = await network.run(examples);
      for (const { name, data, shape } of answers[index]!.json.outputs) {
        expect(shape).toEqual(own[name]!.dims);
        // A softmax over more rows may sum in another order.
        const most = Math.max(
          ...data.map((value: number, at: number) => Math.abs(value - own[name]!.data[at]!)),
        );
        expect([data.length, most < 2e-6]).toEqual([own[name]!.data.length, true]);
      }
    }
    await network.close();
    const { body } = await ask('/metrics');
    const sizes = [
      ...body.toString().matchAll(/^bitspike_batch_size_bucket\{model="ensemble",le="1"\} (\d+)$/gm),
    ];
    const count = /^bitspike_batch_size_count\{model="ensemble"\} (\d+)$/m.exec(body.toString());
    expect(Number(sizes[0]![1])).toBeLessThan(Number(count![1]));
  });
});

const read = async () => {
  const { headers, body } = await ask('/metrics');
  expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  return body.toString();
};
const valueOf = (text: string, sample: string) =>
  Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${sample} `))
      ?.split(' ')
      .at(-1) ?? 0,
  );

describe('metrics', () => {
  it('are written as the format says', () => {
    const counter = new Counter('asked_total', 'Asked,\nof all \\ kinds.');
    counter.add({ model: 'a"b\\c\nd' });
    counter.add({ model: 'a"b\\c\nd' }, 2);
    const histogram = new Histogram('took_seconds', 'Took.', [0.1, 1]);
    for (const seconds of [0.05, 0.1, 0.5, 7]) histogram.observe({}, seconds);
    expect(exposition([counter, histogram])).toBe(
      [
        '# HELP asked_total Asked,\\nof all \\\\ kinds.',
        '# TYPE asked_total counter',
        'asked_total{model="a\\"b\\\\c\\nd"} 3',
        '# HELP took_seconds Took.',
        '# TYPE took_seconds histogram',
        'took_seconds_bucket{le="0.1"} 2',
        'took_seconds_bucket{le="1"} 3',
        'took_seconds_bucket{le="+Inf"} 4',
        'took_seconds_sum 7.65',
        'took_seconds_count 4',
        '',
      ].join('\n'),
    );
  });

  it('count what was answered, each line well-formed', async () => {
    const before = await read();
    await infer('real', { inputs: [inputOf(new Float32Array(12), [2, 3])] });
    await infer('real', '');
    const after = await read();
    const grown = (sample: string) => valueOf(after, sample) - valueOf(before, sample);
    expect(grown('bitspike_requests_total{model="real",code="200"}')).toBe(1);
    expect(grown('bitspike_requests_total{model="real",code="400"}')).toBe(1);
    expect(grown('bitspike_examples_total{model="real"}')).toBe(2);
    expect(grown('bitspike_request_duration_seconds_count{model="real"}')).toBe(2);
    expect(grown('bitspike_batch_size_sum{model="real"}')).toBe(2);
    expect(valueOf(after, 'bitspike_queue_length{model="real"}')).toBe(0);
    for (const line of after.trimEnd().split('\n')) {
      expect(line).toMatch(/^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{([a-z]+="[^"]*",?)+\})? [-+.\deInf]+)$/);
    }
  });
});

describe('serving', () => {
  it.each([
    ['no model', [], {}, /no model to serve/],
    ['a file that is not there', [{ name: 'x', file: 'missing.onnx' }], {}, /missing\.onnx: cannot read/],
    [
      'two of one name',
      [
        { name: 'x', file: '' },
        { name: 'x', file: '' },
      ],
      {},
      /two models are called 'x'/,
    ],
    ['a name that is none', [{ name: '../x', file: '' }], {}, /cannot be the name/],
    ['an unknown option', [{ name: 'x', file: '' }], { prot: 1 }, /unknown option 'prot'/],
  ])('refuses %s in one line', async (_what, given, options, message) => {
    const found = await serve(given, options as ServeOptions).catch((error: unknown) => error);
    expect(found).toBeInstanceOf(UserError);
    expect((found as Error).message).toMatch(message);
  });

  it('computes on another device', async () => {
    const other = await serve([{ name: 'ensemble', file: files.ensemble, device: 'bits' }], { port: 0 });
    const examples = randomBytes(3 * 12, 40);
    const own = await directly(files.ensemble, examples);
    const { json } = await infer('ensemble', { inputs: [inputOf(examples, [12])] }, { to: other });
    for (const { name, data } of json.outputs) {
      data.forEach((value, index) => expect(value).toBeCloseTo(own[name]!.data[index]!, 5));
    }
    expect((await ask('/metrics', { to: other })).body.toString()).toContain('device="bits"');
    await other.close();
  });

  it('refuses a port that is taken', async () => {
    const given = [{ name: 'real', file: files.real }];
    await expect(serve(given, { port: server.port })).rejects.toThrow(/something listens there already/);
  });

  it('finishes what has come when it is closed, and takes nothing more', async () => {
    const other = await serve([{ name: 'real', file: files.real }], { port: 0, maxDelay: 300, maxBatch: 64 });
    const request = { inputs: [inputOf(new Float32Array(6), [2, 3])] };
    const waiting = infer('real', request, { to: other });
    await delay(100);
    const closed = other.close();
    await expect(infer('real', request, { to: other })).rejects.toThrow(/ECONNREFUSED/);
    expect(await waiting).toMatchObject({ status: 200, headers: { connection: 'close' } });
    await closed;
  });
});

describe('bitspike serve', () => {
  it('listens, answers, and ends with 0 when it is told to', async () => {
    const built = buildCli();
    try {
      const { child, ended } = startCli(
        built,
        ['serve', files.ensemble, '--port', '0', '--threads', '1'],
        folder,
      );
      const url = await new Promise<string>((resolve) => {
        child.stdout!.on('data', (chunk: Buffer) => {
          const found = /(http:\S+)\/v2\/models\/ensemble on cpu/.exec(chunk.toString());
          if (found) resolve(found[1]!);
        });
      });
      const request = { inputs: [inputOf(new Uint8Array(12), [12])] };
      const answer = await fetch(`${url}/v2/models/ensemble/infer`, {
        method: 'POST',
        body: JSON.stringify(request),
      });
      expect(answer.status).toBe(200);
      await answer.json();
      child.kill('SIGTERM');
      expect(await ended).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/stopped\n$/) });

      const twoNames = await startCli(built, ['serve', 'a.onnx', 'b.onnx', '--name', 'x'], folder).ended;
      expect(twoNames).toMatchObject({ code: 1, stderr: expect.stringContaining('--name is for one model') });
      const odd = await startCli(built, ['serve', 'a.onnx', '--port', '99999'], folder).ended;
      expect(odd).toMatchObject({ code: 1, stderr: expect.stringContaining('serve: port:') });
    } finally {
      rmSync(built, { recursive: true });
    }
  });
});
