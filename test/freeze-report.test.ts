import { describe, expect, test } from 'vitest';
import {
  atTemperature,
  freeze,
  freezeReport,
  type Network,
  recalibrate,
  runOracle,
  signHistogram,
  toOnnx,
} from '../export/index.ts';
import { evaluate, load } from '../runtime/index.ts';
import {
  defineModel,
  dense,
  type InputSpec,
  leakyIntegrator,
  type Posterior,
  readout,
  recurrent,
} from '../schemas/index.ts';
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

const judge = ({ choice, members }: Network): string => `${choice.weights} ${members.length}`;

describe('the freeze report', () => {
  test('judges every way that a posterior can be frozen', async () => {
    const bernoulli = await freezeReport(randomPosterior(model, { family: 'bernoulli' }), judge, {
      count: 3,
    });
    expect(bernoulli.networks).toEqual({ mean: 'mean 1', sample: 'sample 1', samples: 'sample 3' });
    const { networks } = await freezeReport(gaussian(), judge);
    expect(networks).toEqual({ mean: 'mean 1', sample: 'sample 1', samples: 'sample 8', real: 'real 1' });
  });

  test('shows how sure the signs are', () => {
    const signs = signHistogram(randomPosterior(model, { family: 'bernoulli', temperature: 0.01 }));
    expect(signs).toHaveLength(20);
    expect(signs.reduce((sum, part) => sum + part, 0)).toBeCloseTo(1, 12);
    expect(signs[0]! + signs[19]!).toBeGreaterThan(0.9);
    // |λ| < 1 keeps P(+1) within 0.12 and 0.88.
    const warm = signHistogram(randomPosterior(model, { family: 'bernoulli' }));
    expect([warm[0], warm[1], warm[18], warm[19]]).toEqual([0, 0, 0, 0]);
  });

  test('of Gaussian weights, by the normal distribution', () => {
    const posterior = gaussian('layer', denseModel(bytes(1), [3]));
    dataOf(posterior, '0.dense.weight.mu').set([0, 1, -1]);
    dataOf(posterior, '0.dense.weight.rho').set([Math.log(Math.expm1(1))]);
    dataOf(posterior, '0.dense.gain.value').set([1, -1, 2]);
    // Φ(0) = 0.5, Φ(1) = 0.841, Φ(−2) = 0.023.
    const signs = signHistogram(posterior);
    expect([signs[0], signs[9]! + signs[10]!, signs[16]].map((part) => Math.round(part! * 3))).toEqual([
      1, 1, 1,
    ]);
  });
});

describe('the figures of the report', () => {
  const inputs = randomBytes(23 * 150, 7);
  const random = Random.fromSeed(2, 'labels');
  const labels = Uint8Array.from({ length: 150 }, () => random.nextBelow(3));
  const figures = async (network: Network) => {
    const loaded = await load(toOnnx(network));
    const found = await evaluate(loaded, inputs, labels);
    await loaded.close();
    return found;
  };

  /** By plain loops over what the oracle says: accuracy and mean of −log Σ p(label)/K. */
  function counted(network: Network) {
    let right = 0;
    let loss = 0;
    const members = network.members.map((member) => runOracle(network, member, inputs).logits);
    labels.forEach((label, example) => {
      const mean = [0, 0, 0];
      for (const logits of members) {
        const powers = [0, 1, 2].map((each) => Math.exp(logits[3 * example + each]!));
        const total = powers[0]! + powers[1]! + powers[2]!;
        powers.forEach((power, each) => (mean[each]! += power / total / members.length));
      }
      if (mean.indexOf(Math.max(...mean)) === label) right++;
      loss -= Math.log(mean[label]!);
    });
    return { accuracy: right / 150, negativeLogLikelihood: loss / 150 };
  }

  test.each([{ family: 'bernoulli' }, { family: 'gaussian', scale: 'channel' }] as const)(
    'are those of the frozen networks: %j',
    async (family) => {
      const posterior = randomPosterior(model, family);
      const rates = { '1.binary': new Float32Array(17).fill(0.4), '3.binary': new Float32Array(9).fill(0.6) };
      const recalibration = { inputs, rates };
      const { networks } = await freezeReport(posterior, figures, { count: 3, seed: 6, recalibration });
      const mean = freeze(posterior);
      const expected: Record<string, Network> = {
        mean,
        recalibratedMean: recalibrate(mean, inputs, rates),
        sample: freeze(posterior, { weights: 'sample', seed: 6 }),
        samples: freeze(posterior, { weights: 'sample', seed: 6, count: 3 }),
      };
      if (family.family === 'gaussian') {
        expected['real'] = freeze(posterior, { weights: 'real' });
        expected['recalibratedReal'] = recalibrate(expected['real'], inputs, rates);
      }
      expect(Object.keys(networks).sort()).toEqual(Object.keys(expected).sort());
      for (const [name, network] of Object.entries(expected)) {
        const found = networks[name as keyof typeof networks]!;
        const { accuracy, negativeLogLikelihood } = counted(network);
        expect(found.accuracy).toBe(accuracy);
        expect(found.negativeLogLikelihood).toBeCloseTo(negativeLogLikelihood, 5);
      }
    },
  );
});

describe('a posterior at another temperature', () => {
  test('of Bernoulli weights, draws by λ/τ, from the λ it has', () => {
    const warm = randomPosterior(model, { family: 'bernoulli', temperature: 0.5 });
    const cooled = atTemperature(warm, 0.25);
    expect(cooled).toEqual({ ...warm, temperature: 0.25 });
    const lambda = dataOf(warm, '0.dense.weight.lambda');
    // P(w > 0) = 1/(1 + e^(−2λ/τ)), counted in 20 bins.
    const all = ['0', '2', '4'].flatMap((layer) => Array.from(dataOf(warm, `${layer}.dense.weight.lambda`)));
    const counts = Array.from({ length: 20 }, () => 0);
    for (const each of all) counts[Math.floor(20 / (1 + Math.exp(-8 * each)))]!++;
    expect(signHistogram(cooled)).toEqual(counts.map((count) => count / all.length));
    expect(dataOf(cooled, '0.dense.weight.lambda')).toEqual(lambda);
  });

  test.each(['layer', 'channel', 'weight'] as const)(
    'of Gaussian weights, scales the σ of neurons, one per %s, and not that of the readout',
    (scale) => {
      const warm = gaussian(scale);
      const cooled = atTemperature(warm, 0.05);
      for (const [name, { data }] of Object.entries(warm.learned)) {
        const found = dataOf(cooled, name);
        const isScaled = name.endsWith('.rho') && !name.startsWith('4.');
        const sizes = Array.from(isScaled ? data.map((rho) => 0.05 * softplus(rho)) : data);
        const own = Array.from(isScaled ? found.map(softplus) : found);
        own.forEach((value, index) => expect(value / sizes[index]!).toBeCloseTo(1, 5));
      }
    },
  );

  test('of a layer on itself, scales its σ too', () => {
    const layers = [recurrent({ units: 3 }), dense({ units: 3 }), leakyIntegrator(), readout()];
    const warm = gaussian('layer', defineModel({ input: [2], steps: 4, layers }));
    const cooled = atTemperature(warm, 0.5);
    const scales = ['0.recurrent.weight', '0.recurrent.recurrent', '0.recurrent.bias', '1.dense.weight'].map(
      (name) => softplus(dataOf(cooled, `${name}.rho`)[0]!) / softplus(dataOf(warm, `${name}.rho`)[0]!),
    );
    expect(scales.map((scale) => Number(scale.toFixed(5)))).toEqual([0.5, 0.5, 0.5, 1]);
  });

  test('is above 0', async () => {
    for (const temperature of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(await lineOf(() => atTemperature(gaussian(), temperature))).toBe(
        `a posterior has no temperature of ${temperature}; expected a number above 0`,
      );
  });
});
