import { describe, expect, test } from 'vitest';
import { type Network, recalibrate, reportOnnx, runOracle, toOnnx } from '../export/index.ts';
import { load } from '../runtime/index.ts';
import type { InputSpec } from '../schemas/index.ts';
import { Random } from '../schemas/random.ts';
import { lineOf } from './support/error-line.ts';
import { denseModel, randomBytes, randomNetwork } from './support/networks.ts';

const bytes: InputSpec = { type: 'uint8', shape: [20], scale: 1 / 255 };
const widths = [12, 9, 3];
const model = denseModel(bytes, widths, 0.25);
const COUNT = 400;
const inputs = randomBytes(20 * COUNT, 11);

/** A rate for every neuron, the same from the same seed. */
function randomRates(seed: number): Record<string, Float32Array> {
  const random = Random.fromSeed(seed, 'rates');
  const of = (units: number): Float32Array =>
    Float32Array.from({ length: units }, () => random.nextUniform());
  return { '1.binary': of(12), '3.binary': of(9) };
}

type Data = ArrayLike<number>;

/** The currents of both hidden layers without their bias, and their spikes, by plain loops: [example][unit]. */
function hiddenOf(network: Network, member = 0) {
  const part = (name: string): Data => network.members[member]![name]!.data;
  let signal = Array.from({ length: COUNT }, (_, example) =>
    Array.from(inputs.subarray(20 * example, 20 * example + 20), (byte) => byte / 255),
  );
  return [0, 2].map((layer, index) => {
    const units = widths[index]!;
    const [weight, gain, bias] = ['weight', 'gain', 'bias'].map((own) => part(`${layer}.dense.${own}`)) as [
      Data,
      Data,
      Data,
    ];
    const currents = signal.map((row) =>
      Array.from({ length: units }, (_, unit) => {
        let sum = 0;
        for (let input = 0; input < row.length; input++) sum += row[input]! * weight[input * units + unit]!;
        return sum * gain[unit]!;
      }),
    );
    signal = currents.map((row) => row.map((current, unit) => (current + bias[unit]! > 0.25 ? 1 : 0)));
    return { currents, spikes: signal };
  });
}

const columnOf = (rows: readonly (readonly number[])[], unit: number): number[] =>
  rows.map((row) => row[unit]!);
const countOf = (column: readonly number[]): number => column.reduce((sum, spike) => sum + spike, 0);

/** How far the nearest number of firings is that any bias gives: every level between two values is tried. */
function nearestMiss(currents: readonly number[], wanted: number): number {
  // One sum, added up in two orders, is one level.
  const rounded = currents.map((current) => Math.round(current * 1e9));
  const levels = [Number.NEGATIVE_INFINITY, ...rounded];
  return Math.min(
    ...levels.map((level) => Math.abs(rounded.filter((current) => current > level).length - wanted)),
  );
}

describe('recalibrated, each neuron fires as near to its rate as a bias allows', () => {
  test.each([1, 2])('in every member of an ensemble of %d', (members) => {
    const rates = randomRates(3);
    const network = recalibrate(randomNetwork(model, 4, members), inputs, rates);
    for (let member = 0; member < members; member++) {
      hiddenOf(network, member).forEach(({ currents, spikes }, layer) => {
        Object.values(rates)[layer]!.forEach((rate, unit) => {
          const fired = countOf(columnOf(spikes, unit));
          const miss = Math.abs(fired - rate * COUNT);
          expect(miss).toBeCloseTo(nearestMiss(columnOf(currents, unit), rate * COUNT), 6);
        });
      });
    }
  });

  test('to half a firing where no two sums are the same', () => {
    const real = denseModel({ type: 'float32', shape: [3] }, [2, 2]);
    const random = Random.fromSeed(9, 'inputs');
    const numbers = Float32Array.from({ length: 3 * 101 }, () => random.nextUniform());
    const posterior = randomNetwork(real, 8);
    const weight = Float32Array.of(0.3, -0.2, 0.7, 0.4, -0.5, 0.6);
    const gain = Float32Array.of(1, -2);
    const network: Network = {
      ...posterior,
      members: [
        {
          ...posterior.members[0]!,
          '0.dense.weight': { values: 'real', shape: [3, 2], data: weight },
          '0.dense.gain': { values: 'real', shape: [2], data: gain },
        },
      ],
    };
    const moved = recalibrate(network, numbers, { '1.binary': [0.3, 0.95] });
    const spikes = runOracle(moved, moved.members[0]!, numbers).layers['1.binary']!;
    const fired = [0, 1].map((unit) =>
      spikes.filter((_, index) => index % 2 === unit).reduce((a, b) => a + b, 0),
    );
    expect(fired).toEqual([30, 96]);
  });

  test('never and always too, also on examples a little beyond', () => {
    const network = randomNetwork(model, 4);
    for (const rate of [0, 1]) {
      const rates = {
        '1.binary': new Float32Array(12).fill(rate),
        '3.binary': new Float32Array(9).fill(rate),
      };
      for (const { spikes } of hiddenOf(recalibrate(network, inputs, rates)))
        expect(spikes.flat().every((spike) => spike === rate)).toBe(true);
    }
  });

  test('a network that already does so keeps its spikes', () => {
    const network = recalibrate(randomNetwork(model, 4), inputs, randomRates(3));
    const own = hiddenOf(network).map(({ spikes }) =>
      spikes[0]!.map((_, unit) => countOf(columnOf(spikes, unit)) / COUNT),
    );
    const again = recalibrate(network, inputs, { '1.binary': own[0]!, '3.binary': own[1]! });
    expect(hiddenOf(again).map(({ spikes }) => spikes)).toEqual(
      hiddenOf(network).map(({ spikes }) => spikes),
    );
  });
});

test('nothing but the biases of neurons moves, and the network given stays as it was', () => {
  const network = randomNetwork(model, 4);
  const before = structuredClone(network);
  const { members, choice } = recalibrate(network, inputs, randomRates(3));
  expect(network).toEqual(before);
  expect(choice).toEqual({ weights: 'mean', recalibrated: COUNT });
  const changed = Object.keys(members[0]!).filter((name) => members[0]![name] !== network.members[0]![name]);
  expect(changed).toEqual(['0.dense.bias', '2.dense.bias']);
});

test('exported, it fires as the oracle does, and says what was done to it', async () => {
  const network = recalibrate(randomNetwork(model, 4), inputs, randomRates(3));
  const file = toOnnx(network);
  expect(reportOnnx(file, 'network.onnx').weights).toEqual({ weights: 'mean', recalibrated: COUNT });
  const exported = await load(file, { observe: ['1.binary'] });
  const { '1.binary': found } = await exported.run(inputs);
  const expected = runOracle(network, network.members[0]!, inputs).layers['1.binary']!;
  expect(Array.from(found!.data, (spike) => Number(spike > 0))).toEqual(Array.from(expected));
  await exported.close();
});

test('what does not fit is refused in one line', async () => {
  const network = randomNetwork(model, 4);
  const rates = randomRates(3);
  expect(await lineOf(() => recalibrate(network, inputs.subarray(1), rates))).toMatch(
    /^recalibrate: 7999 numbers are not whole examples; expected one or more of 20 numbers$/,
  );
  expect(await lineOf(() => recalibrate(network, Float32Array.from(inputs), rates))).toMatch(
    /give a Uint8Array$/,
  );
  expect(await lineOf(() => recalibrate(network, inputs, { '1.binary': rates['1.binary']! }))).toBe(
    'recalibrate: no rates for 3.binary; expected one for each of its 9 neurons',
  );
  const short = { ...rates, '3.binary': new Float32Array(2) };
  expect(await lineOf(() => recalibrate(network, inputs, short))).toMatch(
    /^recalibrate: 2 rates for 3\.binary/,
  );
  const odd = { ...rates, '3.binary': new Float32Array(9).fill(1.5) };
  expect(await lineOf(() => recalibrate(network, inputs, odd))).toMatch(
    /^recalibrate: the rate of neuron 0 of 3\.binary is 1\.5; expected 0 … 1$/,
  );
});
