/** Where networks come from and run, in Node: sources, devices, threads, time limits, ensembles, noise. */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runProgram } from '../cli/program.ts';
import { toNoisyOnnx, toOnnx } from '../export/index.ts';
import { within } from '../runtime/deadline.ts';
import { bringOnnxruntimeWeb } from '../runtime/devices/onnxruntime-web.ts';
import { settleThreads, type ThreadSetting } from '../runtime/devices/threads.ts';
import {
  type Classification,
  compareOutputs,
  type EnsembleAnswer,
  type LoadedNetwork,
  load,
  probeDevices,
} from '../runtime/index.ts';
import { nodeText } from '../runtime/node.ts';
import { NoiseFeed } from '../runtime/noise.ts';
import { sha256 } from '../schemas/sha256.ts';
import { toMetadata } from '../schemas/description.ts';
import { defineModel, dense, lif, readout, UserError } from '../schemas/index.ts';
import { sizeOf } from '../schemas/layer.ts';
import { defineOnnxModel, Graph, writeModel } from '../schemas/onnx/index.ts';
import { learnedShapes } from '../schemas/posterior.ts';
import { Random } from '../schemas/random.ts';
import { denseModel, randomBytes, randomNetwork } from './support/networks.ts';

const model = denseModel({ type: 'uint8', shape: [12], scale: 1 / 255 }, [9, 3]);
const onnx = toOnnx(randomNetwork(model, 1));
const inputs = randomBytes(12 * 5, 2);

/** Those that are everywhere. */
const devices = ['cpu', 'wasm', 'bits'] as const;

let folder = '';
let server: Server;
let origin = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bitspike-devices-'));
  await writeFile(join(folder, 'a network.onnx'), onnx);
  server = createServer(({ url }, response) => {
    const answers: Readonly<Record<string, () => void>> = {
      '/network.onnx': () => response.end(onnx),
      '/page': () => response.setHeader('content-type', 'text/html').end('<p>not here</p>'),
      '/empty': () => response.end(),
      '/part': () => {
        response.writeHead(200, { 'content-length': onnx.length });
        response.write(onnx.subarray(0, 100), () => response.destroy());
      },
      '/late': () => {},
    };
    (answers[url ?? ''] ?? (() => response.writeHead(404).end()))();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.close();
  server.closeAllConnections();
  await rm(folder, { recursive: true, force: true });
});

/** The error of something that must fail as a user's mistake. */
async function failure(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => new Error('it went well'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(UserError);
  return (error as Error).message;
}

describe('a model', () => {
  it('comes from a path, an address or bytes', async () => {
    const path = join(folder, 'a network.onnx');
    const first = await load(onnx);
    const expected = await first.classify(inputs);
    const sources = [
      path,
      pathToFileURL(path),
      pathToFileURL(path).href,
      `${origin}/network.onnx`,
      new URL('/network.onnx', origin),
    ];
    for (const source of sources) {
      const network = await load(source);
      expect(await network.classify(inputs)).toEqual(expected);
      await network.close();
    }
    await first.close();
  });

  it.each([
    ['/nowhere', /: cannot fetch the model: the server says 404 Not Found$/],
    ['/page', /: the server sends a page \(text\/html\) in its place; is the address right\?$/],
    ['/empty', /: the file is empty$/],
    ['/part', /: cannot fetch the model: terminated: /],
  ])('of %s is refused in one line', async (address, message) => {
    expect(await failure(load(origin + address))).toMatch(message);
  });

  it('is waited for so long', async () => {
    expect(await failure(load(`${origin}/late`, { timeout: 0.2 }))).toMatch(
      /\/late: cannot fetch the model: it took more than 0\.2 s$/,
    );
  });

  it('cannot come from elsewhere', async () => {
    expect(await failure(load('http://127.0.0.1:1/network.onnx'))).toMatch(
      /: cannot fetch the model: .*(ECONNREFUSED|bad port)/,
    );
    expect(await failure(load(new URL('ftp://example.org/n.onnx')))).toMatch(
      /expected file:, http: or https:$/,
    );
    expect(await failure(load(7 as never))).toMatch(/^load: expected the path or URL .* got Number$/);
  });
});

describe('load', () => {
  it.each([
    [{ threads: 0 }, /^load: threads: /],
    [{ timeout: -1 }, /^load: timeout: /],
    [{ devise: 'cpu' }, /^load: unknown option 'devise' .*known: device, /],
    [{ device: 'tpu' }, /^load: there is no device 'tpu'; expected one of cpu, cuda, wasm, webgpu/],
    [{ onnxruntime: '/files/' }, /^load: onnxruntime is for pages in a browser/],
  ])('refuses %o', async (options, message) => {
    expect(await failure(load(onnx, options as never))).toMatch(message);
  });

  it('runs elsewhere what it runs on the CPU, and keeps the number of its threads', async () => {
    const observe = ['1.binary'];
    const [cpu, wasm] = [
      await load(onnx, { observe }),
      await load(onnx, { observe, device: 'wasm', threads: 1 }),
    ];
    const differences = compareOutputs(await cpu.run(inputs), await wasm.run(inputs));
    expect(differences.filter(({ output }) => output !== 'probabilities')).toEqual([]);
    expect(wasm.notes).toEqual([]);
    expect(await failure(load(onnx, { device: 'wasm', threads: 2 }))).toMatch(
      /^threads: onnxruntime-web has had 1 since/,
    );
    const again = await load(onnx, { device: 'wasm' });
    await Promise.all([cpu.close(), wasm.close(), again.close(), again.close()]);
    expect(await failure(wasm.classify(inputs))).toBe('the network is closed; load it again');
  });

  it.each(['cpu', 'wasm'] as const)('says that %s refuses a model', async (device) => {
    const graph = new Graph('odd');
    const x = graph.input('input', 'uint8', ['batch', 12]);
    graph.output(graph.node('NoSuchOperator', [x], {}, { output: 'logits' }), 'float32', ['batch', 3]);
    const metadata = toMetadata({ model, weights: {}, classes: ['a', 'b', 'c'], layers: [[]] });
    const odd = writeModel(defineOnnxModel(graph, { metadata }));
    expect(await failure(load(odd, { device }))).toMatch(
      /^model: onnxruntime cannot open it: .*NoSuchOperator/,
    );
  });
});

describe('what takes too long', () => {
  it('ends in one line, and what comes late is let go', async () => {
    const late: string[] = [];
    const slow = new Promise<string>((resolve) => setTimeout(() => resolve('came'), 60));
    const message = await failure(
      within(slow, 0.01, 'model: opening it on wasm', (value) => late.push(value)),
    );
    expect(message).toBe(
      'model: opening it on wasm took more than 0.01 s; give a longer timeout, or another device',
    );
    await slow;
    expect(late).toEqual(['came']);
  });

  it('leaves alone what comes in time, or fails by itself', async () => {
    expect(await within(Promise.resolve(3), 1, 'x')).toBe(3);
    await expect(within(Promise.reject(new Error('own')), 1, 'x')).rejects.toThrow('own');
  });
});

/** How many a first model gets in an isolated page. */
const settled = (cores: number, threads?: number) => {
  const setting: ThreadSetting = {};
  expect(settleThreads(setting, threads, { cores, isolated: true })).toEqual([]);
  return setting.numThreads;
};

describe('threads of WebAssembly', () => {
  const page = { cores: 8, isolated: true };

  it('are half the cores, at most 4, or as many as one says', () => {
    expect([1, 2, 3, 8, 64].map((cores) => settled(cores))).toEqual([1, 1, 2, 4, 4]);
    expect(settled(8, 7)).toBe(7);
  });

  it('stay as many as the first model had', () => {
    const setting: ThreadSetting = {};
    settleThreads(setting, 3, page);
    settleThreads(setting, undefined, page);
    settleThreads(setting, 3, page);
    expect(setting.numThreads).toBe(3);
    expect(() => settleThreads(setting, 2, page)).toThrow(
      /has had 3 since its first model .* give threads: 3 or none/,
    );
  });

  it('are one where memory cannot be shared, with a note unless one was asked for', () => {
    const setting: ThreadSetting = {};
    const alone = { cores: 8, isolated: false };
    expect(settleThreads(setting, 4, alone)).toEqual([
      'It computes on one thread, not 4, as this page is not cross-origin isolated: serve the page with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp.',
    ]);
    expect(settleThreads(setting, undefined, alone)).toHaveLength(1);
    expect(settleThreads(setting, 1, alone)).toEqual([]);
    expect(setting.numThreads).toBe(1);
  });
});

describe('what is missing', () => {
  it('is named with what to do', async () => {
    const error = new Error("Cannot find package 'onnxruntime-web'");
    expect(await failure(bringOnnxruntimeWeb(() => Promise.reject(error)))).toBe(
      "onnxruntime-web cannot be loaded: npm install onnxruntime-web (Cannot find package 'onnxruntime-web')",
    );
  });

  it('probeDevices says of every device whether it is there, and why not, as loading it does', async () => {
    const { devices, facts, defaultDevice } = await probeDevices();
    expect(defaultDevice).toBe('cpu');
    expect(facts).toMatchObject({ runtime: `Node ${process.versions.node}` });
    expect(devices.map(({ device }) => device)).toEqual(['cpu', 'cuda', 'wasm', 'webgpu', 'bits']);
    expect(devices[0]).toEqual({
      device: 'cpu',
      available: true,
      detail: expect.stringMatching(/^onnxruntime-node 1\./),
    });
    expect(devices[2]).toMatchObject({ device: 'wasm', available: true });
    for (const found of devices) {
      if (found.available) continue;
      expect(await failure(load(onnx, { device: found.device }))).toBe(
        `device '${found.device}': ${found.why}; ${found.remedy}`,
      );
    }
  });

  it('an old Node is told, and the oldest is that of package.json', async () => {
    expect(['18.20.0', '20.18.9'].map(nodeText)).toEqual([
      'Node 18.20.0, which is too old: expected 20.19 or newer',
      'Node 20.18.9, which is too old: expected 20.19 or newer',
    ]);
    expect(['20.19.0', '22.0.0'].map(nodeText)).toEqual(['Node 20.19.0', 'Node 22.0.0']);
    const { engines } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as {
      engines: { node: string };
    };
    expect(engines.node).toBe('>=20.19');
  });

  it('bitspike doctor prints it, for people and as JSON', async () => {
    const lines: string[] = [];
    const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      lines.push(...String(text).split('\n'));
      return true;
    });
    const code = await runProgram(['doctor', '--json']).finally(() => write.mockRestore());
    expect(code).toBe(0);
    const text = lines.join('\n').trim();
    expect(text).toMatch(/^cpu \(default\) +yes +onnxruntime-node 1\./m);
    expect(text).toMatch(/^wasm +yes +onnxruntime-web 1\./m);
    expect(JSON.parse(text.split('\n').at(-1) ?? '')).toMatchObject({
      defaultDevice: 'cpu',
      facts: { cores: expect.any(Number) },
    });
  });
});

const entropyOf = (p: readonly number[]): number =>
  p.reduce((sum, each) => sum - (each > 0 ? each * Math.log(each) : 0), 0);

const withoutMembers = ({ members, ...answer }: EnsembleAnswer): Classification => {
  expect(members.length).toBeGreaterThan(1);
  return answer;
};

describe.each(devices)('ensemble on %s', (device) => {
  let network: LoadedNetwork;

  beforeAll(async () => {
    network = await load(toOnnx(randomNetwork(model, 4, 3)), { device });
  });
  afterAll(() => network.close());

  it('gives what the members say, their mean, and both parts of the uncertainty', async () => {
    const answers = await network.ensemble(inputs);
    expect(answers).toHaveLength(5);
    for (const { members, probabilities, entropy: total, mutualInformation, label } of answers) {
      expect(members).toHaveLength(3);
      const mean = [0, 1, 2].map((index) => members.reduce((sum, member) => sum + member[index]!, 0) / 3);
      mean.forEach((each, index) => expect(probabilities[index]).toBeCloseTo(each, 5));
      expect(label).toBe(mean.indexOf(Math.max(...mean)));
      expect(total).toBeCloseTo(entropyOf(mean), 5);
      const own = members.reduce((sum, member) => sum + entropyOf([...member]), 0) / 3;
      expect(mutualInformation).toBeCloseTo(entropyOf(mean) - own, 5);
    }
    expect(answers.map(withoutMembers)).toEqual(await network.classify(inputs));
  });

  it('is not to be had of one network', async () => {
    const single = await load(onnx, { device });
    expect(await failure(single.ensemble(inputs))).toMatch(
      /^ensemble: this file holds one network; export several with --weights sample --count$/,
    );
    expect(await failure(single.classify(inputs, { samples: 2 }))).toMatch(
      /^classify: this network takes no noise/,
    );
    await single.close();
  });
});

describe('a network that takes noise', () => {
  const units = 3;
  const plain = denseModel({ type: 'float32', shape: [units] }, [units]);

  /** logits = input + noise. */
  function noisy(distribution: 'gaussian' | 'logistic'): Uint8Array {
    const graph = new Graph('noisy');
    const x = graph.input('input', 'float32', ['batch', units]);
    const noise = graph.input('noise.1.dense', 'float32', ['batch', units]);
    const logits = graph.node('Add', [x, noise], {}, { output: 'logits' });
    graph.output(logits, 'float32', ['batch', units]);
    graph.output(graph.node('Softmax', [logits], { axis: -1 }, { output: 'probabilities' }), 'float32', [
      'batch',
      units,
    ]);
    const description = {
      model: plain,
      weights: {},
      classes: ['a', 'b', 'c'],
      layers: [[]],
      noise: [{ input: 'noise.1.dense', dims: ['batch', units], distribution }],
    };
    return writeModel(defineOnnxModel(graph, { metadata: toMetadata(description) }));
  }

  it.each(
    devices.flatMap((device) => [
      ['gaussian', device, 1, 3] as const,
      ['logistic', device, Math.PI ** 2 / 3, 4.2] as const,
    ]),
  )('gets %s noise of the right size on %s', async (distribution, device, variance, kurtosis) => {
    const network = await load(noisy(distribution), { device });
    const { logits } = await network.run(new Float32Array(units * 20_000), { seed: 1 });
    const values = [...logits!.data];
    const moment = (power: number) => values.reduce((sum, value) => sum + value ** power, 0) / values.length;
    expect(moment(1)).toBeCloseTo(0, 1);
    expect(moment(2) / variance).toBeCloseTo(1, 1);
    expect(Math.abs(moment(4) / moment(2) ** 2 - kurtosis)).toBeLessThan(0.25);
    await network.close();
  });

  it('has the same bits from the same seed on every device, and others from another', async () => {
    const examples = Float32Array.from({ length: units * 4 }, (_, index) => index);
    const [cpu, wasm, bits] = await Promise.all(devices.map((device) => load(noisy('gaussian'), { device })));
    if (!cpu || !wasm || !bits) throw new Error('a device is missing');
    const first = await cpu.run(examples, { seed: 3 });
    expect(await cpu.run(examples, { seed: 3 })).toEqual(first);
    for (const other of [wasm, bits])
      expect((await other.run(examples, { seed: 3 })).logits).toEqual(first.logits);
    expect((await cpu.run(examples, { seed: 4 })).logits).not.toEqual(first.logits);
    expect((await cpu.run(examples)).logits).toEqual((await cpu.run(examples, { seed: 1 })).logits);
    // An example's noise does not depend on how many come after it.
    expect((await cpu.run(examples.slice(0, units), { seed: 3 })).logits!.data).toEqual(
      first.logits!.data.slice(0, units),
    );
    await Promise.all([cpu.close(), wasm.close(), bits.close()]);
  });

  it.each(devices)('answers with the mean of its samples, which are an ensemble, on %s', async (device) => {
    const network = await load(noisy('logistic'), { device });
    const examples = Float32Array.of(1, 2, 3, 0, 0, 0);
    const draws = { samples: 6, seed: 5 };
    const answers = await network.ensemble(examples, draws);
    for (const { members, probabilities } of answers) {
      expect(members).toHaveLength(6);
      expect(new Set(members.map((member) => member[0])).size).toBe(6);
      probabilities.forEach((each, index) =>
        expect(each).toBeCloseTo(members.reduce((sum, member) => sum + member[index]!, 0) / 6, 6),
      );
    }
    expect(answers.map(withoutMembers)).toEqual(await network.classify(examples, draws));
    const [single] = await network.classify(examples.slice(0, 3), { seed: 5 });
    expect(single!.probabilities).toEqual(answers[0]!.members[0]);
    expect(single!.mutualInformation).toBeUndefined();
    expect(await failure(network.ensemble(examples))).toMatch(/^ensemble: one sample is no ensemble/);
    expect(await failure(network.classify(examples, { samples: 0 }))).toMatch(/^classify: samples: /);
    await network.close();
  });

  it.each(devices)('is what export writes of a posterior, over time, too, on %s', async (device) => {
    const model = defineModel({
      input: { type: 'uint8', shape: [4], scale: 1 },
      steps: 3,
      layers: [dense({ units: 6 }), lif(), dense({ units: 3 }), readout()],
    });
    const random = Random.fromSeed(1, 'posterior');
    const learned = Object.entries(learnedShapes(model, { family: 'bernoulli' })).map(([name, shape]) => {
      const data = Float32Array.from({ length: sizeOf(shape) }, () => random.nextUniform() * 2 - 1);
      return [name, { shape, data }] as const;
    });
    const posterior = {
      family: 'bernoulli',
      model,
      learned: Object.fromEntries(learned),
      classNames: ['a', 'b', 'c'],
    } as const;
    const network = await load(toNoisyOnnx(posterior), { device });
    const examples = Uint8Array.from({ length: 24 }, (_, index) => index % 2);
    const draws = { samples: 5, seed: 2 };
    const answers = await network.ensemble(examples, draws);
    expect(answers).toHaveLength(2);
    expect(new Set(answers[0]!.members.map(String)).size).toBe(5);
    const [first] = await network.ensemble(examples.slice(0, 12), draws);
    first!.probabilities.forEach((each, index) =>
      expect(each).toBeCloseTo(answers[0]!.probabilities[index]!, 5),
    );
    await network.close();
  });

  it('draws alike for sequences whole and step by step, whatever runs beside them', () => {
    const inputs = [{ input: 'noise.a', dims: ['time', 'batch', 2], distribution: 'gaussian' }] as const;
    const { 'noise.a': both } = new NoiseFeed(inputs, 1, 0).forExamples(3, 2);
    const { 'noise.a': first } = new NoiseFeed(inputs, 1, 0).forExamples(3, 1);
    const data = both!.data as Float32Array;
    const ofFirst = Array.from({ length: 6 }, (_, index) => data[Math.floor(index / 2) * 4 + (index % 2)]);
    expect(ofFirst).toEqual([...(first!.data as Float32Array)]);
    const steps = new NoiseFeed(inputs, 1, 0);
    const [one, two] = [steps.forSteps(1, 1)['noise.a']!.data, steps.forSteps(2, 1)['noise.a']!.data];
    const parts = [...(one as Float32Array), ...(two as Float32Array)];
    expect(Float32Array.from(parts)).toEqual(first!.data);
  });
});

it('sha256 is that of Node', () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000]) {
    const bytes = randomBytes(length, length);
    expect(sha256(bytes)).toBe(createHash('sha256').update(bytes).digest('hex'));
  }
});
