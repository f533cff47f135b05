import { describe, expect, test } from 'vitest';
import { binary, defineModel, dense, lif, type Posterior, readout } from '../schemas/index.ts';
import { type Dataset, noisyRates } from '../train/index.ts';
import { lineOf } from './support/error-line.ts';

/** Two inputs, two neurons, two more, two classes: so small that all that can happen can be listed. */
const model = defineModel({
  input: { type: 'uint8', shape: [2], scale: 1 / 255 },
  layers: [
    dense({ units: 2 }),
    binary(),
    dense({ units: 2 }),
    binary({ threshold: 0.1 }),
    dense({ units: 2 }),
    readout(),
  ],
});

const learned = (data: readonly number[], shape = [data.length]) => ({
  shape,
  data: Float32Array.from(data),
});
const layer = (name: string, lambda: number[], gain: number[], bias: number[], rho: number) => ({
  [`${name}.weight.lambda`]: learned(lambda, [2, 2]),
  [`${name}.gain.value`]: learned(gain),
  [`${name}.bias.value`]: learned(bias),
  [`${name}.bias.rho`]: learned([rho]),
});

const posterior: Posterior = {
  family: 'bernoulli',
  temperature: 0.5,
  model,
  classNames: ['a', 'b'],
  learned: {
    ...layer('0.dense', [0.3, -0.6, 0.9, 0.2], [0.8, 1.1], [0.1, -0.2], -1),
    ...layer('2.dense', [-0.4, 0.5, 0.2, 0.7], [0.7, -1.3], [0.2, 0.3], -2),
    ...layer('4.dense', [1, 1, 1, 1], [1, 1], [0, 0], -1),
  },
};

const bytes = [200, 40, 90, 255, 0, 130];
const examples = (copies: number): Dataset => ({
  name: 'pairs',
  inputs: Uint8Array.from({ length: bytes.length * copies }, (_, at) => bytes[at % bytes.length]!),
  shape: [2],
  scale: 1 / 255,
  labels: new Uint8Array((bytes.length * copies) / 2),
  count: (bytes.length * copies) / 2,
  classes: 2,
  classNames: ['a', 'b'],
});

/** The distribution functions of scale 1; the normal one by the trapezoid rule. */
const cumulative = {
  gaussian(x: number): number {
    const steps = 20_000;
    const width = (x + 10) / steps;
    let sum = 0;
    for (let step = 0; step <= steps; step++)
      sum += (step === 0 || step === steps ? 0.5 : 1) * Math.exp(-((-10 + step * width) ** 2) / 2);
    return (sum * width) / Math.sqrt(2 * Math.PI);
  },
  logistic: (x: number): number => 1 / (1 + Math.exp(-x)),
  none: (x: number): number => Number(x > 0),
};
type Noise = keyof typeof cumulative;

/** P(fire) of both neurons of a layer, given its input. */
function chances(name: string, x: readonly number[], threshold: number, noise: Noise, noiseScale: number) {
  const part = (of: string) => posterior.learned[`${name}.${of}`]!.data;
  return [0, 1].map((unit) => {
    const means = [0, 1].map((input) => Math.tanh(part('weight.lambda')[2 * input + unit]! / 0.5));
    const gain = part('gain.value')[unit]!;
    const mean = gain * (x[0]! * means[0]! + x[1]! * means[1]!) + part('bias.value')[unit]!;
    const spread = x[0]! ** 2 * (1 - means[0]! ** 2) + x[1]! ** 2 * (1 - means[1]! ** 2);
    const ofBias = Math.log1p(Math.exp(part('bias.rho')[0]!));
    const deviation = noiseScale * Math.sqrt(gain ** 2 * spread + ofBias ** 2);
    return cumulative[noise]((mean - threshold) / deviation);
  });
}

/** The rates of both layers: a sum over the examples, and over the four patterns of spikes of the first layer. */
function enumerated(noise: Noise, noiseScale: number): number[][] {
  const rates = [
    [0, 0],
    [0, 0],
  ];
  for (let at = 0; at < bytes.length; at += 2) {
    const first = chances('0.dense', [bytes[at]! / 255, bytes[at + 1]! / 255], 0, noise, noiseScale);
    first.forEach((chance, unit) => (rates[0]![unit]! += chance / 3));
    for (const pattern of [0, 1, 2, 3].map((bits) => [bits & 1, bits >> 1])) {
      const chance = pattern.reduce((all, spike, unit) => all * (spike ? first[unit]! : 1 - first[unit]!), 1);
      chances('2.dense', pattern, 0.1, noise, noiseScale).forEach(
        (second, unit) => (rates[1]![unit]! += (chance * second) / 3),
      );
    }
  }
  return rates;
}

describe('the rates of a noisy network', () => {
  test.each([
    ['gaussian', 1],
    ['gaussian', 0.3],
    ['logistic', 1],
    ['none', 1],
  ] as const)('with %s noise of scale %d are what enumeration says', async (noise, noiseScale) => {
    const copies = 101;
    const draws = 20;
    // Batches of 128 do not divide the examples, so the last is filled up.
    const found = await noisyRates(posterior, examples(copies), { draws, noise, noiseScale, threads: 1 });
    const [first, second] = enumerated(noise, noiseScale);
    expect(Object.keys(found)).toEqual(['1.binary', '3.binary']);
    for (const unit of [0, 1]) {
      // Nothing before the first layer is random.
      expect(found['1.binary']![unit]).toBeCloseTo(first![unit]!, 5);
      // A probability deviates by at most ½ a draw: five standard errors.
      const limit = noise === 'none' ? 1e-6 : 2.5 / Math.sqrt(3 * copies * draws);
      expect(Math.abs(found['3.binary']![unit]! - second![unit]!)).toBeLessThan(limit);
    }
  });

  test('over time are a sum over all histories of spikes', async () => {
    const spiking: Posterior = {
      family: 'bernoulli',
      model: defineModel({
        input: { type: 'uint8', shape: [1], scale: 1 / 100 },
        steps: 3,
        layers: [dense({ units: 1 }), lif({ decay: 0.7 }), dense({ units: 2 }), readout()],
      }),
      classNames: ['a', 'b'],
      learned: {
        '0.dense.weight.lambda': learned([0.6], [1, 1]),
        '0.dense.gain.value': learned([1.5]),
        '0.dense.bias.value': learned([0.2]),
        '0.dense.bias.rho': learned([-1]),
        '2.dense.weight.lambda': learned([1, 1], [1, 2]),
        '2.dense.gain.value': learned([1, 1]),
        '2.dense.bias.value': learned([0, 0]),
        '2.dense.bias.rho': learned([-1]),
      },
    };
    const x = [0.9, 0.3, 1.4];
    let rate = 0;
    const walk = (step: number, before: number, spread: number, chance: number): void => {
      if (step === 3) return;
      const mean = Math.tanh(0.6);
      const membrane = 0.7 * before + 1.5 * mean * x[step]! + 0.2;
      const variance = 0.49 * spread + (1.5 * x[step]!) ** 2 * (1 - mean ** 2);
      const deviation = Math.sqrt(variance + Math.log1p(Math.exp(-1)) ** 2);
      const fires = cumulative.gaussian((membrane - 1) / deviation);
      rate += (chance * fires) / 3;
      walk(step + 1, membrane - 1, variance, chance * fires);
      walk(step + 1, membrane, variance, chance * (1 - fires));
    };
    walk(0, 0, 0, 1);
    const count = 201;
    const data: Dataset = {
      ...examples(1),
      inputs: Uint8Array.from({ length: 3 * count }, (_, at) => Math.round(100 * x[at % 3]!)),
      shape: [1],
      steps: 3,
      scale: 1 / 100,
      labels: new Uint8Array(count),
      count,
    };
    const found = await noisyRates(spiking, data, { draws: 20, threads: 1 });
    // Three probabilities of one example hang together: as one draw, five standard errors.
    expect(Math.abs(found['1.lif']![0]! - rate)).toBeLessThan(2.5 / Math.sqrt(count * 20));
  });

  test('are refused where the data do not fit', async () => {
    expect(await lineOf(() => noisyRates(posterior, { ...examples(1), shape: [3] }))).toMatch(
      /^noisyRates: the model's input is \[2\], an example of pairs is \[3\]/,
    );
    expect(await lineOf(() => noisyRates(posterior, examples(1), { draws: 0 }))).toMatch(
      /^noisyRates: draws/,
    );
  });
});
