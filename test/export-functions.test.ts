import { describe, expect, test } from 'vitest';
import { toOnnx } from '../export/index.ts';
import { describe as describeModel } from '../schemas/description.ts';
import {
  binary,
  conv2d,
  defineModel,
  dense,
  globalAveragePool,
  type ModelDefinition,
  readout,
  residual,
} from '../schemas/index.ts';
import { sizeOf } from '../schemas/layer.ts';
import { type Model, parametersOf, stepsOf } from '../schemas/model.ts';
import {
  defineOnnxModel,
  Graph,
  type Node,
  outline,
  readModel,
  type Section,
  type Value,
  writeModel,
} from '../schemas/onnx/index.ts';
import { recipeModel, recipes } from '../train/recipes/index.ts';
import { randomBytes, randomNetwork } from './support/networks.ts';
import { openPlain, places } from './support/plain-sessions.ts';
import { timeNetworks } from './support/time-networks.ts';

/** Outputs of a file, and the spikes of its layers, on random inputs. */
async function answers(bytes: Uint8Array, where: (typeof places)[number]) {
  const model = readModel(bytes);
  const { model: network, layers } = describeModel(model, 'file');
  for (const name of layers.flat()) model.graph.output(name as Value, 'uint8');
  const session = await openPlain(writeModel(model), where);
  const [steps, batch] = [stepsOf(network), 3];
  const { shape, type } = network.input;
  const dims = steps > 1 ? [steps, batch, ...shape] : [batch, ...shape];
  const numbers = randomBytes(sizeOf(dims), 4, 3);
  const data = type === 'uint8' ? numbers : Float32Array.from(numbers);
  const found = await session.run({ input: { type, dims, data } });
  await session.release();
  return found;
}

const pair = (filters: number, stride = 1) => [
  conv2d({ filters, size: 3, stride }),
  binary(),
  conv2d({ filters, size: 3 }),
  binary({ threshold: 0.3 }),
];

const small: Readonly<Record<string, ModelDefinition>> = {
  'bytes through dense layers': {
    input: { type: 'uint8', shape: [30], scale: 1 / 255 },
    layers: [dense({ units: 16 }), binary(), dense({ units: 16 }), binary(), dense({ units: 4 }), readout()],
  },
  'bytes through residual blocks': {
    input: { type: 'uint8', shape: [8, 8, 3], scale: 1 / 255 },
    layers: [
      conv2d({ filters: 8, size: 3 }),
      binary(),
      residual({ layers: pair(8) }),
      residual({ layers: pair(16, 2) }),
      globalAveragePool(),
      dense({ units: 4 }),
      readout(),
    ],
  },
  ...timeNetworks,
};

describe.each(places)('functions on %s', (where) => {
  test.each(Object.entries(small))(
    'give the same bits as the graph without them: %s',
    async (_name, definition) => {
      const network = randomNetwork(defineModel(definition), 3, 2);
      const found = await answers(toOnnx(network), where);
      const flat = await answers(toOnnx(network, { functions: false }), where);
      expect(Object.keys(found).length).toBeGreaterThan(3);
      expect(found).toEqual(flat);
    },
  );
});

test('layers of one kind are calls of one function, by a name that says what they are', () => {
  const { graph, functions } = readModel(
    toOnnx(randomNetwork(defineModel(timeNetworks['recurrent layers']!), 1, 3)),
  );
  expect(functions.map(({ name }) => name)).toEqual([
    'Recurrent',
    'Recurrent_2',
    'Dense',
    'Readout',
    'Uncertainty',
  ]);
  const calls = graph.nodes.filter(({ domain }) => domain === 'bitspike');
  expect(calls.filter(({ op }) => op === 'Dense').map(({ name }) => name)).toEqual([
    'member0.2.dense',
    'member1.2.dense',
    'member2.2.dense',
  ]);
  expect(toOnnx(randomNetwork(defineModel(timeNetworks['recurrent layers']!), 1))).toEqual(
    toOnnx(randomNetwork(defineModel(timeNetworks['recurrent layers']!), 1)),
  );
});

/** Twice: [x a + 1, x a] along an axis, with an a and an axis of its own. */
function outlined() {
  const graph = new Graph('test');
  const x = graph.input('x', 'float32', ['n', 4]);
  const sections = new Map<Node, Section>();
  const scalar = (value: number) =>
    graph.constant({ type: 'float32', dims: [], data: Float32Array.of(value) });
  let value = x;
  for (const [label, factor, axis] of [
    ['first', 2, 0],
    ['second', 3, 1],
  ] as const) {
    const section = { name: 'Step', label };
    const before = graph.nodes.length;
    const scaled = graph.node('Mul', [value, scalar(factor)]);
    const shifted = graph.node('Add', [scaled, scalar(1)], {}, { output: `${label}.shifted` });
    value = graph.node('Concat', [shifted, scaled], { axis }, { output: label });
    for (const node of graph.nodes.slice(before)) sections.set(node, section);
  }
  graph.output(value, 'float32', ['n', 4]);
  const functions = outline(graph, {
    domain: 'test',
    opsets: new Map([['', 21]]),
    sectionOf: (node) => sections.get(node),
    keep: new Set(['first.shifted', 'second.shifted']),
    isConstant: (name) => name.startsWith('constant_'),
  });
  return { graph, functions, bytes: writeModel(defineOnnxModel(graph, { functions, domains: { test: 1 } })) };
}

test('what differs between sections becomes inputs and attributes, what is kept stays a value', async () => {
  const { graph, functions, bytes } = outlined();
  expect(functions.map(({ name, attributes }) => [name, attributes])).toEqual([['Step', ['axis']]]);
  const [{ body }] = functions as [(typeof functions)[0]];
  // The 1 that both add is in the function; what they multiply by is not.
  expect([body.inputs.length, body.initializers.size]).toEqual([2, 1]);
  expect(graph.nodes.map(({ name }) => name)).toEqual(['first', 'second']);
  expect(graph.has('first.shifted')).toBe(true);
  const session = await openPlain(bytes, 'cpu');
  const found = await session.run({
    x: { type: 'float32', dims: [1, 4], data: Float32Array.of(1, 2, 3, 4) },
  });
  await session.release();
  const first = [1, 2, 3, 4].map((x) => 2 * x + 1);
  const second = [1, 2, 3, 4].map((x) => 2 * x);
  const expected = [first, second].flatMap((row) => row.map((x) => 3 * x + 1).concat(row.map((x) => 3 * x)));
  expect([...found.second!.data]).toEqual(expected);
});

const weightsOf = (model: Model): number =>
  Object.values(parametersOf(model))
    .filter(({ role }) => role === 'weight')
    .reduce((sum, { shape }) => sum + sizeOf(shape), 0);

test.each(['digits', 'shd-small', 'dvs-gesture-small', 'cifar10-small', 'cifar10-binary'])(
  'the network of %s takes 1.02 bits per weight and 24 KB at most',
  (name) => {
    const model = recipeModel(recipes[name]!);
    expect(toOnnx(randomNetwork(model, 1)).length).toBeLessThan((1.02 * weightsOf(model)) / 8 + 24 * 1024);
  },
);

test.each(Object.entries(timeNetworks))('a small network takes 24 KB at most: %s', (_name, definition) => {
  const model = defineModel(definition);
  expect(toOnnx(randomNetwork(model, 1)).length).toBeLessThan((1.02 * weightsOf(model)) / 8 + 24 * 1024);
});
