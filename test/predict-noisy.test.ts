import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, expect, test } from 'vitest';
import { freeze, runOracle } from '../export/index.ts';
import { binary, defineModel, dense, type Posterior, readout } from '../schemas/index.ts';
import { onnxEngine } from '../train/engine/onnx.ts';
import { predictNoisy, train } from '../train/index.ts';
import { Judge } from '../train/judge.ts';
import { networkFor, patternData } from './support/data.ts';
import { lineOf } from './support/error-line.ts';
import { relativeDifference } from './support/numbers.ts';

const data = patternData(50);
const model = networkFor(data, 12);

let posterior: Posterior;
beforeAll(async () => {
  posterior = await train(model, data, { epochs: 2, batchSize: 10, seed: 2, threads: 1 });
});

/** Φ(x) of the standard normal, by the trapezoid rule. */
function normalCdf(x: number): number {
  const steps = 20_000;
  const width = (x + 10) / steps;
  let sum = 0;
  for (let step = 0; step <= steps; step++) {
    const at = -10 + step * width;
    sum += (step === 0 || step === steps ? 0.5 : 1) * Math.exp((-at * at) / 2);
  }
  return (sum * width) / Math.sqrt(2 * Math.PI);
}

const softmaxOf = (logits: readonly number[]): number[] => {
  const powers = logits.map(Math.exp);
  return powers.map((power) => power / powers.reduce((sum, each) => sum + each, 0));
};

/** Two inputs, two neurons, two classes: so small that all its answers can be listed. */
const tiny = defineModel({
  input: { type: 'uint8', shape: [2], scale: 1 / 255 },
  layers: [dense({ units: 2 }), binary(), dense({ units: 2 }), readout()],
});
const vector = (...data: number[]) => ({ shape: [data.length], data: Float32Array.from(data) });
const matrix = (...data: number[]) => ({ shape: [2, 2], data: Float32Array.from(data) });
const scalar = (value: number) => ({ shape: [1], data: Float32Array.of(value) });

const tinyPosterior = (temperature: number): Posterior => ({
  family: 'bernoulli',
  temperature,
  model: tiny,
  classNames: ['a', 'b'],
  learned: {
    '0.dense.weight.lambda': matrix(0.3, -0.6, 0.9, 0.2),
    '0.dense.gain.value': vector(0.8, 1.1),
    '0.dense.bias.value': vector(0.1, -0.2),
    '0.dense.bias.rho': scalar(-1),
    // Sure to +1, +1, −1, +1, and a bias without noise: nothing after the neurons is uncertain.
    '2.dense.weight.lambda': matrix(90, 90, -90, 90),
    '2.dense.gain.value': vector(1, 0.5),
    '2.dense.bias.value': vector(0.2, 0),
    '2.dense.bias.rho': scalar(-90),
  },
});

/** The exact prediction: a sum over the four patterns of spikes. */
function enumerated(
  temperature: number,
  noiseScale: number,
  bytes: readonly number[],
  answerOf = softmaxOf,
): number[] {
  const part = (name: string) => tinyPosterior(temperature).learned[name]!.data;
  const x = bytes.map((byte) => byte / 255);
  const biasDeviation = Math.log(1 + Math.exp(-1));
  const chances = [0, 1].map((unit) => {
    const expected = [0, 1].map((input) =>
      Math.tanh(part('0.dense.weight.lambda')[input * 2 + unit]! / temperature),
    );
    const gain = part('0.dense.gain.value')[unit]!;
    const mean = expected.reduce((sum, weight, input) => sum + x[input]! * weight, 0) * gain;
    const variance = expected.reduce((sum, weight, input) => sum + x[input]! ** 2 * (1 - weight ** 2), 0);
    const deviation = Math.sqrt(variance * gain ** 2 + biasDeviation ** 2) * noiseScale;
    return normalCdf((mean + part('0.dense.bias.value')[unit]!) / deviation);
  });
  const total = [0, 0];
  for (const [first, second] of [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ] as const) {
    const chance = (first ? chances[0]! : 1 - chances[0]!) * (second ? chances[1]! : 1 - chances[1]!);
    const logits = [first - second + 0.2, (first + second) * 0.5];
    answerOf(logits).forEach((answer, index) => (total[index]! += chance * answer));
  }
  return total;
}

describe('predictNoisy', () => {
  test.each([
    [1, 1],
    [0.4, 1],
    [1, 0.3],
  ])('at temperature %d and noise scale %d is the sum over all spikes', async (temperature, noiseScale) => {
    // Many copies of two examples, in batches that do not divide them: a mean over 60,000 draws.
    const copies = 1001;
    const bytes = [200, 40, 90, 255];
    const many = {
      ...patternData(1),
      inputs: Uint8Array.from({ length: 4 * copies }, (_, at) => bytes[at % 4]!),
      shape: [2],
      labels: new Uint8Array(2 * copies),
      count: 2 * copies,
    };
    const found = await predictNoisy(tinyPosterior(temperature), many, {
      draws: 60,
      noiseScale,
      batchSize: 300,
      threads: 1,
    });
    for (const example of [0, 1]) {
      const expected = enumerated(temperature, noiseScale, bytes.slice(2 * example, 2 * example + 2));
      for (const label of [0, 1]) {
        const mine = Array.from({ length: copies }, (_, copy) => found[(2 * copy + example) * 2 + label]!);
        const mean = mine.reduce((sum, each) => sum + each, 0) / copies;
        // A probability deviates by at most ½ a draw: five standard errors.
        expect(Math.abs(mean - expected[label]!)).toBeLessThan((5 * 0.5) / Math.sqrt(60 * copies));
      }
    }
  });

  test('of a regression is the mean of its outputs', async () => {
    const copies = 1000;
    const bytes = [200, 40];
    const many = {
      name: 'copies',
      inputs: Uint8Array.from({ length: 2 * copies }, (_, at) => bytes[at % 2]!),
      shape: [2],
      scale: 1 / 255,
      targets: new Float32Array(2 * copies),
      outputs: 2,
      count: copies,
    };
    const likelihood = { kind: 'gaussian', deviation: 1 } as const;
    const regression = { ...tinyPosterior(1), likelihood };
    const found = await predictNoisy(regression, many, { draws: 60, batchSize: 250, threads: 1 });
    const expected = enumerated(1, 1, bytes, (logits) => [...logits]);
    for (const output of [0, 1]) {
      const mine = Array.from({ length: copies }, (_, copy) => found[2 * copy + output]!);
      const mean = mine.reduce((sum, each) => sum + each, 0) / copies;
      // The outputs lie within 2 of each other: five standard errors of draws that deviate by 1 at most.
      expect(Math.abs(mean - expected[output]!)).toBeLessThan(5 / Math.sqrt(60 * copies));
    }
  });

  test('gives the same bits on any number of threads, and others from another seed', async () => {
    const options = { draws: 3, seed: 5, batchSize: 16, threads: 1 };
    const found = await predictNoisy(posterior, data, options);
    expect(await predictNoisy(posterior, data, { ...options, threads: 2 })).toEqual(found);
    const other = await predictNoisy(posterior, data, { ...options, seed: 6 });
    expect(relativeDifference(other, found)).toBeGreaterThan(0.01);
    for (let row = 0; row < data.count; row++) {
      const sum = found.subarray(4 * row, 4 * row + 4).reduce((total, each) => total + each, 0);
      expect(sum).toBeCloseTo(1, 5);
    }
  });

  test.each(['gaussian', 'logistic', 'none'] as const)('with %s noise, both engines agree', async (noise) => {
    const options = { draws: 2, batchSize: 20, noise } as const;
    const eager = await predictNoisy(posterior, data, { ...options, engine: 'tfjs', backend: 'cpu' });
    const traced = await predictNoisy(posterior, data, { ...options, threads: 1 });
    expect(relativeDifference(traced, eager)).toBeLessThan(1e-4);
  });

  test('refuses what does not fit', async () => {
    expect(await lineOf(() => predictNoisy(posterior, data, { draws: 0 }))).toContain('draws');
    expect(await lineOf(() => predictNoisy(posterior, { ...data, shape: [5] }))).toContain(
      "predictNoisy: the model's input is [16], an example of patterns is [5]",
    );
  });

  test('stops when asked to', async () => {
    const reason = new Error('stopped by the test');
    await expect(predictNoisy(posterior, data, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

test('judged without noise, a network answers as its frozen mean', async () => {
  const network = freeze(posterior, { weights: 'mean' });
  const { logits: expected } = runOracle(network, network.members[0]!, data.inputs);
  const { model, learned, family } = posterior;
  const judge = await Judge.prepare(
    { model, family: { family: family as 'bernoulli' }, batchSize: 8, noise: 'gaussian' },
    onnxEngine({ threads: 1 }),
  );
  const found: number[] = [];
  for await (const { start, logits } of judge.answers(data, { learned, draws: 0, seed: 1, stream: 'none' })) {
    expect(start * 4).toBe(found.length);
    found.push(...logits);
  }
  await judge.close();
  expect(relativeDifference(found, expected)).toBeLessThan(1e-5);
});
