import '@tensorflow/tfjs-backend-cpu';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadCheckpoint, saveCheckpoint } from '../schemas/checkpoint/index.ts';
import { Random } from '../schemas/random.ts';
import type { Engine } from '../train/engine/engine.ts';
import { onnxEngine } from '../train/engine/onnx.ts';
import { tfjsEngine } from '../train/engine/tfjs.ts';
import { traceStep } from '../train/engine/trace/trace.ts';
import {
  resumeTraining,
  train,
  trainInFolder,
  type TrainingSettings,
  trainingOptionsSchema,
} from '../train/index.ts';
import { type OptimiserOptions, optimiserOf, optimiserSchema } from '../train/optimisers/index.ts';
import { applyGradients, type Update } from '../train/optimisers/update.ts';
import type { RateGroup } from '../train/rates.ts';
import { scalarNames, type StepFunction } from '../train/step.ts';
import { initialState, startingState } from '../train/start.ts';
import { networkFor, noiseData } from './support/data.ts';
import { lineOf } from './support/error-line.ts';
import { gaussians, relativeDifference } from './support/numbers.ts';
import { smallStep } from './support/training.ts';

/** A tensor or two of every group; none of a size that a kernel would like. */
const shapes: Readonly<Record<string, readonly number[]>> = {
  'a.weight.mu': [5],
  'a.weight.rho': [1],
  'a.gain.value': [2, 3],
  'a.bias.value': [3],
  'a.bias.rho': [2],
  'b.weight.mu': [3, 3],
  'c.decay.raw': [2],
};

const groups: Readonly<Record<string, RateGroup>> = {
  'a.weight.mu': 'weights',
  'a.weight.rho': 'scales',
  'a.gain.value': 'gains',
  'a.bias.value': 'biases',
  'a.bias.rho': 'scales',
  'b.weight.mu': 'weights',
  'c.decay.raw': 'neurons',
};

const rates: Readonly<Record<RateGroup, number>> = {
  weights: 0.05,
  scales: 0.02,
  gains: 0.015,
  biases: 0.04,
  neurons: 0.03,
};

const names = Object.keys(shapes);
const sizeOf = (name: string): number => shapes[name]!.reduce((product, size) => product * size, 1);
const rateOf = (name: string): number => rates[groups[name]!];

type Numbers = Readonly<Record<string, Float32Array>>;

const draw = (random: Random, scale = 1): Numbers =>
  Object.fromEntries(
    names.map((name) => [name, gaussians(sizeOf(name), random).map((value) => value * scale)]),
  );

/** A step whose gradients are what it is fed. */
function stepFed(update: Omit<Update, 'groups'>): StepFunction {
  const { keeps, numbersAt } = optimiserOf(update.optimiser);
  const whole: Update = { ...update, groups };
  return {
    ...whole,
    learned: shapes,
    state: Object.fromEntries(
      names.flatMap((name) =>
        [name, ...keeps.map((kept) => `${name}.${kept}`)].map((key) => [key, shapes[name]!]),
      ),
    ),
    feeds: {
      ...Object.fromEntries([...scalarNames, ...Object.keys(numbersAt(1).scalars)].map((name) => [name, []])),
      ...Object.fromEntries(names.map((name) => [`slope ${name}`, shapes[name]!])),
    },
    noises: [],
    logisticNoises: [],
    run(state, fed) {
      const gradients = Object.fromEntries(names.map((name) => [name, fed[`slope ${name}`]!]));
      return { ...applyGradients(whole, state, gradients, fed), gradients };
    },
  };
}

/** The state after steps by these gradients, and what each reported. */
async function run(
  engine: Engine,
  update: Omit<Update, 'groups'>,
  start: Numbers,
  slopes: readonly Numbers[],
) {
  const tensors = Object.fromEntries(
    names.map((name) => [name, { shape: shapes[name]!, data: start[name]!.slice() }]),
  );
  const report = update.clipNorm === undefined ? [] : ['gradientNorm'];
  const prepared = await engine.prepare(stepFed(update), initialState(tensors, update.optimiser), report);
  const norms: number[] = [];
  for (const [index, gradients] of slopes.entries()) {
    const { rateFactor, scalars } = optimiserOf(update.optimiser).numbersAt(index + 1);
    for (const [group, rate] of Object.entries(rates))
      prepared.feeds[`rate.${group}`]![0] = rate * rateFactor;
    for (const [name, value] of Object.entries(scalars)) prepared.feeds[name]![0] = value;
    for (const name of names) prepared.feeds[`slope ${name}`]!.set(gradients[name]!);
    const reports = await prepared.run();
    expect(Object.keys(reports)).toEqual(report);
    norms.push(...Object.values(reports));
  }
  const state = await prepared.state();
  await prepared.close();
  return { state, norms };
}

/** The value of one tensor after its gradients came one after another, in float64. */
type Reference = (start: Float64Array, gradients: readonly Float64Array[], rate: number) => Float64Array;

/** An ε that counts, other than the usual one. */
const adam = { kind: 'adam', beta1: 0.8, beta2: 0.99, epsilon: 0.1 } as const;

/** Adam as its paper writes it (Kingma and Ba 2015, algorithm 1). */
const adamOfPaper: Reference = (start, gradients, rate) => {
  const { beta1, beta2, epsilon } = adam;
  const m = start.slice().fill(0);
  const v = start.slice().fill(0);
  const x = start.slice();
  gradients.forEach((g, index) => {
    const t = index + 1;
    for (let i = 0; i < x.length; i++) {
      m[i] = beta1 * m[i]! + (1 - beta1) * g[i]!;
      v[i] = beta2 * v[i]! + (1 - beta2) * g[i]! ** 2;
      x[i]! -= (rate * (m[i]! / (1 - beta1 ** t))) / (Math.sqrt(v[i]! / (1 - beta2 ** t)) + epsilon);
    }
  });
  return x;
};

/**
 * Momentum as Sutskever et al. (2013) write it, v ← μ v − rate · g and x ← x + v. Nesterov's takes its gradients at
 * x + μ v, and that is the point that a step with the gradient at hand moves.
 */
const momentumOfPaper =
  ({ momentum, nesterov }: { readonly momentum: number; readonly nesterov: boolean }): Reference =>
  (start, gradients, rate) => {
    const v = start.slice().fill(0);
    const x = start.slice();
    for (const g of gradients) {
      for (let i = 0; i < x.length; i++) {
        v[i] = momentum * v[i]! - rate * g[i]!;
        x[i]! += v[i]!;
      }
    }
    return nesterov ? x.map((value, i) => value + momentum * v[i]!) : x;
  };

const sgds = [
  { kind: 'sgd', momentum: 0, nesterov: false },
  { kind: 'sgd', momentum: 0.8, nesterov: false },
  { kind: 'sgd', momentum: 0.8, nesterov: true },
] as const;

const cases: readonly { readonly options: OptimiserOptions; readonly reference: Reference }[] = [
  { options: adam, reference: adamOfPaper },
  ...sgds.map((options) => ({ options, reference: momentumOfPaper(options) })),
];

const lengthOf = (numbers: Numbers): number =>
  Math.sqrt(Object.values(numbers).reduce((sum, all) => all.reduce((part, x) => part + x * x, sum), 0));

const engines: readonly Engine[] = [onnxEngine({ threads: 1 }), tfjsEngine('cpu')];

describe.each(engines)('of the engine $name', (engine) => {
  const STEPS = 40;
  const random = Random.fromSeed(6);
  const start = draw(random);
  // Of lengths on either side of 4: there are 28 numbers in a gradient.
  const slopes = Array.from({ length: STEPS }, (_, step) => draw(random, step % 3 === 0 ? 2 : 0.4));

  describe.each(cases)('$options', ({ options, reference }) => {
    test.each([undefined, 4])('gradients no longer than %s: what the papers say', async (clipNorm) => {
      const { state, norms } = await run(engine, { optimiser: options, clipNorm }, start, slopes);
      const lengths = slopes.map(lengthOf);
      expect(relativeDifference(norms, clipNorm === undefined ? [] : lengths)).toBeLessThan(1e-6);
      expect(lengths.filter((length) => length > 4).length).toBe(14);
      for (const name of names) {
        const clipped = slopes.map((gradients, step) => {
          const factor = Math.min(1, (clipNorm ?? Infinity) / lengths[step]!);
          return Float64Array.from(gradients[name]!, (value) => value * factor);
        });
        const expected = reference(Float64Array.from(start[name]!), clipped, rateOf(name));
        expect(relativeDifference(state[name]!.data, expected)).toBeLessThan(2e-5);
        expect(relativeDifference(state[name]!.data, start[name]!)).toBeGreaterThan(1e-2);
      }
    });
  });

  test('what Adam keeps are moments of the clipped gradient', async () => {
    const steep = slopes.slice(0, 1);
    const { state } = await run(engine, { optimiser: adam, clipNorm: 0.5 }, start, steep);
    const factor = 0.5 / lengthOf(steep[0]!);
    for (const name of names) {
      const clipped = Array.from(steep[0]![name]!, (value) => value * factor);
      expect(relativeDifference(state[`${name}.adam.first`]!.data, clipped)).toBeLessThan(1e-6);
      const squares = clipped.map((value) => value * value);
      expect(relativeDifference(state[`${name}.adam.second`]!.data, squares)).toBeLessThan(1e-6);
    }
  });
});

test('a gradient whose square no float32 holds is clipped all the same', async () => {
  const random = Random.fromSeed(7);
  const [start, slope] = [draw(random), draw(random, 1e30)];
  const optimiser = optimiserSchema.parse({ kind: 'sgd' });
  const { state, norms } = await run(onnxEngine({ threads: 1 }), { optimiser, clipNorm: 2 }, start, [slope]);
  expect(norms[0]! / lengthOf(slope)).toBeCloseTo(1, 6);
  const clipped = Object.fromEntries(names.map((name) => [name, state[`${name}.sgd.velocity`]!.data]));
  expect(lengthOf(clipped)).toBeCloseTo(2, 5);
});

test('clipping adds nothing to the graph of gradients', async () => {
  const wanted = { reports: ['loss'], gradients: true };
  const [plain, clipping] = [
    await traceStep(smallStep(), wanted),
    await traceStep(smallStep({ clipNorm: 1 }), wanted),
  ];
  expect([clipping.nodes, clipping.inputs]).toEqual([plain.nodes, plain.inputs]);
});

describe('a training', () => {
  const data = noiseData(96);
  const model = networkFor(data, 8);
  /** Two epochs of six steps. */
  const usual = { epochs: 2, batchSize: 16, seed: 4, threads: 1 } as const;

  const root = mkdtempSync(join(tmpdir(), 'bitspike-optimiser-'));
  afterAll(() => {
    rmSync(root, { recursive: true });
  });

  const ways: readonly TrainingSettings[] = [
    {
      optimiser: { kind: 'sgd', nesterov: true },
      learningRate: { shape: 'constant', value: 0.5, warmUp: 0.3 },
    },
    {
      optimiser: { kind: 'adam', beta1: 0.8 },
      clipNorm: 0.05,
      learningRate: { shape: 'step', from: 0.05, factor: 0.1, at: [0.5] },
      scaleRates: { shape: 'linear', from: 0, to: 0.1 },
      gainRates: 2,
    },
  ];

  test.each(ways)('with %o stopped and resumed ends at the same bytes', async (way) => {
    const [straight, stopped] = [mkdtempSync(join(root, 'a-')), mkdtempSync(join(root, 'b-'))];
    await trainInFolder(straight, model, data, { ...usual, ...way });
    const controller = new AbortController();
    const attempt = trainInFolder(stopped, model, data, {
      ...usual,
      ...way,
      signal: controller.signal,
      onProgress: ({ step }) => {
        if (step === 4) controller.abort(new Error('enough'));
      },
    });
    await expect(attempt).rejects.toThrow('enough');
    await resumeTraining(stopped, data);
    expect((await loadCheckpoint(stopped)).files).toEqual((await loadCheckpoint(straight)).files);
  });

  test.each(ways)('with %o is the same from either engine', async (way) => {
    const traced = await train(model, data, { ...usual, ...way });
    const eager = await train(model, data, { ...usual, ...way, engine: 'tfjs', backend: 'cpu' });
    for (const [name, { data: expected }] of Object.entries(eager.learned))
      expect(relativeDifference(traced.learned[name]!.data, expected)).toBeLessThan(1e-4);
  });

  test('gives each group its learning rate: the first step of Adam moves every number by it', async () => {
    const settings: TrainingSettings = {
      epochs: 1,
      batchSize: 96,
      seed: 4,
      posterior: { family: 'gaussian', scale: 'weight' },
      learningRate: 0.004,
      scaleRates: 2,
      gainRates: 0.5,
      biasRates: { shape: 'constant', value: 0.001 },
    };
    const start = startingState(model, data, trainingOptionsSchema.parse(settings)).tensors;
    const { learned } = await train(model, data, { ...settings, threads: 1 });
    const ratesOfParts = { mu: 0.004, rho: 0.008, 'gain.value': 0.002, 'bias.value': 0.001 };
    for (const [part, rate] of Object.entries(ratesOfParts)) {
      const moved = Object.keys(learned).filter((name) => name.endsWith(`.${part}`));
      expect(moved).not.toEqual([]);
      for (const name of moved) {
        // A number whose gradient is next to ε moves less.
        const largest = learned[name]!.data.reduce(
          (most, value, index) => Math.max(most, Math.abs(value - start[name]!.data[index]!)),
          0,
        );
        expect(largest / rate).toBeCloseTo(1, 2);
      }
    }
  });

  test('tells the length of its gradients where it clips them', async () => {
    const reports: Record<string, number>[] = [];
    const watched = {
      ...usual,
      epochs: 1,
      onProgress: (progress: { reports: object }) => reports.push({ ...progress.reports }),
    };
    await train(model, data, { ...watched, clipNorm: 0.01 });
    expect(Object.keys(reports[0]!)).toEqual(['crossEntropy', 'accuracy', 'gradientNorm']);
    expect(reports[0]!.gradientNorm).toBeGreaterThan(0.01);
    reports.length = 0;
    await train(model, data, watched);
    expect(Object.keys(reports[0]!)).toEqual(['crossEntropy', 'accuracy']);
  });

  test('whose optimiser was described in an older way is refused in one line', async () => {
    const folder = mkdtempSync(join(root, 'old-'));
    await trainInFolder(folder, model, data, { ...usual, epochs: 1 });
    const { files, step } = await loadCheckpoint(folder);
    const description = JSON.parse(Buffer.from(files['model.json']!).toString()) as {
      training: { options: Record<string, unknown> };
    };
    const { optimiser: _, ...options } = description.training.options;
    description.training.options = { ...options, adam: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } };
    await saveCheckpoint(folder, step + 1, {
      ...files,
      'model.json': Buffer.from(JSON.stringify(description)),
    });
    expect(await lineOf(() => resumeTraining(folder, data))).toMatch(
      /checkpoint-000007.model\.json: options: unknown option 'adam' \(known: .*optimiser/,
    );
  });
});
