import { describe, expect, test } from 'vitest';
import { countOperations, energyOf, memoryOf, runOracle } from '../export/index.ts';
import {
  averagePool,
  binary,
  conv2d,
  defineModel,
  dense,
  flatten,
  lif,
  type Model,
  normalise,
  readout,
  recurrent,
  residual,
} from '../schemas/index.ts';
import { randomBytes, randomNetwork } from './support/networks.ts';

const bits = () => false;
const EXAMPLES = 3;

/** Counts of a random network on random examples, and the spikes that they rest on. */
function counted(model: Model, most: number) {
  const network = randomNetwork(model, 5);
  const { shape } = model.input;
  const { steps = 1 } = model;
  const inputs = randomBytes(EXAMPLES * steps * shape.reduce((a, b) => a * b, 1), 6, most);
  const { layers } = runOracle(network, network.members[0]!, inputs);
  return { inputs, layers, found: countOperations(model, bits, { examples: EXAMPLES, inputs, layers }) };
}

const fired = (values: ArrayLike<number>): number => Array.from(values).filter(Boolean).length;

test('a dense network, by hand', () => {
  const model = defineModel({
    input: { type: 'uint8', shape: [6], scale: 1 },
    layers: [dense({ units: 5 }), binary(), dense({ units: 3 }), readout()],
  });
  const { inputs, layers, found } = counted(model, 2);
  expect(found.layers.map(({ name, operand, synaptic }) => [name, operand, synaptic])).toEqual([
    ['0.dense', 'bytes', 30],
    ['1.binary', undefined, 0],
    ['2.dense', 'spikes', 15],
    ['3.readout', undefined, 0],
  ]);
  expect([found.synaptic, found.binary]).toEqual([45, 15]);
  // A gain and a bias of five and three units; five comparisons.
  expect([found.multiplications, found.additions]).toEqual([8, 13]);
  expect(found.layers[0]!.triggered).toBeCloseTo((fired(inputs) * 5) / EXAMPLES, 9);
  expect(found.layers[2]!.triggered).toBeCloseTo((fired(layers['1.binary']!) * 3) / EXAMPLES, 9);
  expect(found.triggered).toBeLessThan(found.synaptic);

  const table = { integerAdd: 1, floatAdd: 10, floatMultiply: 100 };
  const energy = energyOf(found, bits, table);
  expect(energy.dense).toBeCloseTo((45 + 130 + 800) * 1e-12, 20);
  expect(energy.triggered).toBeCloseTo((found.triggered! + 930) * 1e-12, 20);
  expect(energy.float).toBeCloseTo((45 * 110 + 930) * 1e-12, 20);
  // Real weights: bytes are multiplied, spikes choose what is added.
  expect(energyOf(found, () => true, table).dense).toBeCloseTo((30 * 110 + 15 * 10 + 930) * 1e-12, 20);
  expect(memoryOf(model, bits, 2)).toEqual({ weights: 90, activations: 6 + 4 * 5, states: 0 });
});

test('a recurrent network over time, by hand', () => {
  const steps = 4;
  const model = defineModel({
    input: { type: 'uint8', shape: [6], scale: 1 },
    steps,
    layers: [recurrent({ units: 5, neuron: lif({ threshold: 0.3 }) }), dense({ units: 3 }), readout()],
  });
  const { inputs, layers, found } = counted(model, 1);
  const spikes = layers['0.recurrent']!;
  expect(found.layers.map(({ synaptic }) => synaptic)).toEqual([steps * (30 + 20), steps * 15, 0]);
  // What fires in the last step feeds no one back.
  const heard = spikes.slice(0, (spikes.length / steps) * (steps - 1));
  expect(fired(heard)).toBeGreaterThan(0);
  expect(found.layers[0]!.triggered).toBeCloseTo((fired(inputs) * 5 + fired(heard) * 4) / EXAMPLES, 9);
  expect(found.layers[1]!.triggered).toBeCloseTo((fired(spikes) * 3) / EXAMPLES, 9);
  expect(memoryOf(model, bits).states).toBe(2 * 5 * 4);
});

describe('convolutions', () => {
  const model = defineModel({
    input: { type: 'uint8', shape: [5, 4, 2], scale: 1 },
    layers: [
      conv2d({ filters: 4, size: 3, stride: 2, groups: 2 }),
      binary(),
      residual({ layers: [conv2d({ filters: 4, size: [1, 2] }), binary()] }),
      averagePool({ size: 2, stride: 1 }),
      flatten(),
      dense({ units: 3 }),
      readout(),
    ],
  });
  const { inputs, layers, found } = counted(model, 1);

  test('are counted at every place', () => {
    const counts = Object.fromEntries(found.layers.map(({ name, synaptic }) => [name, synaptic]));
    expect(counts['0.conv2d']).toBe(3 * 2 * 9 * 1 * 4);
    expect(counts['2.residual.0.conv2d']).toBe(3 * 2 * 2 * 4 * 4);
    expect(counts['5.dense']).toBe(2 * 1 * 4 * 3);
    const operands = found.layers.flatMap(({ operand }) => operand ?? []);
    expect(operands).toEqual(['bytes', 'spikes', 'counts']);
  });

  const at = (example: number, y: number, x: number, channel: number): number =>
    y < 0 || y >= 5 || x < 0 || x >= 4 ? 0 : inputs[((example * 5 + y) * 4 + x) * 2 + channel]!;

  test('are triggered by what lies in their windows', () => {
    let triggered = 0;
    for (let example = 0; example < EXAMPLES; example++)
      for (let row = 0; row < 3; row++)
        for (let column = 0; column < 2; column++)
          for (let filter = 0; filter < 4; filter++)
            for (let place = 0; place < 9; place++) {
              // Five rows in steps of two have a zero before them; of four columns the zero comes after.
              const y = row * 2 - 1 + Math.floor(place / 3);
              const x = column * 2 + (place % 3);
              if (at(example, y, x, filter < 2 ? 0 : 1) !== 0) triggered++;
            }
    expect(triggered).toBeGreaterThan(50);
    expect(found.layers[0]!.triggered).toBeCloseTo(triggered / EXAMPLES, 9);
  });

  test('sums of spikes count where either fired', () => {
    const [first, second] = [layers['1.binary']!, layers['2.residual.1.binary']!];
    const sums = Array.from(first, (value, index) => value + second[index]!);
    let triggered = 0;
    for (let example = 0; example < EXAMPLES; example++)
      for (let row = 0; row < 2; row++)
        for (let channel = 0; channel < 4; channel++) {
          const window = [0, 1, 2, 3].map(
            (place) => sums[((example * 3 + row + (place >> 1)) * 2 + (place & 1)) * 4 + channel]!,
          );
          if (window.some(Boolean)) triggered += 3;
        }
    expect(found.layers.find(({ name }) => name === '5.dense')!.triggered).toBeCloseTo(
      triggered / EXAMPLES,
      9,
    );
  });
});

test('real inputs are added as real numbers', () => {
  const model = defineModel({
    input: { type: 'uint8', shape: [2, 2, 3], scale: 1 },
    layers: [normalise({ mean: [0, 1, 2], deviation: [1, 1, 1] }), flatten(), dense({ units: 2 }), readout()],
  });
  const found = countOperations(model, bits);
  expect(found.layers[2]).toMatchObject({ operand: 'real', synaptic: 24 });
  expect(found.triggered).toBeUndefined();
  const table = { integerAdd: 1, floatAdd: 10, floatMultiply: 100 };
  expect(energyOf(found, bits, table).dense).toBeCloseTo((24 * 10 + 12 * 110 + 2 * 110) * 1e-12, 20);
});
