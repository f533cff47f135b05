import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { freeze, type Network, recalibrate, runOracle, toOnnx } from '../export/index.ts';
import type { OnnxOptions } from '../export/onnx-options.ts';
import { load } from '../runtime/index.ts';
import {
  averagePool,
  binary,
  conv2d,
  defineModel,
  dense,
  flatten,
  leakyIntegrator,
  lif,
  type Model,
  type ModelDefinition,
  parametersOf,
  type Posterior,
  Random,
  readout,
  recurrent,
  residual,
} from '../schemas/index.ts';
import { decodePosterior, encodePosterior } from '../schemas/checkpoint/posterior.ts';
import { describe as describeModel } from '../schemas/description.ts';
import { sizeOf } from '../schemas/layer.ts';
import { forward, stepsOf } from '../schemas/model.ts';
import { readModel, type Value, writeModel } from '../schemas/onnx/index.ts';
import { type Dataset, train } from '../train/index.ts';
import { momentsOps } from '../train/moments.ts';
import { initialPosterior, parameterMoments } from '../train/posterior.ts';
import { lineOf } from './support/error-line.ts';
import { randomBytes, randomNetwork } from './support/networks.ts';
import { gaussians, numbersOf, relativeDifference } from './support/numbers.ts';
import { openPlain, openStream } from './support/plain-sessions.ts';

const spikes = { type: 'uint8', shape: [13], scale: 1 } as const;
const perStep = true;

const networks: Readonly<Record<string, ModelDefinition>> = {
  'spiking and binary neurons': {
    input: spikes,
    steps: 6,
    layers: [
      dense({ units: 9, perStep }),
      binary({ threshold: 0.3 }),
      dense({ units: 8, perStep }),
      lif({ threshold: 0.5 }),
      dense({ units: 7 }),
      binary(),
      dense({ units: 5, perStep }),
      readout(),
    ],
  },
  'recurrent layers': {
    input: { type: 'uint8', shape: [13], scale: 0.25 },
    steps: 5,
    layers: [
      recurrent({ units: 9, perStep, neuron: lif({ threshold: 0.5 }) }),
      recurrent({ units: 7, perStep, neuron: lif({ reset: 'zero', learnDecay: true }) }),
      dense({ units: 5, perStep }),
      leakyIntegrator(),
      readout({ over: 'last' }),
    ],
  },
  planes: {
    input: { type: 'uint8', shape: [6, 5, 2], scale: 1 },
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

const BATCH = 3;

/** The same file with the spikes of its layers as outputs. */
function observed(bytes: Uint8Array): { model: Uint8Array; layers: readonly (readonly string[])[] } {
  const model = readModel(bytes);
  const { layers } = describeModel(model, 'observed');
  const types = new Map(model.graph.outputs.map(({ name, type }) => [String(name), type]));
  for (const name of layers.flat()) if (!types.has(name)) model.graph.output(name as Value, 'uint8');
  return { model: writeModel(model), layers };
}

function inputsFor(model: Model, seed: number): Uint8Array {
  const most = model.input.type === 'uint8' && model.input.scale === 1 ? 2 : 255;
  return randomBytes(stepsOf(model) * BATCH * sizeOf(model.input.shape), seed, most);
}

/** How often exported neurons fire otherwise than the reference, and how often they fire. */
function differences(
  network: Network,
  inputs: Uint8Array,
  layers: readonly (readonly string[])[],
  found: (name: string) => ArrayLike<number | bigint>,
) {
  const counts = { differing: 0, fired: 0, neurons: 0 };
  network.members.forEach((member, index) => {
    const oracle = runOracle(network, member, inputs);
    for (const name of layers[index]!) {
      const spiked = Array.from(found(name), (value) => (value > 0 ? 1 : 0));
      const expected = oracle.layers[name.replace(/^member\d+\./, '')]!;
      expect(spiked).toHaveLength(expected.length);
      expected.forEach((spike, place) => {
        counts.differing += Number(spike !== spiked[place]);
        counts.fired += spike;
      });
      counts.neurons += expected.length;
    }
  });
  return counts;
}

const forms: readonly OnnxOptions[] = [{}, { functions: false }, { unroll: true }];

describe.each(Object.entries(networks))('gains and biases of every step: %s', (_name, definition) => {
  const model = defineModel(definition);

  test.each(forms)('exported, neurons fire exactly as in the reference: %j', async (form) => {
    const totals = { differing: 0, fired: 0, neurons: 0 };
    for (const [seed, members] of [
      [1, 1],
      [2, 1],
      [3, 2],
    ] as const) {
      const network = randomNetwork(model, seed, members);
      const inputs = inputsFor(model, seed);
      const { model: bytes, layers } = observed(toOnnx(network, form));
      const session = await openPlain(bytes, 'cpu');
      const dims = [stepsOf(model), BATCH, ...model.input.shape];
      const outputs = await session.run({ input: { type: 'uint8', dims, data: inputs } });
      await session.release();
      const counts = differences(network, inputs, layers, (name) => outputs[name]!.data);
      for (const key of ['differing', 'fired', 'neurons'] as const) totals[key] += counts[key];
      if (members > 1) continue;
      const { logits } = runOracle(network, network.members[0]!, inputs);
      expect(relativeDifference(Array.from(outputs['logits']!.data, Number), [...logits])).toBeLessThan(1e-5);
    }
    expect(totals.differing).toBe(0);
    expect(totals.fired).toBeGreaterThan(0.02 * totals.neurons);
    expect(totals.fired).toBeLessThan(0.98 * totals.neurons);
  });

  test('as a stream, they fire so however it is cut into calls', async () => {
    const steps = stepsOf(model);
    const network = randomNetwork(model, 4);
    const inputs = inputsFor(model, 4);
    const { model: bytes, layers } = observed(toOnnx(network, { form: 'stream' }));
    const stream = await openStream(bytes, 'cpu');
    for (const chunks of [[steps], Array.from({ length: steps }, () => 1), [1, 2, steps - 3]]) {
      const calls = await stream.feed(inputs, BATCH, chunks);
      const found = (name: string) => calls.flatMap((outputs) => Array.from(outputs[name]!.data, Number));
      expect(differences(network, inputs, layers, found).differing).toBe(0);
    }
    await stream.release();
  });

  test('steps after the last have those of the last', async () => {
    const network = randomNetwork(model, 5);
    const [steps, more] = [stepsOf(model), 2];
    // The same network with that many more steps, whose numbers are written out.
    const longer: Network = {
      ...network,
      model: defineModel({ ...definition, steps: steps + more }),
      members: network.members.map((member) =>
        Object.fromEntries(
          Object.entries(member).map(([name, tensor]) => {
            if (tensor.values !== 'real' || !tensor.perStep) return [name, tensor];
            const channels = tensor.shape[1]!;
            const last = Array.from(tensor.data.subarray(-channels));
            const data = Float32Array.from([...tensor.data, ...last, ...last]);
            return [name, { ...tensor, shape: [steps + more, channels], data }];
          }),
        ),
      ),
    };
    const inputs = inputsFor(longer.model, 6);
    const { model: bytes, layers } = observed(toOnnx(network));
    const session = await openPlain(bytes, 'cpu');
    const dims = [steps + more, BATCH, ...model.input.shape];
    const outputs = await session.run({ input: { type: 'uint8', dims, data: inputs } });
    await session.release();
    expect(differences(longer, inputs, layers, (name) => outputs[name]!.data).differing).toBe(0);
  });
});

/** A parameter of every step. */
const ofSteps = (shape: number[], data: number[]) =>
  ({ values: 'real', shape, data: Float32Array.from(data), perStep }) as const;

describe('a step has its own gain and bias', () => {
  const steps = 3;
  const model = defineModel({
    input: [2],
    steps,
    layers: [dense({ units: 2, perStep }), leakyIntegrator({ decay: 0.5 }), readout({ over: 'last' })],
  });
  const gain = [1, -2, 0.5, 3, 0.25, -1];
  const bias = [0.1, 0.2, -0.3, 0.4, 0.5, -0.6];
  const lambda = [0.3, -0.2, 0.5, 0.1];
  const inputs = [1, 2, -1, 0.5, 0.25, -2];

  test('in training', () => {
    const learned = {
      '0.dense.weight.lambda': tf.tensor(lambda, [2, 2]),
      '0.dense.gain.value': tf.tensor(gain, [steps, 2]),
      '0.dense.bias.value': tf.tensor(bias, [steps, 2]),
      '0.dense.bias.rho': tf.tensor([-1]),
    };
    const found = numbersOf(() => {
      const ops = momentsOps({ steps, spike: (drive) => drive, noise: (shape) => tf.zeros([...shape]) });
      return forward(ops, model, parameterMoments(model, learned), { mean: tf.tensor(inputs, [steps, 2]) })
        .mean;
    });
    const expected = [0, 0];
    for (let step = 0; step < steps; step++) {
      for (const unit of [0, 1]) {
        const sum = [0, 1].reduce(
          (total, place) => total + inputs[2 * step + place]! * Math.tanh(lambda[2 * place + unit]!),
          0,
        );
        expected[unit] = 0.5 * expected[unit]! + gain[2 * step + unit]! * sum + bias[2 * step + unit]!;
      }
    }
    expect(relativeDifference(found, expected)).toBeLessThan(1e-6);
  });

  test('in the reference', () => {
    const member = {
      '0.dense.weight': { values: 'binary', shape: [2, 2], data: Int8Array.of(1, -1, 1, 1) },
      '0.dense.gain': ofSteps([steps, 2], gain),
      '0.dense.bias': ofSteps([steps, 2], bias),
    } as const;
    const network = { ...randomNetwork(model, 1), members: [member] };
    const { layers } = runOracle(network, member, Float32Array.from(inputs));
    const expected = Array.from({ length: steps * 2 }, (_, index) => {
      const [step, unit] = [Math.floor(index / 2), index % 2];
      const [a, b] = [inputs[2 * step]!, inputs[2 * step + 1]!];
      return gain[index]! * (unit === 0 ? a + b : b - a) + bias[index]!;
    });
    expect(relativeDifference([...layers['0.dense']!], expected)).toBeLessThan(1e-6);
  });
});

/** Four kinds of sequences of four steps: which of the steps is bright. */
function sequences(count: number): Dataset {
  const random = Random.fromSeed(5, 'sequences');
  const labels = Uint8Array.from({ length: count }, () => random.nextBelow(4));
  const inputs = Uint8Array.from({ length: count * 4 * 6 }, (_, at) => {
    const step = Math.floor(at / 6) % 4;
    return (step === labels[Math.floor(at / 24)]! ? 120 : 0) + random.nextBelow(100);
  });
  const facts = { shape: [6], steps: 4, scale: 1 / 255, classes: 4, classNames: ['a', 'b', 'c', 'd'] };
  return { name: 'sequences', inputs, labels, count, ...facts };
}

describe('learned', () => {
  const data = sequences(96);
  const model = defineModel({
    input: { type: 'uint8', shape: [6], scale: 1 / 255 },
    steps: 4,
    layers: [
      dense({ units: 12, perStep }),
      binary(),
      recurrent({ units: 8, perStep, neuron: lif({ threshold: 0.5 }) }),
      dense({ units: 4, perStep }),
      readout(),
    ],
  });
  const options = { epochs: 4, batchSize: 16, seed: 2, threads: 1, initialGain: 'data' } as const;

  test('every step comes to its own, also in a folder, and frozen', async () => {
    const posterior = await train(model, data, options);
    for (const [name, { role, shape }] of Object.entries(parametersOf(model))) {
      if (role !== 'gain' && role !== 'bias') continue;
      // The mean over time has the same gradient for the biases of all steps before it.
      if (name === '3.dense.bias') continue;
      const { data: values } = posterior.learned[`${name}.value`]!;
      const channels = shape[1]!;
      expect(shape[0]).toBe(4);
      const first = values.slice(0, channels);
      for (let step = 1; step < 4; step++)
        expect(values.slice(step * channels, (step + 1) * channels), name).not.toEqual(first);
    }
    const files = encodePosterior(posterior);
    expect(decodePosterior(files, 'again').posterior.learned).toEqual(posterior.learned);

    const frozen = freeze(posterior);
    expect(frozen.members[0]!['0.dense.gain']).toMatchObject({ shape: [4, 12], perStep });
    const network = await load(toOnnx(frozen));
    const answers = await network.classify(data.inputs);
    await network.close();
    expect(answers).toHaveLength(96);
  });

  test('recalibration moves the biases of all steps of a channel together', async () => {
    const posterior = await train(model, data, options);
    const frozen = freeze(posterior);
    const rates = {
      '1.binary': Array.from({ length: 12 }, (_, unit) => 0.1 + 0.06 * unit),
      '2.recurrent': Array.from({ length: 8 }, (_, unit) => 0.1 + 0.05 * unit),
    };
    const moved = recalibrate(frozen, data.inputs, rates);
    const turned = new Uint8Array(data.inputs.length);
    data.inputs.forEach((byte, at) => {
      const [example, step] = [Math.floor(at / 24), Math.floor(at / 6) % 4];
      turned[(step * 96 + example) * 6 + (at % 6)] = byte;
    });
    const { layers } = runOracle(moved, moved.members[0]!, turned);
    for (const [name, wanted] of Object.entries(rates)) {
      const found = wanted.map((_, unit) => {
        const own = layers[name]!.filter((_spike, at) => at % wanted.length === unit);
        return own.reduce((sum, spike) => sum + spike, 0) / own.length;
      });
      const apart = found.reduce((sum, rate, unit) => sum + Math.abs(rate - wanted[unit]!), 0) / found.length;
      expect(apart, name).toBeLessThan(name === '1.binary' ? 0.01 : 0.08);
    }
    for (const name of ['0.dense.bias', '2.recurrent.bias']) {
      const [before, after] = [frozen, moved].map(({ members }) => members[0]![name]!);
      expect(after).toMatchObject({ shape: before!.shape, perStep });
      const channels = before!.shape[1]!;
      const moves = Array.from(after!.data, (value, at) => value - before!.data[at]!);
      expect(moves.some((move) => Math.abs(move) > 1e-3)).toBe(true);
      moves.forEach((move, at) => expect(move).toBeCloseTo(moves[at % channels]!, 4));
    }
  });
});

test('one draw of Gaussian weights has the mean of every step, and its noise about the mean gain', () => {
  const model = defineModel({
    input: [40],
    steps: 2,
    layers: [dense({ units: 3, perStep }), readout()],
  });
  const choice = { family: 'gaussian', scale: 'layer', prior: 1 } as const;
  const learned = initialPosterior(model, { spread: 1, biasRho: -2, inputPower: 1, seed: 1 }, choice);
  const gain = [1, 2, -1, 3, 2, -3];
  const gains = { shape: [2, 3], data: Float32Array.from(gain) };
  const posterior: Posterior = {
    ...choice,
    model,
    learned: { ...learned, '0.dense.gain.value': gains },
    classNames: ['a', 'b', 'c'],
  };
  const x = gaussians(80, Random.fromSeed(3, 'x'));
  const draws = Array.from({ length: 400 }, (_, seed) => {
    const network = freeze(posterior, { weights: 'sample', seed });
    return runOracle(network, network.members[0]!, x).layers['0.dense']!;
  });
  const { data: mu } = learned['0.dense.weight.mu']!;
  const sigma = Math.log1p(Math.exp(learned['0.dense.weight.rho']!.data[0]!));
  for (let at = 0; at < 6; at++) {
    const [step, unit] = [Math.floor(at / 3), at % 3];
    const own = x.subarray(step * 40, step * 40 + 40);
    const sum = own.reduce((total, value, input) => total + value * mu[input * 3 + unit]!, 0);
    const mean = draws.reduce((total, draw) => total + draw[at]!, 0) / draws.length;
    const square = draws.reduce((total, draw) => total + (draw[at]! - mean) ** 2, 0) / draws.length;
    const ratio = gain[at]! / ((gain[unit]! + gain[3 + unit]!) / 2);
    const deviation = Math.abs(ratio) * sigma * Math.hypot(...own);
    expect(Math.abs(mean - gain[at]! * sum)).toBeLessThan((4 * deviation) / Math.sqrt(draws.length));
    expect(Math.abs(Math.sqrt(square) / deviation - 1)).toBeLessThan(4 / Math.sqrt(2 * draws.length));
  }
});

test('a network without time has none', async () => {
  const layers = [dense({ units: 3, perStep }), readout()];
  expect(await lineOf(async () => defineModel({ input: [4], layers }))).toBe(
    'model: 0.dense.gain has numbers for every time step (perStep), the network has no time; give it steps, or leave perStep out',
  );
  expect(dense({ units: 3 })).toEqual({ kind: 'dense', units: 3 });
});
