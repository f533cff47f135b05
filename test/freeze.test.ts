import { describe, expect, test } from 'vitest';
import { freeze, type FreezeOptions, type Network, reportOnnx, runOracle, toOnnx } from '../export/index.ts';
import { load } from '../runtime/index.ts';
import type { InputSpec, Posterior } from '../schemas/index.ts';
import { Random } from '../schemas/random.ts';
import { lineOf } from './support/error-line.ts';
import { denseModel, randomBytes } from './support/networks.ts';
import { randomPosterior } from './support/posteriors.ts';

const bytes = (size: number): InputSpec => ({ type: 'uint8', shape: [size], scale: 1 / 255 });
const model = denseModel(bytes(23), [17, 9, 3]);
const softplus = (value: number): number => Math.log1p(Math.exp(value));

const gaussian = (scale: 'layer' | 'channel' | 'weight' = 'layer', of = model): Posterior =>
  randomPosterior(of, { family: 'gaussian', scale });

const dataOf = (posterior: Posterior, name: string): Float32Array => posterior.learned[name]!.data;
const only = (network: Network) => network.members[0]!;

/** How often an exported network spikes where the oracle does not, or the other way, and how far logits are apart. */
async function apart(network: Network, inputs: Uint8Array | Float32Array) {
  const file = toOnnx(network);
  const { layers } = (await load(file)).description;
  const exported = await load(file, { observe: layers.flat() });
  const outputs = await exported.run(inputs);
  const oracle = runOracle(network, only(network), inputs);
  let spikes = 0;
  for (const name of layers[0]!) {
    oracle.layers[name]!.forEach((spike, place) => {
      if (spike > 0 !== outputs[name]!.data[place]! > 0) spikes++;
    });
  }
  const logits = Array.from(oracle.logits, (value, place) => Math.abs(value - outputs.logits!.data[place]!));
  await exported.close();
  return { spikes, logits: Math.max(...logits) };
}

describe('a Gaussian posterior', () => {
  test('as real weights is its means', () => {
    const posterior = gaussian();
    const network = freeze(posterior, { weights: 'real' });
    expect(network.members).toHaveLength(1);
    expect(only(network)['0.dense.weight']).toEqual({
      values: 'real',
      shape: [23, 17],
      data: dataOf(posterior, '0.dense.weight.mu'),
    });
    expect(only(network)['0.dense.gain']!.data).toEqual(dataOf(posterior, '0.dense.gain.value'));
  });

  test('as a mean is one bit per weight, and their mean size in the gain', () => {
    const posterior = gaussian();
    const member = only(freeze(posterior));
    const mu = dataOf(posterior, '2.dense.weight.mu');
    expect(Array.from(member['2.dense.weight']!.data)).toEqual(
      Array.from(mu, (value) => (value >= 0 ? 1 : -1)),
    );
    dataOf(posterior, '2.dense.gain.value').forEach((gain, channel) => {
      const sizes = mu.filter((_, place) => place % 9 === channel).map(Math.abs);
      const mean = sizes.reduce((sum, size) => sum + size, 0) / 17;
      expect(member['2.dense.gain']!.data[channel]).toBeCloseTo(gain * mean, 6);
    });
  });

  test.each(['layer', 'channel', 'weight'] as const)(
    'as draws has the mean and the noise of a current, with a scale per %s',
    (scale) => {
      const posterior = gaussian(scale, denseModel(bytes(2), [2]));
      const network = freeze(posterior, { weights: 'sample', count: 4000, seed: 2 });
      const mu = dataOf(posterior, '0.dense.weight.mu');
      const rho = dataOf(posterior, '0.dense.weight.rho');
      const gain = dataOf(posterior, '0.dense.gain.value');
      for (let place = 0; place < 4; place++) {
        const channel = place % 2;
        const draws = network.members.map(
          (member) => member['0.dense.weight']!.data[place]! * member['0.dense.gain']!.data[channel]!,
        );
        const mean = draws.reduce((sum, value) => sum + value, 0) / draws.length;
        const variance = draws.reduce((sum, value) => sum + (value - mean) ** 2, 0) / draws.length;
        const sigma = softplus(rho[place % rho.length]!);
        expect(Math.abs(mean - gain[channel]! * mu[place]!)).toBeLessThan((5 * sigma) / Math.sqrt(4000));
        expect(Math.abs(Math.sqrt(variance) / sigma - 1)).toBeLessThan(0.06);
      }
    },
  );

  test('draws the same from the same seed, and others from others', () => {
    const [one, same, other] = [1, 1, 2].map(
      (seed) => freeze(gaussian(), { weights: 'sample', count: 2, seed }).members,
    );
    expect(one).toEqual(same);
    expect(one![0]).not.toEqual(one![1]);
    expect(one).not.toEqual(other);
  });
});

describe('a cooled Bernoulli posterior', () => {
  const open = randomPosterior(denseModel(bytes(100), [50, 3]), { family: 'bernoulli' });
  const plusOf = (temperature: number): number => {
    const posterior = { ...open, family: 'bernoulli', temperature } as Posterior;
    dataOf(open, '0.dense.weight.lambda').fill(0.2);
    const signs = only(freeze(posterior, { weights: 'sample', seed: 1 }))['0.dense.weight']!.data;
    return signs.filter((sign) => sign > 0).length / signs.length;
  };

  test.each([1, 0.5, 0.1])('draws +1 as 1/(1 + e^(−2λ/τ)) says, τ = %d', (temperature) => {
    const probability = 1 / (1 + Math.exp(-0.4 / temperature));
    const error = Math.sqrt((probability * (1 - probability)) / 5000);
    expect(Math.abs(plusOf(temperature) - probability)).toBeLessThan(4 * error);
  });

  test('is in the end its mean', () => {
    const posterior = randomPosterior(model, { family: 'bernoulli', temperature: 1e-6 });
    expect(freeze(posterior, { weights: 'sample', seed: 4 }).members).toEqual(freeze(posterior).members);
  });
});

test('what makes no sense is refused in one line', async () => {
  const bernoulli = randomPosterior(model, { family: 'bernoulli' });
  expect(await lineOf(() => freeze(bernoulli, { weights: 'real' }))).toMatch(
    /^freeze: weights 'real' are for a Gaussian posterior.*take 'mean' or 'sample'$/,
  );
  expect(
    await lineOf(() => freeze({ ...bernoulli, family: 'gaussian', scale: 'layer' } as Posterior)),
  ).toMatch(/^freeze: the tensor 0\.dense\.weight\.mu is missing$/);
  const options = { weights: 'real', seed: 1 } as unknown as FreezeOptions;
  expect(await lineOf(() => freeze(gaussian(), options))).toMatch(/^freeze: unknown option 'seed'/);
});

describe('exported, a network is what the oracle says', () => {
  const inputs = randomBytes(23 * 200, 3);

  test('to every spike where its Gaussian weights became bits', async () => {
    const found = await apart(freeze(gaussian()), inputs);
    expect(found.spikes).toBe(0);
    expect(found.logits).toBeLessThan(1e-5);
  });

  test.each([{ weights: 'real' }, { weights: 'sample', seed: 3 }] as const)(
    'to 1e-5 with real weights: %j',
    async (options) => {
      const found = await apart(freeze(gaussian(), options), inputs);
      expect(found.spikes).toBe(0);
      expect(found.logits).toBeLessThan(1e-5);
    },
  );

  test('with real weights on real inputs too', async () => {
    const real = denseModel({ type: 'float32', shape: [23] }, [17, 3]);
    const random = Random.fromSeed(6, 'inputs');
    const numbers = Float32Array.from({ length: 23 * 50 }, () => 2 * random.nextUniform() - 1);
    const found = await apart(freeze(gaussian('weight', real), { weights: 'real' }), numbers);
    expect(found.spikes).toBe(0);
    expect(found.logits).toBeLessThan(1e-5);
  });

  test('and an ensemble of real draws averages probabilities', async () => {
    const network = freeze(gaussian(), { weights: 'sample', count: 3, seed: 1 });
    const { probabilities, member_probabilities: members } = await (await load(toOnnx(network))).run(inputs);
    expect(members!.dims).toEqual([3, 200, 3]);
    const mean = (members!.data[0]! + members!.data[600]! + members!.data[1200]!) / 3;
    expect(probabilities!.data[0]).toBeCloseTo(mean, 6);
  });

  test('and its report tells real weights from bits', () => {
    const weights = 23 * 17 + 17 * 9 + 9 * 3;
    const real = reportOnnx(
      toOnnx(freeze(gaussian(), { weights: 'sample', count: 2, seed: 1 })),
      'real.onnx',
    );
    expect(real).toMatchObject({ binaryWeights: 0, realWeights: 2 * weights, members: 2 });
    expect(real.bytes).toMatchObject({ packedWeights: 0, realWeights: 8 * weights });
    expect(real.bitsPerWeight.packed).toBe(32);
    const bits = reportOnnx(toOnnx(freeze(gaussian())), 'bits.onnx');
    expect(bits).toMatchObject({ binaryWeights: weights, realWeights: 0 });
    expect(bits.layers[0]).toMatchObject({ binaryWeights: 23 * 17, realWeights: 0 });
  });
});
