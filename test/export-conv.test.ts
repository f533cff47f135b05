import { describe, expect, test } from 'vitest';
import { type FrozenTensor, type Network, reportOnnx, runOracle, toOnnx } from '../export/index.ts';
import { load } from '../runtime/index.ts';
import {
  adaptiveLif,
  averagePool,
  binary,
  conv2d,
  defineModel,
  dense,
  flatten,
  globalAveragePool,
  integrateAndFire,
  type LayerSpec,
  lif,
  maxPool,
  type Model,
  type ModelDefinition,
  parametersOf,
  readout,
  residual,
} from '../schemas/index.ts';
import { stepsOf } from '../schemas/model.ts';
import { sizeOf } from '../schemas/layer.ts';
import { randomBytes, randomNetwork } from './support/networks.ts';

const pixels = (...shape: number[]) => ({ type: 'uint8', shape, scale: 1 / 255 }) as const;
const events = (...shape: number[]) => ({ type: 'uint8', shape, scale: 1 }) as const;

/** A pair of convolutions, and their neurons. */
const pair = (
  filters: number,
  stride = 1,
  neuron: () => LayerSpec = () => binary({ threshold: 0.5 }),
): LayerSpec[] => [conv2d({ filters, size: 3, stride }), neuron(), conv2d({ filters, size: 3 }), neuron()];

const networks: Record<string, ModelDefinition> = {
  'convolutions of odd sizes, strides and paddings': {
    input: pixels(9, 7, 3),
    layers: [
      conv2d({ filters: 5, size: [3, 2] }),
      binary(),
      conv2d({ filters: 7, size: 3, stride: 2 }),
      binary({ threshold: 0.4 }),
      conv2d({ filters: 3, size: [1, 3], stride: [1, 2], padding: 'valid' }),
      binary(),
      flatten(),
      dense({ units: 4 }),
      readout(),
    ],
  },
  'groups, one of them per channel': {
    input: events(6, 5, 4),
    layers: [
      conv2d({ filters: 6, size: 3, groups: 2 }),
      binary(),
      conv2d({ filters: 6, size: 3, groups: 6, stride: 2 }),
      binary(),
      flatten(),
      dense({ units: 3 }),
      readout(),
    ],
  },
  'pools of every kind': {
    input: events(11, 8, 2),
    layers: [
      maxPool({ size: 2, stride: 1 }),
      conv2d({ filters: 5, size: 3 }),
      binary(),
      averagePool({ size: [3, 2], stride: 2 }),
      conv2d({ filters: 6, size: 2 }),
      binary({ threshold: 0.2 }),
      maxPool({ size: 2 }),
      conv2d({ filters: 9, size: 1 }),
      binary(),
      globalAveragePool(),
      dense({ units: 6 }),
      binary({ threshold: 0.1 }),
      dense({ units: 4 }),
      readout(),
    ],
  },
  'residual blocks, one inside another': {
    input: pixels(8, 8, 2),
    layers: [
      conv2d({ filters: 4, size: 3 }),
      binary(),
      residual({ layers: pair(4) }),
      residual({ layers: [residual({ layers: pair(4) }), conv2d({ filters: 4, size: 1 }), binary()] }),
      residual({ layers: pair(6, 2) }),
      residual({ layers: pair(9, 2) }),
      globalAveragePool(),
      dense({ units: 4 }),
      readout(),
    ],
  },
  'blocks whose sums outgrow a byte': {
    input: pixels(8, 8, 1),
    layers: [
      residual({ layers: [conv2d({ filters: 1, size: 3 }), binary()] }),
      conv2d({ filters: 3, size: 3 }),
      binary(),
      averagePool({ size: 4 }),
      ...Array.from({ length: 16 }, () => residual({ layers: [conv2d({ filters: 3, size: 1 }), binary()] })),
      conv2d({ filters: 4, size: 2 }),
      binary({ threshold: 3 }),
      flatten(),
      dense({ units: 4 }),
      readout(),
    ],
  },
  'a block of dense layers': {
    input: events(12),
    layers: [
      dense({ units: 9 }),
      binary(),
      residual({ layers: [dense({ units: 11 }), binary()] }),
      dense({ units: 3 }),
      readout(),
    ],
  },
  'spiking convolutions and residual blocks over time': {
    input: events(6, 6, 2),
    steps: 5,
    layers: [
      conv2d({ filters: 4, size: 3 }),
      lif({ threshold: 0.8, learnDecay: true, learnThreshold: true }),
      residual({ layers: pair(4, 1, () => lif({ reset: 'zero' })) }),
      residual({ layers: pair(5, 2, () => lif()) }),
      averagePool({ size: 3, stride: 1 }),
      conv2d({ filters: 3, size: 1 }),
      adaptiveLif(),
      flatten(),
      dense({ units: 4 }),
      readout(),
    ],
  },
  'spiking blocks whose sums outgrow a byte': {
    input: events(7, 9, 1),
    steps: 3,
    layers: [
      conv2d({ filters: 2, size: 3 }),
      lif(),
      averagePool({ size: [7, 3], stride: 2 }),
      ...Array.from({ length: 12 }, () => residual({ layers: [conv2d({ filters: 2, size: 1 }), lif()] })),
      averagePool({ size: [1, 2], stride: 1 }),
      conv2d({ filters: 5, size: [1, 3] }),
      lif({ threshold: 2 }),
      conv2d({ filters: 4, size: 1 }),
      binary({ threshold: 0.5 }),
      flatten(),
      dense({ units: 4 }),
      readout(),
    ],
  },
  'binary neurons between spiking ones over time': {
    input: pixels(4, 5, 1),
    steps: 3,
    layers: [
      conv2d({ filters: 5, size: 3 }),
      binary({ threshold: 0.3 }),
      residual({ layers: [conv2d({ filters: 7, size: 3 }), lif()] }),
      globalAveragePool(),
      dense({ units: 3 }),
      readout({ over: 'last' }),
    ],
  },
};

/** Examples of [time, …] as sequences of batches: [time × batch, …]. */
function turned(examples: Uint8Array, steps: number, size: number): Uint8Array {
  const batch = examples.length / (steps * size);
  const found = new Uint8Array(examples.length);
  for (let example = 0; example < batch; example++) {
    for (let step = 0; step < steps; step++) {
      const from = (example * steps + step) * size;
      found.set(examples.subarray(from, from + size), (step * batch + example) * size);
    }
  }
  return found;
}

/** How an exported network fires beside the reference. */
async function compare(network: Network, seed: number) {
  const { model } = network;
  const members = network.members.length;
  const [steps, size] = [stepsOf(model), sizeOf(model.input.shape)];
  const { input } = model;
  const examples = randomBytes(4 * steps * size, seed, input.type === 'uint8' && input.scale === 1 ? 2 : 255);
  const bytes = toOnnx(network);
  const { layers } = (await load(bytes)).description;
  const exported = await load(bytes, { observe: layers.flat() });
  const outputs = await exported.run(examples);
  await exported.close();
  const counts = { fired: 0, neurons: 0, differing: {} as Record<string, number>, logits: 0 };
  network.members.forEach((member, index) => {
    const oracle = runOracle(network, member, turned(examples, steps, size));
    for (const name of layers[index]!) {
      const expected = oracle.layers[name.replace(/^member\d+\./, '')]!;
      const found = outputs[name]!.data;
      expect([name, found.length]).toEqual([name, expected.length]);
      expected.forEach((spike, place) => {
        if (spike !== (found[place]! > 0 ? 1 : 0)) counts.differing[name] = (counts.differing[name] ?? 0) + 1;
        counts.fired += spike;
      });
      counts.neurons += expected.length;
    }
    if (members > 1) return;
    oracle.logits.forEach((logit, place) => {
      const apart = Math.abs(outputs.logits!.data[place]! - logit) / Math.max(1, Math.abs(logit));
      counts.logits = Math.max(counts.logits, apart);
    });
  });
  return counts;
}

describe('a network of planes in onnxruntime fires exactly as the reference does', () => {
  test.each(Object.entries(networks))('%s', async (_name, definition) => {
    const model = defineModel(definition);
    const totals = { fired: 0, neurons: 0 };
    for (const [seed, members] of [
      [1, 1],
      [2, 1],
      [3, 2],
    ] as const) {
      const { fired, neurons, differing, logits } = await compare(randomNetwork(model, seed, members), seed);
      expect(differing).toEqual({});
      expect(logits).toBeLessThan(1e-5);
      totals.fired += fired;
      totals.neurons += neurons;
    }
    // A network that never fires, or always, would show nothing.
    expect(totals.fired).toBeGreaterThan(0.02 * totals.neurons);
    expect(totals.fired).toBeLessThan(0.98 * totals.neurons);
  });
});

test('sums of fractions that lie on the threshold stay on it', async () => {
  const model = defineModel({
    input: events(21, 11, 3),
    steps: 4,
    layers: [
      averagePool({ size: 3 }),
      averagePool({ size: [7, 1] }),
      conv2d({ filters: 6, size: [1, 3] }),
      integrateAndFire({ threshold: 1 / 9, reset: 'none' }),
      flatten(),
      dense({ units: 2 }),
      readout(),
    ],
  });
  for (const seed of [1, 2, 3]) {
    const network = randomNetwork(model, seed);
    // A current is then a sum over 63, and membranes come back to where they were.
    const points = { '2.conv2d.gain': 1, '2.conv2d.bias': 0 };
    const members = network.members.map((member) => ({
      ...member,
      ...Object.fromEntries(
        Object.entries(points).map(([name, value]): [string, FrozenTensor] => [
          name,
          { values: 'real', shape: [6], data: new Float32Array(6).fill(value) },
        ]),
      ),
    }));
    const { fired, neurons, differing } = await compare({ ...network, members }, seed);
    expect(differing).toEqual({});
    expect(fired).toBeGreaterThan(0.1 * neurons);
  }
});

const weightsOf = (model: Model): number =>
  Object.values(parametersOf(model))
    .filter(({ role }) => role === 'weight')
    .reduce((sum, { shape }) => sum + sizeOf(shape), 0);

test('weights take one bit each, in standard operators', () => {
  const model = defineModel({
    input: pixels(8, 8, 3),
    layers: [
      conv2d({ filters: 64, size: 3 }),
      binary(),
      residual({ layers: pair(64) }),
      residual({ layers: pair(128, 2) }),
      globalAveragePool(),
      dense({ units: 10 }),
      readout(),
    ],
  });
  const bytes = toOnnx(randomNetwork(model, 1));
  expect(toOnnx(randomNetwork(model, 1))).toEqual(bytes);
  expect(weightsOf(model)).toBeGreaterThan(290_000);
  expect(bytes.length).toBeLessThan(weightsOf(model) / 8 + 20 * 1024);
  expect(reportOnnx(bytes, 'file').standard).toBe(true);
});

test('sums that float32 could not hold exactly are refused', () => {
  const model = defineModel({
    input: pixels(3, 3, 7400),
    layers: [conv2d({ filters: 1, size: 3 }), binary(), flatten(), dense({ units: 2 }), readout()],
  });
  expect(() => toOnnx(randomNetwork(model, 1))).toThrow(/0\.conv2d\.weight sums 66600 inputs of up to 255/);
});
