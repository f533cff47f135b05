import { describe, expect, test } from 'vitest';
import { type OnnxOptions, reportOnnx, runOracle, toOnnx } from '../export/index.ts';
import { describe as describeModel } from '../schemas/description.ts';
import {
  averagePool,
  binary,
  conv2d,
  defineModel,
  dense,
  flatten,
  globalAveragePool,
  maxPool,
  type ModelDefinition,
  readout,
  residual,
} from '../schemas/index.ts';
import { sizeOf } from '../schemas/layer.ts';
import { stepsOf } from '../schemas/model.ts';
import { readModel, type Value, writeModel } from '../schemas/onnx/index.ts';
import { lineOf } from './support/error-line.ts';
import { randomBytes, randomNetwork } from './support/networks.ts';
import { openPlain, places, type Where } from './support/plain-sessions.ts';
import { timeNetworks } from './support/time-networks.ts';

const opsets = [21, 22, 23, 24, 25, 26] as const;

const pair = (filters: number, stride = 1) => [
  conv2d({ filters, size: 3, stride }),
  binary({ threshold: 0.5 }),
  conv2d({ filters, size: 3 }),
  binary(),
];

const networks: Readonly<Record<string, ModelDefinition>> = {
  ...timeNetworks,
  'dense layers': {
    input: { type: 'uint8', shape: [30], scale: 1 / 255 },
    layers: [dense({ units: 17 }), binary(), dense({ units: 9 }), binary(), dense({ units: 4 }), readout()],
  },
  'planes, pools and blocks': {
    input: { type: 'uint8', shape: [9, 8, 3], scale: 1 / 255 },
    layers: [
      conv2d({ filters: 6, size: 3 }),
      binary(),
      maxPool({ size: 2, stride: 1 }),
      conv2d({ filters: 5, size: 2, stride: 2, padding: 'valid' }),
      binary(),
      averagePool({ size: 2, stride: 1 }),
      conv2d({ filters: 5, size: 1 }),
      binary(),
      residual({ layers: pair(5) }),
      residual({ layers: pair(7) }),
      globalAveragePool(),
      dense({ units: 4 }),
      readout(),
    ],
  },
  'values that are flattened': {
    input: { type: 'uint8', shape: [4, 4, 2], scale: 1 },
    layers: [flatten(), dense({ units: 12 }), binary(), dense({ units: 3 }), readout()],
  },
};

/** How many spikes of a file differ from the reference, and how far its answers lie from it. */
async function compare(definition: ModelDefinition, seed: number, where: Where, options: OnnxOptions) {
  const network = randomNetwork(defineModel(definition), seed);
  const { model } = network;
  const file = readModel(toOnnx(network, options));
  const [layers] = describeModel(file, 'file').layers as [readonly string[]];
  for (const name of layers) file.graph.output(name as Value, 'uint8');
  const session = await openPlain(writeModel(file), where);
  const [steps, batch] = [stepsOf(model), 4];
  const { shape } = model.input;
  const dims = steps > 1 ? [steps, batch, ...shape] : [batch, ...shape];
  const inputs = randomBytes(
    sizeOf(dims),
    seed,
    model.input.type === 'uint8' && model.input.scale === 1 ? 2 : 255,
  );
  const found = await session.run({ input: { type: 'uint8', dims, data: inputs } });
  await session.release();
  const oracle = runOracle(network, network.members[0]!, inputs);
  const counts = { differing: 0, fired: 0, neurons: 0, logits: 0 };
  for (const name of layers) {
    const expected = oracle.layers[name]!;
    expect(found[name]!.data.length).toBe(expected.length);
    expected.forEach((spike, at) => {
      if (spike !== (found[name]!.data[at]! > 0 ? 1 : 0)) counts.differing++;
      counts.fired += spike;
    });
    counts.neurons += expected.length;
  }
  oracle.logits.forEach((logit, at) => {
    const apart = Math.abs(Number(found.logits!.data[at]) - logit) / Math.max(1, Math.abs(logit));
    counts.logits = Math.max(counts.logits, apart);
  });
  return counts;
}

/** Opening a file takes long in WebAssembly: a few networks, which together have every operator. */
const few = ['recurrent layers', 'planes and residual blocks', 'planes, pools and blocks'];

const networksOn = (where: Where) =>
  Object.entries(networks).filter(([name]) => where === 'cpu' || few.includes(name));

describe.each(places)('on %s', (where) => {
  test.each(networksOn(where))('for a GPU, all fire as the reference does: %s', async (_name, definition) => {
    const totals = { fired: 0, neurons: 0 };
    for (const unroll of stepsOf(defineModel(definition)) > 1 ? [true, false] : [false]) {
      for (const seed of where === 'cpu' ? [1, 2] : [1]) {
        const found = await compare(definition, seed, where, { target: 'gpu', unroll });
        expect(found.differing).toBe(0);
        expect(found.logits).toBeLessThan(1e-5);
        totals.fired += found.fired;
        totals.neurons += found.neurons;
      }
    }
    expect(totals.fired).toBeGreaterThan(0.02 * totals.neurons);
    expect(totals.fired).toBeLessThan(0.98 * totals.neurons);
  });

  test.each(where === 'cpu' ? opsets : [26])('opset %d says the same', async (opset) => {
    for (const name of few) {
      for (const target of ['any', 'gpu'] as const) {
        const options = { opset, target } as OnnxOptions;
        const { differing, logits } = await compare(networks[name]!, 3, where, options);
        expect([name, differing]).toEqual([name, 0]);
        expect(logits).toBeLessThan(1e-5);
      }
    }
  });

  test('unrolled, integers fire as the reference does', async () => {
    for (const name of ['recurrent layers', 'planes and residual blocks']) {
      const definition = networks[name]!;
      expect((await compare(definition, 1, where, { unroll: true })).differing).toBe(0);
    }
  });
});

describe('what is written for a GPU', () => {
  const network = randomNetwork(defineModel(networks['planes, pools and blocks']!), 1);
  const operators = (options: OnnxOptions, of = network) =>
    reportOnnx(toOnnx(of, options), 'file').operators.map(({ operator }) => operator);

  test('has no operators of integers, and no loops where there are few steps', () => {
    const integers = new Set(['ConvInteger', 'MatMulInteger', 'QuantizeLinear', 'DequantizeLinear', 'Scan']);
    expect(operators({})).toContain('QuantizeLinear');
    const time = randomNetwork(defineModel(timeNetworks['recurrent layers']!), 1);
    for (const found of [operators({ target: 'gpu' }), operators({ target: 'gpu' }, time)]) {
      expect(found.filter((operator) => integers.has(operator))).toEqual([]);
    }
    expect(operators({ target: 'gpu', unroll: false }, time)).toContain('Scan');
  });

  test('takes one bit per weight and the same outputs', () => {
    const wide = randomNetwork(
      defineModel({
        input: { type: 'uint8', shape: [784], scale: 1 / 255 },
        layers: [dense({ units: 512 }), binary(), dense({ units: 10 }), readout()],
      }),
      1,
    );
    const bytes = toOnnx(wide, { target: 'gpu' });
    expect(bytes.length).toBeLessThan((784 * 512 + 5120) / 8 + 16 * 1024);
    expect(readModel(bytes).graph.outputs).toEqual(readModel(toOnnx(wide)).graph.outputs);
  });
});

test('says in one line which options do not fit', async () => {
  const network = randomNetwork(defineModel(timeNetworks['recurrent layers']!), 1);
  expect(await lineOf(() => toOnnx(network, { opset: 20 as never }))).toMatch(/export: opset: .*21/);
  expect(await lineOf(() => toOnnx(network, { form: 'stream', unroll: true }))).toContain(
    'cannot be unrolled',
  );
});

test.each(opsets)('opset %d comes with its version of the format', (opset) => {
  const { irVersion, opsets } = readModel(
    toOnnx(randomNetwork(defineModel(networks['dense layers']!), 1), { opset }),
  );
  expect(opsets.get('')).toBe(opset);
  expect(irVersion).toBe({ 21: 10, 22: 10, 23: 11, 24: 12, 25: 13, 26: 13 }[opset]);
});
