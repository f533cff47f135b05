import { createRequire } from 'node:module';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, expect, test } from 'vitest';
import { freeze, runOracle } from '../export/index.ts';
import { defineModel, dense, type Posterior, readout } from '../schemas/index.ts';
import {
  type Dataset,
  type Progress,
  type RunOptions,
  train,
  type TrainingSettings,
  type TrainingState,
  importanceWeighted,
} from '../train/index.ts';
import { trainingOptionsSchema } from '../train/options.ts';
import { startingState } from '../train/start.ts';
import { lineOf } from './support/error-line.ts';
import { relativeDifference } from './support/numbers.ts';
import { networkFor, patternData } from './support/data.ts';

const COUNT = 480;

const data = patternData(COUNT);
const model = networkFor(data, 24);

/** Two epochs of ten steps. */
const options = { epochs: 2, batchSize: 48, seed: 3, threads: 1 } as const;

/** How decided the first layer's weights are: the mean of |E w|. */
const certainty = (of: Posterior): number => {
  const lambda = of.learned['0.dense.weight.lambda']!.data;
  return lambda.reduce((sum, value) => sum + Math.abs(Math.tanh(value)), 0) / lambda.length;
};

/** The part of the data that a network without noise classifies rightly. */
function accuracyOf(posterior: Posterior): number {
  const network = freeze(posterior, { weights: 'mean' });
  const { logits } = runOracle(network, network.members[0]!, data.inputs);
  const right = Array.from(data.labels).filter((label, example) => {
    const row = logits.subarray(example * 4, example * 4 + 4);
    return row.indexOf(Math.max(...row)) === label;
  });
  return right.length / COUNT;
}

describe('learning', () => {
  const losses: number[] = [];
  let posterior: Posterior;
  beforeAll(async () => {
    posterior = await train(model, data, {
      ...options,
      epochs: 12,
      onProgress: ({ step, stepsPerEpoch, reports }) => {
        if (step % stepsPerEpoch === 0) losses.push(reports.crossEntropy!);
      },
    });
  });

  test('the loss falls', () => {
    expect(losses).toHaveLength(12);
    expect(losses.at(-1)!).toBeLessThan(0.3 * losses[0]!);
  });

  test('the frozen mean has learned the patterns', () => {
    expect(accuracyOf(posterior)).toBeGreaterThan(0.97);
  });

  test('the posterior names what it is', () => {
    expect(posterior).toMatchObject({ family: 'bernoulli', model, classNames: data.classNames });
  });

  test.each([
    { estimator: { kind: 'importanceWeighted', mix: 1 } },
    { divergenceWeight: 0.1 },
    { penalty: 'bias', penaltyWeight: 1e-3 },
  ] as const)('with %o too', async (setting) => {
    expect(accuracyOf(await train(model, data, { ...options, epochs: 12, ...setting }))).toBeGreaterThan(
      0.95,
    );
  });

  test('a divergence weight keeps weights open', async () => {
    const open = await train(model, data, { ...options, epochs: 12, divergenceWeight: 3 });
    expect(certainty(open)).toBeLessThan(0.8 * certainty(posterior));
  });
});

describe('the steps', () => {
  test('the first moves every number by its rate, as the bias corrections of Adam say', async () => {
    const one = { ...options, epochs: 1, batchSize: COUNT, learningRate: 0.04, otherRates: 0.5 };
    const { threads: _, ...settings } = one;
    const start = startingState(model, data, trainingOptionsSchema.parse(settings)).tensors;
    const { learned } = await train(model, data, one);
    for (const [name, { data }] of Object.entries(learned)) {
      const rate = name.endsWith('.lambda') ? 0.04 : 0.02;
      const moves = data.map((value, index) => Math.abs(value - start[name]!.data[index]!) / rate);
      expect(relativeDifference(moves, moves.slice().fill(1))).toBeLessThan(0.05);
    }
  });

  test('of each epoch see every example once, in an order of their own', async () => {
    const sums: number[] = [];
    const linear = defineModel({ ...model, layers: [dense({ units: 4 }), readout()] });
    // Nothing is learned and nothing uncertain, so that a loss tells which examples are in its batch.
    await train(linear, data, {
      ...options,
      learningRate: 1e-30,
      initialSpread: 1e6,
      initialBiasRho: -20,
      onProgress: ({ step, reports }) => sums.push(reports.crossEntropy! * (((step - 1) % 10) + 1)),
    });
    const losses = sums.map((sum, index) => sum - (index % 10 === 0 ? 0 : sums[index - 1]!));
    expect(sums[19]).toBeCloseTo(sums[9]!, 4);
    expect(relativeDifference(losses.slice(10), losses.slice(0, 10))).toBeGreaterThan(0.01);
  });
});

/** Every learned number, tensor by tensor. */
const numbersOf = ({ learned }: Posterior): number[] =>
  Object.values(learned).flatMap(({ data }) => Array.from(data));

describe('the same bits', () => {
  test('from the same seed, on any number of threads; others from another seed', async () => {
    const posterior = await train(model, data, options);
    expect((await train(model, data, options)).learned).toEqual(posterior.learned);
    expect((await train(model, data, { ...options, threads: 2 })).learned).toEqual(posterior.learned);
    const other = await train(model, data, { ...options, seed: 4 });
    expect(relativeDifference(numbersOf(other), numbersOf(posterior))).toBeGreaterThan(0.1);
  });

  const changes: readonly TrainingSettings[] = [
    { learningRate: 0.04 },
    { otherRates: 1 },
    { estimator: { kind: 'importanceWeighted', mix: 1 } },
    { divergenceWeight: 1 },
    { penalty: 'membrane', penaltyWeight: 0.01 },
    { initialSpread: 0.6 },
    { initialBiasRho: -1 },
    { gainRates: 1 },
    { biasRates: { shape: 'linear', from: 0, to: 0.1 } },
    { optimiser: { kind: 'adam', beta1: 0.8 } },
    { optimiser: { kind: 'adam', beta2: 0.9 } },
    { optimiser: { kind: 'adam', epsilon: 0.1 } },
    { optimiser: { kind: 'sgd' } },
    { clipNorm: 1e-6 },
  ];
  test.each(changes)('others with %o', async (setting) => {
    const few = { ...options, epochs: 1 };
    const [usual, changed] = [
      await train(model, data, few),
      await train(model, data, { ...few, ...setting }),
    ];
    expect(relativeDifference(numbersOf(changed), numbersOf(usual))).toBeGreaterThan(1e-3);
  });

  test('nearly, from the other engine', async () => {
    const few = {
      ...options,
      epochs: 1,
      estimator: importanceWeighted({ mix: 0.5 }),
      divergenceWeight: 0.1,
      penalty: 'bias',
    } as const;
    const traced = await train(model, data, few);
    const eager = await train(model, data, { ...few, engine: 'tfjs', backend: 'cpu' });
    expect(relativeDifference(numbersOf(traced), numbersOf(eager))).toBeLessThan(1e-4);
  });
});

/** Trains until so many steps are done; returns the states that were handed out. */
async function stopAt(step: number): Promise<TrainingState[]> {
  const controller = new AbortController();
  const reason = new Error('enough');
  const states: TrainingState[] = [];
  const stopped = train(model, data, {
    ...options,
    signal: controller.signal,
    onProgress: (progress) => {
      if (progress.step === step) controller.abort(reason);
    },
    onState: async (state) => {
      states.push(state);
    },
  });
  await expect(stopped).rejects.toBe(reason);
  return states;
}

/** What every step reports. */
async function reportsFrom(given: Pick<RunOptions, 'resume'>): Promise<number[]> {
  const reports: number[] = [];
  const onProgress = (progress: Progress) => reports.push(progress.reports.crossEntropy!);
  await train(model, data, { ...options, ...given, onProgress });
  return reports;
}

describe('stopping and going on', () => {
  test('progress is told after every step', async () => {
    const seen: Progress[] = [];
    await train(model, data, { ...options, onProgress: (progress) => seen.push(progress) });
    expect(seen.map(({ step }) => step)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect(seen.map(({ epoch }) => epoch)).toEqual(
      Array.from({ length: 20 }, (_, index) => Math.floor(index / 10)),
    );
    for (const { steps, epochs, stepsPerEpoch } of seen)
      expect([steps, epochs, stepsPerEpoch]).toEqual([20, 2, 10]);
    expect(seen.at(-1)).toMatchObject({ remainingSeconds: 0 });
    expect(seen[5]!.remainingSeconds).toBeGreaterThan(0);
    expect(seen[5]!.examplesPerSecond).toBeGreaterThan(0);
  });

  test('reports are means over the steps so far', async () => {
    const whole = await reportsFrom({});
    const [second] = await reportsFrom({ resume: (await stopAt(1))[0]! });
    expect(second).toBe(whole[1]);
  });

  test('a signal stops after the step that runs, and the state is handed out first', async () => {
    expect((await stopAt(4)).map(({ step }) => step)).toEqual([4]);
    expect((await stopAt(13)).map(({ step }) => step)).toEqual([10, 13]);
    const signal = AbortSignal.abort(new Error('before it began'));
    await expect(train(model, data, { ...options, signal })).rejects.toThrow('before it began');
  });

  test.each([1, 10, 13])('a training resumed after step %i of 20 ends at the same bits', async (step) => {
    const whole = await train(model, data, options);
    const state = (await stopAt(step)).at(-1)!;
    const steps: number[] = [];
    const resumed = await train(model, data, {
      ...options,
      resume: state,
      onProgress: ({ step }) => steps.push(step),
    });
    expect(steps[0]).toBe(step + 1);
    expect(resumed.learned).toEqual(whole.learned);
  });
});

const lineOfTraining = (given: object, on: Partial<Dataset> = {}, network = model): Promise<string> =>
  lineOf(() =>
    train(network, { ...data, ...on }, { ...options, ...(given as TrainingSettings & RunOptions) }),
  );

const isInstalled = (name: string): boolean => {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
};

describe('what cannot be trained is refused in one line', () => {
  test('options', async () => {
    expect(await lineOfTraining({ learnRate: 0.1 })).toMatch(
      /^train: unknown option 'learnRate' \(did you mean learningRate\?\) \(known: epochs, /,
    );
    expect(await lineOfTraining({ epochs: '3' })).toMatch(/^train: epochs: .*expected number/);
    expect(await lineOfTraining({ epochs: 0 })).toMatch(/^train: epochs: /);
    expect(await lineOfTraining({ estimator: { kind: 'importanceWeighted', mix: 1.5 } })).toMatch(
      /^train: estimator\.mix: /,
    );
    expect(await lineOfTraining({ seed: -1 })).toMatch(/^train: seed: /);
    expect(await lineOfTraining({ noise: 'sequence', estimator: { kind: 'surrogate' } })).toMatch(
      /^train: noise 'sequence' draws weights, .* surrogate wants no noise: /,
    );
    expect(await lineOfTraining({ noise: 'sequence', estimator: { kind: 'gumbelSoftmax' } })).toMatch(
      /wants logistic noise: /,
    );
    expect(await lineOfTraining({ penalty: 'threshold' })).toMatch(/^train: penalty: .*membrane/);
    expect(await lineOfTraining({ optimiser: { kind: 'adam', beta1: 1 } })).toMatch(
      /^train: optimiser\.beta1: /,
    );
    expect(await lineOfTraining({ optimiser: { kind: 'adam', beta: 0.9 } })).toMatch(
      /^train: unknown option 'beta' \(did you mean beta1\?\) in optimiser/,
    );
    expect(await lineOfTraining({ optimiser: { kind: 'lion' } })).toMatch(
      /^train: optimiser\S*: expected kind adam or sgd$/,
    );
    expect(await lineOfTraining({ optimiser: { kind: 'sgd', momentum: 0, nesterov: true } })).toMatch(
      /^train: optimiser\.nesterov: .*momentum above 0$/,
    );
    expect(await lineOfTraining({ clipNorm: 0 })).toMatch(/^train: clipNorm: /);
    expect(
      await lineOfTraining({ learningRate: { shape: 'linear', from: 1, to: 0, start: 1, end: 0.5 } }),
    ).toMatch(/^train: learningRate: /);
    expect(await lineOfTraining({ epochs: 0, seed: -1 })).toMatch(/epochs: .*; seed: /);
  });

  test('data that do not fit the model', async () => {
    const wide = defineModel({ ...model, input: { type: 'uint8', shape: [17], scale: 1 / 255 } });
    expect(await lineOfTraining({}, {}, wide)).toBe(
      "train: the model's input is [17] = 17 numbers, an example of patterns has [4,4] = 16; change the model's input",
    );
    expect(await lineOfTraining({}, { classes: 5, classNames: ['a', 'b', 'c', 'd', 'e'] })).toBe(
      'train: the model has 4 outputs, patterns has 5 classes; change the units of its last synapse',
    );
    expect(await lineOfTraining({}, { scale: 1 })).toMatch(
      /^train: the model takes bytes of scale .*, those of patterns have 1;/,
    );
    expect(await lineOfTraining({ batchSize: COUNT + 1 })).toBe(
      'train: patterns has 480 examples, fewer than batchSize 481; lower batchSize',
    );
  });

  test('a loss that is no number, with its step', async () => {
    expect(await lineOfTraining({ learningRate: 1e38, otherRates: 1 })).toMatch(
      /^train: the crossEntropy became \S+ at step [1-9]\d* \(epoch [12]\): .* layer \d .*; lower the learning rate, which is 1e\+38 there, or clip gradients \(clipNorm\)$/,
    );
  });

  test('an engine or backend that does not exist', async () => {
    expect(await lineOfTraining({ engine: 'torch' })).toBe("unknown engine 'torch'; expected onnx or tfjs");
    expect(await lineOfTraining({ engine: 'tfjs', backend: 'abacus' })).toMatch(
      /^unknown tfjs backend 'abacus'; expected one of cpu, /,
    );
  });

  test.skipIf(isInstalled('@tensorflow/tfjs-node'))('a backend whose package is missing', async () => {
    expect(await lineOfTraining({ engine: 'tfjs' })).toMatch(
      /^the tfjs backend 'tensorflow' needs the package @tensorflow\/tfjs-node: npm install @tensorflow\/tfjs-node /,
    );
  });
});
