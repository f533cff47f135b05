import '@tensorflow/tfjs-backend-cpu';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freeze, runOracle, toOnnx } from '../export/index.ts';
import {
  evaluate,
  evaluateRegression,
  gaussianNegativeLogLikelihood,
  load,
  rootMeanSquareError,
} from '../runtime/index.ts';
import { loadPosterior } from '../schemas/checkpoint/index.ts';
import { binary, defineModel, dense, type Posterior, readout } from '../schemas/index.ts';
import { Random } from '../schemas/random.ts';
import {
  regressionArrays,
  type RegressionDataset,
  resumeTraining,
  train,
  trainInFolder,
  type ValidationProgress,
} from '../train/index.ts';
import { checkRegressionDataset } from '../train/data/index.ts';
import { networkFor, patternData } from './support/data.ts';
import { lineOf } from './support/error-line.ts';
import { relativeDifference } from './support/numbers.ts';

/** Two numbers to be learned from three: (a + b, a − c), with a little noise. */
function sumsData(count: number): RegressionDataset {
  const random = Random.fromSeed(11, 'sums');
  const inputs = Float32Array.from({ length: 3 * count }, () => 2 * random.nextUniform() - 1);
  const noise = () => 0.1 * (random.nextUniform() - 0.5);
  const targets = Float32Array.from({ length: 2 * count }, (_, at) => {
    const [a, b, c] = inputs.subarray(3 * (at >> 1), 3 * (at >> 1) + 3) as unknown as [
      number,
      number,
      number,
    ];
    return (at % 2 === 0 ? a + b : a - c) + noise();
  });
  return { name: 'sums', inputs, shape: [3], scale: 1, targets, outputs: 2, count };
}

const data = sumsData(300);
const model = defineModel({
  input: [3],
  layers: [dense({ units: 64 }), binary(), dense({ units: 2 }), readout()],
});
const likelihood = { kind: 'gaussian', deviation: 0.5 } as const;
const options = { epochs: 30, batchSize: 30, seed: 2, threads: 1, likelihood } as const;

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'bitspike-regression-'));
});
afterAll(() => {
  rmSync(root, { recursive: true });
});

describe('training on numbers', () => {
  const losses: number[] = [];
  const told: ValidationProgress[] = [];
  let posterior: Posterior;
  beforeAll(async () => {
    posterior = await train(model, data, {
      ...options,
      validation: 0.2,
      onProgress: ({ step, stepsPerEpoch, reports }) => {
        if (step % stepsPerEpoch === 0) losses.push(reports.negativeLogLikelihood!);
      },
      onValidation: (figures) => told.push(figures),
    });
  });

  test('learns them', () => {
    expect(losses.at(-1)!).toBeLessThan(losses[0]!);
    // One who always said the mean would be wrong by 0.82.
    expect(told.at(-1)!.rootMeanSquareError).toBeLessThan(0.45);
    expect(told.at(-1)!.loss).toBeLessThan(told[0]!.loss);
    expect(told[0]!.accuracy).toBeUndefined();
  });

  test('validation of the mode finds what the frozen mean does', async () => {
    const modes: ValidationProgress[] = [];
    const frozen = await train(model, data, {
      ...options,
      epochs: 2,
      validationData: data,
      validationNetwork: 'mode',
      onValidation: (figures) => modes.push(figures),
    });
    const loaded = await load(toOnnx(freeze(frozen)), { threads: 1 });
    const found = await evaluateRegression(loaded, data.inputs, data.targets);
    expect(modes[1]!.rootMeanSquareError).toBeCloseTo(found.rootMeanSquareError, 5);
    expect(modes[1]!.loss).toBeCloseTo(found.negativeLogLikelihood, 4);
    await loaded.close();
  });

  test('the posterior carries what its outputs are', () => {
    expect(posterior).toMatchObject({ likelihood, classNames: ['output 0', 'output 1'] });
  });

  test('the frozen mean answers in ONNX as the oracle does', async () => {
    const network = freeze(posterior);
    expect(network.likelihood).toEqual(likelihood);
    const { logits } = runOracle(network, network.members[0]!, data.inputs);
    const loaded = await load(toOnnx(network), { threads: 1 });
    expect(loaded.description.likelihood).toEqual(likelihood);
    const predictions = await loaded.predict(data.inputs);
    const means = predictions.flatMap(({ mean }) => Array.from(mean));
    expect(relativeDifference(means, logits)).toBeLessThan(1e-5);
    expect(predictions[0]).toEqual({ mean: predictions[0]!.mean, deviation: Float32Array.of(0.5, 0.5) });

    const found = await evaluateRegression(loaded, data.inputs, data.targets);
    const squares = Array.from(data.targets, (target, at) => (target - logits[at]!) ** 2);
    const meanSquare = squares.reduce((sum, square) => sum + square, 0) / squares.length;
    expect(found).toMatchObject({ examples: 300 });
    expect(found.rootMeanSquareError).toBeCloseTo(Math.sqrt(meanSquare), 5);
    const constant = 2 * (Math.log(0.5) + 0.5 * Math.log(2 * Math.PI));
    expect(found.negativeLogLikelihood).toBeCloseTo((2 * meanSquare) / (2 * 0.25) + constant, 4);

    expect(await lineOf(() => loaded.classify(data.inputs))).toContain('call predict');
    expect(await lineOf(() => evaluate(loaded, data.inputs, data.targets))).toContain('evaluateRegression');
    await loaded.close();
  });

  test('an ensemble gives the mean of its members and how far they are apart', async () => {
    const network = freeze(posterior, { weights: 'sample', count: 3, seed: 1 });
    const members = network.members.map((member) => runOracle(network, member, data.inputs).logits);
    const loaded = await load(toOnnx(network), { threads: 1 });
    const predictions = await loaded.predict(data.inputs);
    for (const at of [0, 1, 77, 599]) {
      const said = members.map((logits) => logits[at]!);
      const mean = said.reduce((sum, each) => sum + each, 0) / 3;
      const spread = Math.sqrt(said.reduce((sum, each) => sum + (each - mean) ** 2, 0) / 3);
      const found = predictions[at >> 1]!;
      expect(found.mean[at % 2]).toBeCloseTo(mean, 5);
      expect(found.spread![at % 2]).toBeCloseTo(spread, 5);
      expect(found.deviation[at % 2]).toBeCloseTo(Math.hypot(spread, 0.5), 5);
    }
    const found = await evaluateRegression(loaded, data.inputs, data.targets);
    const means = members[0]!.map((_, at) => members.reduce((sum, logits) => sum + logits[at]!, 0) / 3);
    expect(found.rootMeanSquareError).toBeCloseTo(rootMeanSquareError(means, data.targets), 5);
    const expected = gaussianNegativeLogLikelihood(members, data.targets, { outputs: 2, deviation: 0.5 });
    expect(found.negativeLogLikelihood).toBeCloseTo(expected, 4);
    expect(found.spread).toBeGreaterThan(0);
    await loaded.close();
  });

  test('in a folder resumes to the same posterior', async () => {
    const few = { ...options, epochs: 2 };
    const run = join(root, 'run');
    const straight = await train(model, data, few);
    const controller = new AbortController();
    const reason = new Error('stopped by the test');
    const stopped = trainInFolder(run, model, data, {
      ...few,
      signal: controller.signal,
      onProgress: ({ step }) => {
        if (step === 7) controller.abort(reason);
      },
    });
    await expect(stopped).rejects.toBe(reason);
    expect(await resumeTraining(run, data)).toEqual(straight);
    expect(await loadPosterior(run)).toEqual(straight);
    const other = { ...data, targets: data.targets.map((value, at) => (at === 3 ? value + 1 : value)) };
    expect(await lineOf(() => resumeTraining(run, other))).toContain('holds other examples');
  });
});

const refused = (given: object, examples: Parameters<typeof train>[1] = data) =>
  lineOf(() => train(model, examples, { ...options, ...given }));

describe('what does not fit is refused in one line', () => {
  test('data and likelihood', async () => {
    expect(await refused({ likelihood: 'categorical' })).toBe(
      "train: sums has real targets; set likelihood to { kind: 'gaussian', deviation }",
    );
    const classes = patternData(60);
    const attempt = () => train(networkFor(classes, 4), classes, { ...options });
    expect(await lineOf(attempt)).toBe("train: patterns has classes; set likelihood to 'categorical'");
    expect(await refused({}, { ...data, outputs: 1, targets: data.targets.subarray(0, 300) })).toContain(
      'the model has 2 outputs, sums has 1 targets an example',
    );
    const bytes = defineModel({ ...model, input: { type: 'uint8', shape: [3], scale: 1 } });
    expect(await lineOf(() => train(bytes, data, options))).toContain("make the model's input float32");
  });

  test('options of classes', async () => {
    expect(await refused({ labelSmoothing: 0.1 })).toContain('labelSmoothing');
    const earlyStopping = { patience: 2, on: 'accuracy' };
    expect(await refused({ earlyStopping, validation: 0.1 })).toContain('a regression has no accuracy');
    expect(await refused({ likelihood: { kind: 'gaussian', deviation: 0 } })).toContain('likelihood');
  });

  test('data sets', async () => {
    const line = (change: Partial<RegressionDataset>) =>
      lineOf(() => checkRegressionDataset({ ...data, ...change }));
    expect(checkRegressionDataset(data)).toBe(data);
    expect(await line({ outputs: 3 })).toBe(
      'data sums: targets holds 600 numbers; expected 300 examples × 3',
    );
    expect(await line({ targets: data.targets.map((value, at) => (at === 4 ? Number.NaN : value)) })).toBe(
      'data sums: number 4 of targets is NaN; expected finite numbers',
    );
    expect(await line({ outputNames: ['a'] })).toContain('expected one per output, 2');
  });
});

/** An npy file of float32, first axis outermost or innermost. */
function npyFile(shape: readonly number[], values: readonly number[], fortran = false): Buffer {
  const order = fortran ? 'True' : 'False';
  const header = `{'descr': '<f4', 'fortran_order': ${order}, 'shape': (${shape.join(', ')},), }`;
  const text = `${header.padEnd(117)}\n`;
  const start = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length, 0]);
  return Buffer.concat([start, Buffer.from(text), Buffer.from(Float32Array.from(values).buffer)]);
}

describe('data from npy files', () => {
  test('are read row by row, whatever the order in the file', async () => {
    const folder = join(root, 'npy');
    mkdirSync(folder);
    writeFileSync(join(folder, 'inputs.npy'), npyFile([3, 2], [1, 3, 5, 2, 4, 6], true));
    writeFileSync(join(folder, 'targets.npy'), npyFile([3], [7, 8, 9]));
    writeFileSync(join(folder, 'test.inputs.npy'), npyFile([1, 2], [1, 2]));
    writeFileSync(join(folder, 'test.targets.npy'), npyFile([1, 3], [1, 2, 3]));
    expect(await regressionArrays(folder, 'train')).toMatchObject({
      inputs: Float32Array.of(1, 2, 3, 4, 5, 6),
      shape: [2],
      targets: Float32Array.of(7, 8, 9),
      outputs: 1,
      count: 3,
    });
    expect(await regressionArrays(folder, 'test')).toMatchObject({ outputs: 3, count: 1 });

    writeFileSync(join(folder, 'targets.npy'), npyFile([2], [7, 8]));
    expect(await lineOf(() => regressionArrays(folder, 'train'))).toContain(
      'has shape (2); expected one row per example, (3, outputs)',
    );
    rmSync(join(folder, 'targets.npy'));
    expect(await lineOf(() => regressionArrays(folder, 'train'))).toContain(
      'expected train.inputs.npy and train.targets.npy',
    );
  });
});

describe('metrics of regression', () => {
  test('by hand', () => {
    expect(rootMeanSquareError([1, 2, 3, 4], [1, 2, 3, 8])).toBe(2);
    // One output, σ = 1: N(0; 0, 1) = 1/√(2π).
    const halfLog = 0.5 * Math.log(2 * Math.PI);
    const one = { outputs: 1, deviation: 1 };
    expect(gaussianNegativeLogLikelihood([[0]], [0], one)).toBeCloseTo(halfLog, 12);
    // Members at 0 and 2 of a target 0: p = (1 + e^−2)/2 / √(2π).
    const mixed = -Math.log((1 + Math.exp(-2)) / 2) + halfLog;
    expect(gaussianNegativeLogLikelihood([[0], [2]], [0], one)).toBeCloseTo(mixed, 12);
    // Two outputs of one member: their logarithms add; σ = 2 takes log 2 from each.
    const two = 25 / 8 + 2 * (halfLog + Math.log(2));
    expect(gaussianNegativeLogLikelihood([[3, 4]], [0, 0], { outputs: 2, deviation: 2 })).toBeCloseTo(
      two,
      12,
    );
    // So far away that e^−x underflows.
    expect(gaussianNegativeLogLikelihood([[1e3], [2e3]], [0], one)).toBeCloseTo(
      5e5 + Math.log(2) + halfLog,
      6,
    );
  });

  test('refuse what does not pair', async () => {
    expect(await lineOf(() => rootMeanSquareError([1], [1, 2]))).toContain('1 predictions for 2 targets');
    const one = { outputs: 1, deviation: 1 };
    expect(await lineOf(() => gaussianNegativeLogLikelihood([], [1], one))).toContain('no members');
  });
});
