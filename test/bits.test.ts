import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { type Member, runOracle, toOnnx } from '../export/index.ts';
import { openBits } from '../runtime/bits/runner.ts';
import { load } from '../runtime/index.ts';
import {
  binary,
  conv2d,
  defineModel,
  dense,
  flatten,
  lif,
  maxPool,
  type Model,
  readout,
} from '../schemas/index.ts';
import { stepsOf } from '../schemas/model.ts';
import {
  defineOnnxModel,
  Graph,
  type Model as OnnxModel,
  readModel,
  writeModel,
} from '../schemas/onnx/index.ts';
import { UserError } from '../schemas/errors.ts';
import { Random } from '../schemas/random.ts';
import { compareSeed, observable, randomInput } from './support/bits-identity.ts';
import { lineOf } from './support/error-line.ts';
import { mutationsOf } from './support/mutations.ts';
import { randomBytes, randomNetwork } from './support/networks.ts';
import { openPlain } from './support/plain-sessions.ts';
import { timeNetworks } from './support/time-networks.ts';

/** `BITSPIKE_NETWORKS=2000 npx vitest run test/bits.test.ts` compares more of them. */
const networks = Number(process.env.BITSPIKE_NETWORKS ?? 120);

const spikes = { type: 'uint8', shape: [13], scale: 1 } as const;

describe('random networks', () => {
  it('fire and answer as the reference interpreter and onnxruntime-node do', {
    timeout: 3_600_000,
  }, async () => {
    let [neurons, largest] = [0, 0];
    const wrong: number[] = [];
    for (let seed = 1; seed <= networks; seed++) {
      const differences = await compareSeed(seed, seed % 4 === 0);
      for (const each of differences) {
        neurons += each.neurons;
        largest = Math.max(largest, each.logits);
        if (each.spikes > 0 || each.predictions > 0) wrong.push(seed);
      }
    }
    expect(wrong).toEqual([]);
    expect(neurons).toBeGreaterThan(networks * 200);
    expect(largest).toBeLessThan(1e-5);
  });
});

describe('sums of spikes', () => {
  // From a single spike to all: the rows that add up the weights of what fires, and those that count over all.
  it.each([1, 20, 77, 130, 290, 517])('are exact where %i of 517 fire', async (active) => {
    const model = defineModel({
      input: { type: 'uint8', shape: [517], scale: 1 },
      layers: [dense({ units: 131 }), binary(), dense({ units: 3 }), readout()],
    });
    const network = randomNetwork(model, active);
    const { bytes, layers } = observable(network);
    const random = Random.fromSeed(active, 'spikes');
    const batch = 5;
    const data = new Uint8Array(batch * 517);
    for (let example = 0; example < batch; example++) {
      const row = data.subarray(example * 517, (example + 1) * 517);
      // One example fires always, which puts rows of both kinds into one call.
      if (example === 2) row.fill(1);
      for (let left = example === 2 ? 0 : active; left > 0; ) {
        const place = random.nextBelow(517);
        left -= row[place] ? 0 : 1;
        row[place] = 1;
      }
    }
    const expected = runOracle(network, network.members[0]!, data);
    for (const simd of [true, false]) {
      const runner = await openBits(bytes, { simd }, 'sums');
      const found = runner.runNow({ input: { type: 'uint8', dims: [batch, 517], data } }, runner.outputs);
      for (const name of layers.flat())
        expect(Array.from(found[name]!.data as Uint8Array, (value) => value / 255)).toEqual(
          Array.from(expected.layers[name]!),
        );
      expected.logits.forEach((value, index) => expect(found.logits!.data[index]).toBeCloseTo(value, 4));
    }
  });

  it('are exact with bytes, of however many bits', async () => {
    const model = defineModel({
      input: { type: 'uint8', shape: [70], scale: 1 / 255 },
      layers: [dense({ units: 40 }), binary(), dense({ units: 3 }), readout()],
    });
    const network = randomNetwork(model, 4);
    const runner = await openBits(toOnnx(network), {}, 'bytes');
    for (const most of [0, 1, 2, 3, 7, 8, 127, 128, 255]) {
      const data = randomBytes(210, most, most);
      const { logits } = runner.runNow({ input: { type: 'uint8', dims: [3, 70], data } }, ['logits']);
      const expected = runOracle(network, network.members[0]!, data).logits;
      (logits!.data as Float32Array).forEach((value, index) =>
        expect(value).toBeCloseTo(expected[index]!, 4),
      );
    }
  });
});

describe('real weights', () => {
  const model = defineModel({
    input: { type: 'uint8', shape: [7, 6, 3], scale: 1 / 255 },
    layers: [
      conv2d({ filters: 6, size: 3, groups: 3 }),
      binary(),
      conv2d({ filters: 5, size: 2 }),
      binary(),
      flatten(),
      dense({ units: 19 }),
      binary(),
      dense({ units: 4 }),
      readout(),
    ],
  });

  it.each([1, 2, 3])('are multiplied as the reference interpreter does: %i', async (seed) => {
    const network = randomNetwork(model, seed);
    const random = Random.fromSeed(seed, 'real weights');
    const [signs] = network.members as [Member];
    const member = Object.fromEntries(
      Object.entries(signs).map(([name, { shape, data, values }]) => [
        name,
        {
          values: 'real' as const,
          shape,
          data: Float32Array.from(data, (value) =>
            values === 'real' ? value : random.nextUniform() * 2 - 1,
          ),
        },
      ]),
    );
    const { bytes, layers } = observable({ ...network, choice: { weights: 'real' }, members: [member] });
    const data = randomBytes(3 * 126, seed);
    const expected = runOracle(network, member, data);
    for (const simd of [true, false]) {
      const runner = await openBits(bytes, { simd }, 'real');
      const found = runner.runNow({ input: { type: 'uint8', dims: [3, 7, 6, 3], data } }, runner.outputs);
      for (const name of layers.flat())
        expect(Array.from(found[name]!.data as Uint8Array)).toEqual(Array.from(expected.layers[name]!));
      expected.logits.forEach((value, index) => expect(found.logits!.data[index]).toBeCloseTo(value, 4));
    }
  });
});

describe('networks over time', () => {
  test.each(Object.entries(timeNetworks))(
    'a stream says what the whole sequence does: %s',
    async (_name, definition) => {
      const model = defineModel(definition);
      const network = randomNetwork(model, 3);
      const input = randomInput(model, 1, Random.fromSeed(9, 'stream'));
      const data = input.data as Uint8Array;
      const steps = stepsOf(model);
      const width = data.length / steps;
      const whole = runOracle(network, network.members[0]!, data).logits;
      const stream = (await load(toOnnx(network, { form: 'stream' }), { device: 'bits' })).stream();
      let last: ArrayLike<number> = [];
      for (let at = 0, count = 1; at < steps; at += count) {
        count = Math.min(1 + (at % 3), steps - at);
        last = (await stream.push(data.slice(at * width, (at + count) * width))).logits!.data;
      }
      expect(last.length).toBe(whole.length);
      whole.forEach((value, index) => expect(last[index]).toBeCloseTo(value, 3));
    },
  );

  it('steps on arrays that stay', async () => {
    const model = defineModel(timeNetworks['recurrent layers']!);
    const network = randomNetwork(model, 8);
    const bytes = toOnnx(network, { form: 'stream' });
    const { graph } = readModel(bytes);
    const runner = await openBits(bytes, {}, 'steps');
    const feeds = Object.fromEntries(
      graph.inputs.map(({ name, type, dims }) => {
        const sizes = dims!.map((size) => (typeof size === 'number' ? size : 1));
        const length = sizes.reduce((product, size) => product * size, 1);
        const data = type === 'uint8' ? new Uint8Array(length) : new Float32Array(length);
        return [name, { type: type as 'uint8', dims: sizes, data }];
      }),
    );
    const carried = graph.inputs
      .map(({ name }) => String(name))
      .filter((name) => name.startsWith('state.'))
      .map((input) => ({ input, output: input.replace('state.', 'next.') }));
    const stepper = runner.stepper(feeds, ['logits'], carried);
    const steps = stepsOf(model);
    const data = randomBytes(steps * 13, 5, 1);
    for (let step = 0; step < steps; step++) {
      (stepper.inputs.input!.data as Uint8Array).set(data.subarray(step * 13, (step + 1) * 13));
      stepper.step();
    }
    const expected = runOracle(network, network.members[0]!, data).logits;
    expected.forEach((value, index) => expect(stepper.outputs.logits!.data[index]).toBeCloseTo(value, 4));
    expect(
      await lineOf(() => runner.stepper(feeds, ['logits'], [{ input: 'input', output: 'logits' }])),
    ).toMatch(/'logits' cannot be fed to the input 'input'/);
    // A state that is spikes holds nothing else.
    const spiking = carried.find(({ input }) => input.endsWith('recurrent.spikes'))!.input;
    stepper.inputs[spiking]!.data[2] = 0.5;
    expect(await lineOf(() => stepper.step())).toMatch(/holds numbers other than 0 and 1/);
  });
});

/** The device that auto takes, and why. */
const chosen = async (batch: number, form: 'whole' | 'stream', of: Model) => {
  const network = await load(toOnnx(randomNetwork(of, 1), { form }), { device: 'auto', batch });
  await network.close();
  return [network.device, network.notes[0]];
};

const labels = (found: readonly { label: number }[]) => found.map(({ label }) => label);

describe('behind the interface of every device', () => {
  const model = defineModel({
    input: { type: 'uint8', shape: [8, 8, 3], scale: 1 / 255 },
    layers: [
      conv2d({ filters: 9, size: 3 }),
      binary(),
      maxPool({ size: 2 }),
      flatten(),
      dense({ units: 4 }),
      readout(),
    ],
  });
  const inputs = randomBytes(5 * 192, 2);

  it('classifies, runs, observes and tells the uncertainty of an ensemble as cpu does', async () => {
    const bytes = toOnnx(randomNetwork(model, 6, 3));
    const observe = ['member0.1.binary', 'member2.1.binary'];
    const [bits, cpu] = await Promise.all(
      (['bits', 'cpu'] as const).map((device) => load(bytes, { device, observe })),
    );
    const [own, other] = [await bits!.run(inputs), await cpu!.run(inputs)];
    expect(Object.keys(own)).toEqual(Object.keys(other));
    for (const [name, { dims, data }] of Object.entries(other)) {
      expect(own[name]!.dims).toEqual(dims);
      data.forEach((value, index) => expect(own[name]!.data[index]).toBeCloseTo(value, 5));
    }
    expect(labels(await bits!.classify(inputs))).toEqual(labels(await cpu!.classify(inputs)));
    expect(bits!.device).toBe('bits');
    await Promise.all([bits!.close(), cpu!.close()]);
  });

  it('keeps one bit for each weight, and gives memory back', async () => {
    const wide = defineModel({
      input: { type: 'uint8', shape: [1024], scale: 1 },
      layers: [dense({ units: 512 }), binary(), dense({ units: 4 }), readout()],
    });
    const runner = await openBits(toOnnx(randomNetwork(wide, 1)), {}, 'memory');
    const { weights, now } = runner.memory();
    expect(weights).toBeLessThan((1.01 * (1024 * 512 + 512 * 4)) / 8 + 4096);
    expect(now).toBeLessThan(weights + 65536);
    for (let batch = 1; batch < 20; batch++) {
      const data = new Uint8Array(batch * 1024);
      runner.runNow({ input: { type: 'uint8', dims: [batch, 1024], data } }, ['logits']);
    }
    // Programs of other batches came and went.
    expect(runner.memory().now).toBeLessThan(now + 20 * 4 * 8192);
    const before = runner.memory().now;
    await runner.release();
    expect(runner.memory().now).toBeLessThan(before);
  });

  it('is what auto takes where it is faster', async () => {
    const timed = defineModel(timeNetworks['recurrent layers']!);
    expect(await chosen(1, 'whole', timed)).toEqual([
      'bits',
      expect.stringMatching(
        /^auto chose bits: with 1 example at once, a spiking network was [\d.]+ × as fast on it as on cpu/,
      ),
    ]);
    expect(await chosen(64, 'whole', model)).toEqual([
      'cpu',
      expect.stringMatching(/^auto chose cpu: with 64 examples at once, a planes/),
    ]);
    expect(await chosen(64, 'stream', timed)).toEqual(['bits', expect.stringMatching(/a step of a stream/)]);
  });

  it('refuses feeds that do not fit', async () => {
    const runner = await openBits(toOnnx(randomNetwork(model, 6)), {}, 'digits.onnx');
    const feed = (type: 'uint8' | 'float32', dims: number[], data: Uint8Array | Float32Array) => () =>
      runner.runNow({ input: { type, dims, data } }, ['logits']);
    expect(await lineOf(feed('uint8', [1, 8, 8, 2], new Uint8Array(128)))).toBe(
      "digits.onnx: the input 'input' is uint8 [batch, 8, 8, 3]; got uint8 [1, 8, 8, 2] in an array of 128",
    );
    expect(await lineOf(feed('float32', [1, 8, 8, 3], new Float32Array(192)))).toMatch(/got float32/);
    expect(await lineOf(feed('uint8', [2, 8, 8, 3], new Uint8Array(192)))).toMatch(/in an array of 192/);
    expect(await lineOf(feed('uint8', [0, 8, 8, 3], new Uint8Array()))).toMatch(/got uint8 \[0/);
    expect(await lineOf(() => runner.runNow({}, []))).toMatch(/nothing for the input 'input'/);
    const data = new Uint8Array(192);
    expect(
      await lineOf(() => runner.runNow({ input: { type: 'uint8', dims: [1, 8, 8, 3], data } }, ['means'])),
    ).toMatch(/there is no output 'means'; expected one of logits/);
  });

  it('names what it cannot run, and the device that can', async () => {
    const graph = new Graph('other');
    const x = graph.input('input', 'float32', ['batch', 3]);
    graph.output(graph.node('Erf', [x], {}, { output: 'y' }), 'float32', ['batch', 3]);
    expect(await lineOf(() => openBits(writeModel(defineOnnxModel(graph)), {}, 'erf.onnx'))).toBe(
      "erf.onnx: device bits cannot compute the operator Erf of 'y' (it has no such operator); open the model on device cpu",
    );
    const foreign = new Graph('foreign');
    const z = foreign.input('input', 'float32', ['batch', 3]);
    foreign.output(foreign.node('Gelu', [z], {}, { output: 'y', domain: 'com.microsoft' }), 'float32', [
      'batch',
      3,
    ]);
    const bytes = writeModel(defineOnnxModel(foreign, { domains: { 'com.microsoft': 1 } }));
    expect(await lineOf(() => openBits(bytes, {}, 'gelu.onnx'))).toMatch(
      /does not know the operator com.microsoft.Gelu of 'y'; open the model on device cpu/,
    );
  });
});

/** A change of one thing in a graph, in the places where it can be made. */
function spoil(bytes: Uint8Array, random: Random): Uint8Array {
  const onnx: OnnxModel = readModel(bytes);
  const nodes = [...onnx.graph.nodes];
  const index = random.nextBelow(nodes.length);
  const node = nodes[index]!;
  const others = nodes.flatMap(({ outputs }) => outputs).filter(Boolean);
  const changes = [
    () => ({ ...node, inputs: node.inputs.toReversed() }),
    () => ({ ...node, inputs: node.inputs.slice(1) }),
    () => ({ ...node, inputs: node.inputs.map(() => others[random.nextBelow(others.length)]!) }),
    () => ({ ...node, attributes: new Map() }),
    () => ({
      ...node,
      op: ['Add', 'MatMul', 'Conv', 'Reshape', 'Transpose', 'Scan'][random.nextBelow(6)]!,
    }),
  ];
  nodes[index] = changes[random.nextBelow(changes.length)]!();
  onnx.graph.replace({ nodes });
  return writeModel(onnx);
}

describe('files that were damaged', () => {
  const model = defineModel({
    input: { ...spikes, shape: [5, 5, 2] },
    steps: 3,
    layers: [conv2d({ filters: 3, size: 3 }), lif(), flatten(), dense({ units: 3 }), readout()],
  });
  const feeds = { input: { type: 'uint8' as const, dims: [3, 2, 5, 5, 2], data: randomBytes(300, 1, 1) } };

  const attempt = async (bytes: Uint8Array) => {
    const runner = await openBits(bytes, {}, 'damaged');
    return runner.runNow(feeds, ['logits']);
  };

  it('are refused with one line, or run', { timeout: 60_000 }, async () => {
    const bytes = toOnnx(randomNetwork(model, 1));
    let [taken, refused] = [0, 0];
    await fc.assert(
      fc.asyncProperty(mutationsOf(bytes), async (mutated) => {
        try {
          await attempt(mutated);
          taken++;
        } catch (error) {
          if (!(error instanceof UserError) || error.message.includes('\n')) throw error;
          refused++;
        }
      }),
      { seed: 3, numRuns: 150 },
    );
    expect(refused).toBeGreaterThan(20);
    expect(taken).toBeGreaterThan(5);
  });

  it('say what onnxruntime says, where both take a graph whose nodes were changed', {
    timeout: 60_000,
  }, async () => {
    const bytes = toOnnx(randomNetwork(model, 1), { functions: false });
    let [both, refused] = [0, 0];
    for (let seed = 0; seed < 60; seed++) {
      const spoilt = spoil(bytes, Random.fromSeed(seed, 'changes'));
      const ours = await attempt(spoilt).catch((error: unknown) => {
        if (!(error instanceof UserError)) throw error;
        return undefined;
      });
      if (!ours) {
        refused++;
        continue;
      }
      const theirs = await openPlain(spoilt, 'cpu')
        .then((session) => session.run(feeds))
        .catch(() => undefined);
      if (!theirs) continue;
      both++;
      const { data, dims } = theirs.logits!;
      expect(ours.logits!.dims).toEqual(dims);
      data.forEach((value, place) => expect(Number(ours.logits!.data[place])).toBeCloseTo(Number(value), 3));
    }
    expect(both).toBeGreaterThan(3);
    expect(refused).toBeGreaterThan(15);
  });
});
