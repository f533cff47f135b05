import { describe, expect, test } from 'vitest';
import { type FrozenTensor, type Network, recalibrate, runOracle } from '../export/index.ts';
import {
  defineModel,
  dense,
  leakyIntegrator,
  lif,
  type Model,
  parametersOf,
  readout,
  recurrent,
} from '../schemas/index.ts';
import { Random } from '../schemas/random.ts';

const STEPS = 20;
const COUNT = 30;
const INPUTS = 10;
const decay = 0.8;

/** Real weights around 0, gains of 1, biases of 0. */
function networkOf(model: Model): Network {
  const random = Random.fromSeed(4, 'weights');
  const member = Object.fromEntries(
    Object.entries(parametersOf(model)).map(
      ([name, { role, shape, noSelfConnection }]): [string, FrozenTensor] => {
        const data = new Float32Array(shape.reduce((size, axis) => size * axis, 1));
        if (role === 'gain') data.fill(1);
        if (role === 'weight')
          data.forEach((_, index) => {
            const isSelf = noSelfConnection && index % (shape[0]! + 1) === 0;
            data[index] = isSelf ? 0 : random.nextUniform() - 0.4;
          });
        return [name, { values: 'real', shape, data }];
      },
    ),
  );
  return { model, choice: { weights: 'real' }, members: [member], classNames: ['a', 'b'] };
}

const model = (layers: Model['layers']): Model =>
  defineModel({ input: { type: 'uint8', shape: [INPUTS], scale: 1 }, steps: STEPS, layers });

/** Spikes that come in, [count, time, inputs]. */
const random = Random.fromSeed(6, 'spikes');
const inputs = Uint8Array.from({ length: COUNT * STEPS * INPUTS }, () => Number(random.nextUniform() < 0.3));

/** The rate of each neuron of a leaky layer, by plain loops over examples and time. */
function ratesOf(network: Network, layer: string, units: number): number[] {
  const part = (name: string): ArrayLike<number> => network.members[0]![`${layer}.${name}`]?.data ?? [];
  const [weight, own, bias] = [part('weight'), part('recurrent'), part('bias')];
  const fired = Array.from({ length: units }, () => 0);
  for (let example = 0; example < COUNT; example++) {
    let membrane = fired.map(() => 0);
    let spikes = fired.map(() => 0);
    for (let step = 0; step < STEPS; step++) {
      const currents = membrane.map((_, unit) => {
        let sum = 0;
        for (let input = 0; input < INPUTS; input++)
          sum += inputs[(example * STEPS + step) * INPUTS + input]! * weight[input * units + unit]!;
        if (own.length > 0) spikes.forEach((spike, from) => (sum += spike * own[from * units + unit]!));
        return Math.fround(sum + bias[unit]!);
      });
      membrane = membrane.map((value, unit) => Math.fround(Math.fround(decay * value) + currents[unit]!));
      spikes = membrane.map((value) => Number(value > 1));
      membrane = membrane.map((value, unit) => value - spikes[unit]!);
      spikes.forEach((spike, unit) => (fired[unit]! += spike));
    }
  }
  return fired.map((count) => count / (COUNT * STEPS));
}

const targets = [0.02, 0.1, 0.2, 0.35, 0.5, 0.8];

/** How many firings of all the neuron with the most of them is away from its rate. */
const firingsOff = (rates: readonly number[]): number =>
  Math.max(...rates.map((rate, unit) => Math.abs(rate - targets[unit]!))) * COUNT * STEPS;

describe('recalibrated, neurons with a memory fire as often as they should', () => {
  const kinds = {
    'a leaky layer': { name: '0.dense', neurons: '1.lif', layers: [dense({ units: 6 }), lif({ decay })] },
    'a leaky layer on itself': {
      name: '0.recurrent',
      neurons: '0.recurrent',
      layers: [recurrent({ units: 6, neuron: lif({ decay }) })],
    },
  };

  test.each(Object.entries(kinds))('%s', (_, { name, neurons, layers }) => {
    // What follows neurons and never fires has no rate and keeps its bias.
    const network = networkOf(model([...layers, dense({ units: 2 }), leakyIntegrator(), readout()]));
    expect(firingsOff(ratesOf(network, name, 6))).toBeGreaterThan(100);
    const moved = recalibrate(network, inputs, { [neurons]: targets });
    expect(firingsOff(ratesOf(moved, name, 6))).toBeLessThan(2.5);
    expect(moved.choice).toEqual({ weights: 'real', recalibrated: COUNT });
    const changed = Object.keys(moved.members[0]!).filter(
      (each) => moved.members[0]![each] !== network.members[0]![each],
    );
    expect(changed).toEqual([`${name}.bias`]);
  });

  test('a later layer on the spikes of one that is right already', () => {
    const second = [dense({ units: 4 }), lif({ decay })];
    const network = networkOf(
      model([dense({ units: 6 }), lif({ decay }), ...second, dense({ units: 2 }), readout()]),
    );
    const wanted = [0.1, 0.2, 0.3, 0.4];
    const moved = recalibrate(network, inputs, { '1.lif': targets, '3.lif': wanted });
    const { layers } = runOracle(moved, moved.members[0]!, timeFirst(inputs));
    const fired = wanted.map(() => 0);
    layers['3.lif']!.forEach((spike, index) => (fired[index % 4]! += spike));
    fired.forEach((count, unit) => expect(Math.abs(count - wanted[unit]! * COUNT * STEPS)).toBeLessThan(2.5));
  });
});

/** [count, time, inputs] → [time, count, inputs] */
function timeFirst(from: Uint8Array): Uint8Array {
  return Uint8Array.from(from, (_, index) => {
    const input = index % INPUTS;
    const example = Math.floor(index / INPUTS) % COUNT;
    const step = Math.floor(index / INPUTS / COUNT);
    return from[(example * STEPS + step) * INPUTS + input]!;
  });
}
