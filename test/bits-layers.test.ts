/** Every layer and option that is exported, in every form, on the 1-bit engine against onnxruntime. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { toNoisyOnnx, toOnnx, toOnnxFiles } from '../export/index.ts';
import type { OnnxOptions } from '../export/onnx-options.ts';
import { openBits } from '../runtime/bits/runner.ts';
import { load } from '../runtime/index.ts';
import type { HostTensor, HostTensors } from '../runtime/runner.ts';
import { zeroStates } from '../runtime/states.ts';
import { describe as describeModel } from '../schemas/description.ts';
import {
  adaptiveLif,
  averagePool,
  binary,
  conv2d,
  cubaLif,
  defineModel,
  dense,
  encode,
  type EncoderSpec,
  flatten,
  globalAveragePool,
  integrateAndFire,
  leakyIntegrator,
  lif,
  maxPool,
  type Model,
  type ModelDefinition,
  normalise,
  readout,
  recurrent,
  residual,
} from '../schemas/index.ts';
import {
  countFrames,
  delta,
  direct,
  encoders,
  latency,
  rate,
  timeFrames,
} from '../schemas/encoders/index.ts';
import { sizeOf } from '../schemas/layer.ts';
import { layers } from '../schemas/layers/index.ts';
import { stepsOf } from '../schemas/model.ts';
import { type Node, readModel, type Value, writeModel } from '../schemas/onnx/index.ts';
import { Random } from '../schemas/random.ts';
import { observable, randomInput } from './support/bits-identity.ts';
import { lineOf } from './support/error-line.ts';
import { randomPosterior } from './support/exported-forms.ts';
import { randomBytes, randomNetwork } from './support/networks.ts';
import { openPlain } from './support/plain-sessions.ts';

const spikes = { type: 'uint8', shape: [13], scale: 1 } as const;
const perStep = true;

/** Of every layer at least one, and of every option. */
const models: Readonly<Record<string, ModelDefinition>> = {
  dense: {
    input: { type: 'uint8', shape: [30], scale: 1 / 255 },
    layers: [dense({ units: 17 }), binary({ threshold: 0.5 }), dense({ units: 5 }), readout()],
  },
  'dense of real inputs': {
    input: { type: 'float32', shape: [12] },
    layers: [
      normalise({ mean: Array(12).fill(0.2), deviation: Array(12).fill(0.7) }),
      dense({ units: 17 }),
      binary(),
      dense({ units: 5 }),
      readout(),
    ],
  },
  planes: {
    input: { type: 'uint8', shape: [9, 8, 4], scale: 1 / 255 },
    layers: [
      conv2d({ filters: 6, size: [3, 2], stride: [1, 2], groups: 2 }),
      binary(),
      residual({ layers: [conv2d({ filters: 7, size: 3 }), binary()] }),
      maxPool({ size: 2, stride: 1 }),
      conv2d({ filters: 5, size: 2, padding: 'valid' }),
      binary(),
      averagePool({ size: 2 }),
      conv2d({ filters: 6, size: 1 }),
      binary(),
      globalAveragePool(),
      flatten(),
      dense({ units: 3 }),
      readout(),
    ],
  },
  'normalised planes': {
    input: { type: 'float32', shape: [5, 5, 3] },
    layers: [
      normalise({ mean: [0.1, 0.2, 0.3], deviation: [1, 0.5, 2] }),
      conv2d({ filters: 4, size: 3 }),
      binary(),
      flatten(),
      dense({ units: 3 }),
      readout(),
    ],
  },
  'neurons with a state': {
    input: spikes,
    steps: 7,
    layers: [
      dense({ units: 9 }),
      integrateAndFire({ reset: 'zero', learnThreshold: true }),
      dense({ units: 8 }),
      lif({ threshold: 0.7, decay: 0.9, learnDecay: true, learnThreshold: true, reset: 'none' }),
      dense({ units: 9 }),
      adaptiveLif({ adaptation: 0.4, adaptationDecay: 0.8 }),
      dense({ units: 7 }),
      cubaLif({ synapseDecay: 0.6, reset: 'zero' }),
      dense({ units: 5 }),
      leakyIntegrator({ learnDecay: true }),
      readout({ over: 'maximum' }),
    ],
  },
  'recurrent layers': {
    input: spikes,
    steps: 6,
    layers: [
      recurrent({ units: 9, neuron: lif({ threshold: 0.5 }) }),
      recurrent({ units: 8, neuron: integrateAndFire() }),
      recurrent({ units: 7, neuron: adaptiveLif({ reset: 'zero' }) }),
      recurrent({ units: 6, neuron: cubaLif() }),
      dense({ units: 5 }),
      readout({ over: 'last' }),
    ],
  },
  'planes over time': {
    input: { type: 'uint8', shape: [6, 6, 2], scale: 1 },
    steps: 4,
    layers: [
      conv2d({ filters: 4, size: 3 }),
      lif({ learnDecay: true }),
      residual({ layers: [conv2d({ filters: 5, size: 3, stride: 2 }), lif()] }),
      averagePool({ size: 2 }),
      conv2d({ filters: 3, size: 1 }),
      adaptiveLif(),
      flatten(),
      dense({ units: 4 }),
      readout(),
    ],
  },
  'gains of every step': {
    input: spikes,
    steps: 6,
    layers: [
      dense({ units: 9, perStep }),
      binary({ threshold: 0.3 }),
      dense({ units: 18, perStep }),
      lif({ threshold: 0.5 }),
      dense({ units: 7 }),
      binary(),
      dense({ units: 5, perStep }),
      readout(),
    ],
  },
  'recurrent layers, gains of every step': {
    input: { type: 'uint8', shape: [13], scale: 0.25 },
    steps: 5,
    layers: [
      recurrent({ units: 9, perStep, neuron: lif({ threshold: 0.5 }) }),
      recurrent({ units: 17, perStep, neuron: lif({ reset: 'zero', learnDecay: true }) }),
      dense({ units: 5, perStep }),
      leakyIntegrator(),
      readout({ over: 'last' }),
    ],
  },
  // More rows than are computed at once.
  'planes, gains of every step': {
    input: { type: 'uint8', shape: [12, 11, 2], scale: 1 },
    steps: 4,
    layers: [
      conv2d({ filters: 4, size: 3, perStep }),
      lif({ threshold: 0.5 }),
      residual({ layers: [conv2d({ filters: 4, size: 3, perStep }), binary({ threshold: 0.4 })] }),
      averagePool({ size: 2 }),
      conv2d({ filters: 3, size: 2, perStep }),
      binary(),
      flatten(),
      dense({ units: 4, perStep }),
      readout({ over: 'maximum' }),
    ],
  },
};

/** What a graph is fed: examples, and states as they are before the first call. */
function feedsFor(bytes: Uint8Array, input: HostTensor, batch: number): HostTensors {
  const { states = [] } = describeModel(readModel(bytes), 'test');
  return { input, ...zeroStates(states, batch) };
}

/** Forms that a model is exported in, and how many members it has then. */
function formsOf(model: Model): readonly (readonly [OnnxOptions, number])[] {
  const always: (readonly [OnnxOptions, number])[] = [
    [{}, 1],
    [{ functions: false }, 2],
    [{ target: 'gpu', unroll: false, opset: 26 }, 1],
  ];
  if (stepsOf(model) === 1) return always;
  return [...always, [{ unroll: true }, 1], [{ form: 'stream' }, 1], [{ form: 'stream' }, 2]];
}

/** Outputs whose numbers come of exponentials and logarithms, and sums whose order a runtime chooses. */
const isRounded = (name: string, model: Model): boolean =>
  /probabilities|entropy|information/.test(name) || (name === 'logits' && model.input.type === 'float32');

const largestGap = (a: HostTensor, b: HostTensor): number =>
  Array.from(a.data as Float32Array).reduce(
    (gap, value, index) => Math.max(gap, Math.abs(Number(value) - Number(b.data[index]))),
    0,
  );

/** Outputs that are not what onnxruntime gives: bit by bit, or nearly where numbers are rounded. */
const differing = (found: HostTensors, expected: HostTensors, model: Model): string[] =>
  Object.entries(expected).flatMap(([name, theirs]) => {
    const ours = found[name];
    const shapes = [ours, theirs].map((tensor) => `${name} ${tensor?.type} [${tensor?.dims.join()}]`);
    if (!ours || shapes[0] !== shapes[1]) return [shapes.join(' instead of ')];
    const gap = largestGap(ours, theirs);
    return gap <= (isRounded(name, model) ? 1e-6 : 0) ? [] : [`${name}: ${gap}`];
  });

describe.each(Object.entries(models))('%s', (_name, definition) => {
  const model = defineModel(definition);

  it.each(formsOf(model))('says the same bits as onnxruntime: %j, members %i', async (options, members) => {
    let fired = 0;
    const batch = members === 1 ? 3 : 1;
    const { bytes, layers: names } = observable(randomNetwork(model, 1, members), options);
    const input = randomInput(model, batch, Random.fromSeed(1, 'inputs'));
    const feeds = feedsFor(bytes, input, batch);
    const session = await openPlain(bytes, 'cpu');
    const expected = await session.run(feeds);
    await session.release();
    for (const simd of [true, false]) {
      const runner = await openBits(bytes, { simd }, 'network');
      expect(differing(runner.runNow(feeds, runner.outputs), expected, model)).toEqual([]);
      await runner.release();
    }
    for (const name of names.flat())
      for (const spike of expected[name]!.data) fired += Number(Number(spike) > 0);
    expect(fired).toBeGreaterThan(0);
  });
});

test('all kinds of layers are among them', () => {
  const seen = new Set(
    JSON.stringify(models)
      .match(/"kind":"\w+"/g)!
      .map((kind) => kind.slice(8, -1)),
  );
  expect([...seen].sort()).toEqual(Object.keys(layers).sort());
});

describe('networks over time', () => {
  // What has no fast form here costs a hundred times as much: each of these must keep its own.
  it.each(Object.keys(models).filter((name) => models[name]!.steps))('are fast: %s', async (name) => {
    const model = defineModel(models[name]!);
    const [whole, stream] = await Promise.all(
      (['whole', 'stream'] as const).map((form) =>
        openBits(toOnnx(randomNetwork(model, 1), { form }), {}, name),
      ),
    );
    expect([...whole!.slow(), ...stream!.slow()]).toEqual([]);
  });

  it('goes on with the numbers of the last step, each stream at its own', async () => {
    const model = defineModel(models['recurrent layers, gains of every step']!);
    const bytes = toOnnx(randomNetwork(model, 3), { form: 'stream' });
    const observe = ['0.recurrent', '1.recurrent'];
    const [bits, cpu] = await Promise.all(
      (['bits', 'cpu'] as const).map((device) => load(bytes, { device, observe })),
    );
    const streams = [bits!.stream({ batch: 2 }), cpu!.stream({ batch: 2 })] as const;
    for (let call = 0; call < 9; call++) {
      const steps = randomBytes((1 + (call % 3)) * 2 * 13, call + 1, 4);
      if (call === 4) for (const stream of streams) stream.reset([1]);
      const [found, expected] = [await streams[0].push(steps), await streams[1].push(steps)];
      for (const output of [...observe, 'logits'])
        expect([output, found[output]]).toEqual([output, expected[output]]);
    }
    expect(streams[0].snapshot()).toEqual(streams[1].snapshot());
    await Promise.all([bits!.close(), cpu!.close()]);
  });
});

describe('encoders', () => {
  const random = Random.fromSeed(3, 'examples');
  const uniform = (length: number) => Float32Array.from({ length }, () => random.nextUniform());
  const image = { values: uniform(12), steps: 1, shape: [12] };
  const sequence = { values: uniform(72), steps: 6, shape: [12] };
  const times = Float64Array.from({ length: 60 }, (_, index) => index / 60);
  const channels = Int32Array.from(times, () => random.nextBelow(12));
  const events = { times, channels, shape: [12] };
  const specs: readonly EncoderSpec[] = [
    direct({ steps: 6 }),
    rate({ steps: 6 }),
    latency({ steps: 6 }),
    delta({ threshold: 0.2 }),
    timeFrames({ steps: 6, duration: 1 }),
    countFrames({ steps: 6 }),
  ];

  it.each(specs)('$kind gives sequences that fire the same neurons', async (spec) => {
    const { takes } = encoders[spec.kind].encoder;
    const example = takes === 'image' ? image : takes === 'sequence' ? sequence : events;
    const { values, steps, shape } = encode(spec, example as never, Random.fromSeed(1, 'spikes'));
    const whole = values.every((value) => Number.isInteger(value) && value >= 0 && value < 256);
    const model = defineModel({
      input: whole ? { type: 'uint8', shape, scale: 1 } : { type: 'float32', shape },
      steps,
      layers: [
        ...(shape.length > 1 ? [flatten()] : []),
        dense({ units: 9 }),
        lif({ threshold: 0.3 }),
        dense({ units: 3 }),
        readout(),
      ],
    });
    const { bytes } = observable(randomNetwork(model, 5));
    const dims = [steps, 1, ...shape];
    const input: HostTensor = whole
      ? { type: 'uint8', dims, data: Uint8Array.from(values) }
      : { type: 'float32', dims, data: values };
    const session = await openPlain(bytes, 'cpu');
    const expected = await session.run({ input });
    await session.release();
    const runner = await openBits(bytes, {}, spec.kind);
    expect(differing(runner.runNow({ input }, runner.outputs), expected, model)).toEqual([]);
  });

  test('all of them are here', () => {
    expect(specs.map(({ kind }) => kind).sort()).toEqual(Object.keys(encoders).sort());
  });
});

describe('networks that take noise', () => {
  it.each(['dense', 'neurons with a state'])('run, though not fast: %s', async (name) => {
    const model = defineModel(models[name]!);
    const bytes = toNoisyOnnx(randomPosterior(model));
    const { noise = [] } = describeModel(readModel(bytes), name);
    const steps = stepsOf(model);
    const input = randomInput(model, 2, Random.fromSeed(1, 'inputs'));
    const drawn = noise.map(({ input: port, dims }, index): [string, HostTensor] => {
      const sizes = dims.map((size) => (size === 'time' ? steps : size === 'batch' ? 2 : Number(size)));
      const random = Random.fromSeed(index, 'noise');
      const data = Float32Array.from({ length: sizeOf(sizes) }, () => random.nextUniform() * 4 - 2);
      return [port, { type: 'float32', dims: sizes, data }];
    });
    const feeds = { input, ...Object.fromEntries(drawn) };
    const session = await openPlain(bytes, 'cpu');
    const expected = await session.run(feeds);
    await session.release();
    const runner = await openBits(bytes, {}, name);
    const found = runner.runNow(feeds, runner.outputs);
    // Means of weights are real: sums of them are rounded in the order of each runtime.
    expect(largestGap(found.logits!, expected.logits!)).toBeLessThan(1e-4);
    const network = await load(bytes, { device: 'auto' });
    expect([network.device, network.notes[0]]).toEqual([
      'cpu',
      'auto chose cpu: the weights of a network that takes noise are real numbers',
    ]);
    await network.close();
  });
});

test('tensors in a file beside the .onnx are read', async () => {
  const model = defineModel(models['gains of every step']!);
  const network = randomNetwork(model, 2);
  const { model: bytes, data } = toOnnxFiles(network, {}, { threshold: 16, nameOf: () => 'weights.bin' });
  const folder = await mkdtemp(join(tmpdir(), 'bitspike-bits-'));
  await writeFile(join(folder, 'net.onnx'), bytes);
  await writeFile(join(folder, 'weights.bin'), Buffer.concat(data!.parts));
  const inputs = randomBytes(2 * 6 * 13, 1, 1);
  const [apart, together] = await Promise.all(
    [join(folder, 'net.onnx'), toOnnx(network)].map((source) => load(source, { device: 'bits' })),
  );
  expect(await apart!.run(inputs)).toEqual(await together!.run(inputs));
  await Promise.all([apart!.close(), together!.close()]);
  await rm(folder, { recursive: true });
});

describe('what cannot run', () => {
  const model = defineModel(models['neurons with a state']!);

  /** The same file with an operator that the engine lacks in place of another. */
  function spoilt(options: OnnxOptions, op: string, where: (node: Node) => boolean): Uint8Array {
    const onnx = readModel(toOnnx(randomNetwork(model, 1), options));
    const graphs = [onnx.graph, ...onnx.functions.map(({ body }) => body)];
    const change = (node: Node): Node => (node.op === op && where(node) ? { ...node, op: 'Erf' } : node);
    for (const graph of graphs) graph.replace({ nodes: graph.nodes.map(change) });
    return writeModel(onnx);
  }

  it.each([
    [{ functions: false }, 'Add', (node: Node) => node.inputs.includes('2.dense.bias' as Value)],
    [{}, 'ReduceMax', () => true],
  ] as const)('is refused by the name of its layer: %j', async (options, op, where) => {
    const layer = op === 'Add' ? '2.dense' : '10.readout';
    expect(await lineOf(() => openBits(spoilt(options, op, where), {}, 'net.onnx'))).toMatch(
      new RegExp(
        `^net.onnx: device bits cannot compute the layer ${layer}: the operator Erf of '[^']+' \\(it has no such operator\\); open the model on device cpu$`,
      ),
    );
  });
});
