import { describe, expect, test } from 'vitest';
import { type FrozenTensor, type Network, runOracle, toOnnx } from '../export/index.ts';
import { uncertaintyOf } from '../runtime/uncertainty.ts';
import { stepsOf } from '../schemas/model.ts';
import { defineModel } from '../schemas/index.ts';
import { readModel } from '../schemas/onnx/index.ts';
import { denseModel, randomBytes, randomNetwork } from './support/networks.ts';
import { openPlain, places } from './support/plain-sessions.ts';
import { timeNetworks } from './support/time-networks.ts';

const BATCH = 6;
const model = denseModel({ type: 'uint8', shape: [20], scale: 1 / 255 }, [15, 4]);

/** Softmax in float64. */
function softmax(logits: ArrayLike<number>): number[] {
  const values = Array.from(logits);
  const most = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** The same ensemble with logits so many times as large: its members are then certain, each of its own class. */
function surer(network: Network, factor: number): Network {
  const larger = (tensor: FrozenTensor): FrozenTensor =>
    tensor.values === 'real' ? { ...tensor, data: tensor.data.map((value) => value * factor) } : tensor;
  return {
    ...network,
    members: network.members.map((member) => ({
      ...member,
      '2.dense.gain': larger(member['2.dense.gain']!),
      '2.dense.bias': larger(member['2.dense.bias']!),
    })),
  };
}

const alike = (network: Network): Network => ({
  ...network,
  members: network.members.map(() => network.members[0]!),
});

describe.each(places)('an ensemble in one graph on %s', (where) => {
  test.each([
    ['members that differ', randomNetwork(model, 3, 4)],
    ['members that are certain, so that probabilities are 0', surer(randomNetwork(model, 4, 3), 1000)],
    ['members that agree', alike(randomNetwork(model, 5, 3))],
    ['members in time', randomNetwork(defineModel(timeNetworks['recurrent layers']!), 6, 3)],
  ])('says how unsure it is and why: %s', async (name, network) => {
    const { shape } = network.model.input;
    const steps = stepsOf(network.model);
    const inputs = randomBytes(steps * BATCH * shape[0]!, 7, steps > 1 ? 2 : 255);
    const session = await openPlain(toOnnx(network), where);
    const dims = steps > 1 ? [steps, BATCH, ...shape] : [BATCH, ...shape];
    const found = await session.run({ input: { type: 'uint8', dims, data: inputs } });
    await session.release();
    const logits = network.members.map((member) => runOracle(network, member, inputs).logits);
    const classes = logits[0]!.length / BATCH;
    expect(found.member_probabilities!.dims).toEqual([network.members.length, BATCH, classes]);
    for (let example = 0; example < BATCH; example++) {
      const members = logits.map((all) => softmax(all.subarray(example * classes, (example + 1) * classes)));
      const { mean, entropy, mutualInformation } = uncertaintyOf(members);
      mean.forEach((probability, label) =>
        expect(found.probabilities!.data[example * classes + label]).toBeCloseTo(probability, 5),
      );
      expect(found.predictive_entropy!.data[example]).toBeCloseTo(entropy, 5);
      expect(found.mutual_information!.data[example]).toBeCloseTo(mutualInformation, 5);
      expect(found.mutual_information!.data[example]).toBeGreaterThanOrEqual(0);
    }
    const information = Math.max(...(found.mutual_information!.data as Float32Array));
    const [least, most] = name.includes('agree') ? [0, 1e-6] : [0.01, 2];
    expect(information).toBeGreaterThanOrEqual(least);
    expect(information).toBeLessThan(most);
  });
});

test('a regression has means, and no entropies', () => {
  const network: Network = { ...randomNetwork(model, 3, 2), likelihood: { kind: 'gaussian', deviation: 1 } };
  expect(readModel(toOnnx(network)).graph.outputs.map(({ name }) => name)).toEqual(['means', 'member_means']);
});
