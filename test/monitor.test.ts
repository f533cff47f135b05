import '@tensorflow/tfjs-backend-cpu';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadCheckpoint } from '../schemas/checkpoint/index.ts';
import {
  adaptiveLif,
  binary,
  defineModel,
  dense,
  lif,
  type Model,
  readout,
  recurrent,
} from '../schemas/index.ts';
import type { Dataset } from '../train/index.ts';
import {
  gumbelSoftmax,
  importanceWeighted,
  loadTraining,
  type MonitorProgress,
  resumeTraining,
  train,
  trainInFolder,
  type TrainingSettings,
} from '../train/index.ts';
import { onnxEngine } from '../train/engine/onnx.ts';
import { tfjsEngine } from '../train/engine/tfjs.ts';
import { estimatorOf } from '../train/estimators/settings.ts';
import { type LayerFigures, Monitor, type MonitorFigures } from '../train/monitor.ts';
import { warningsOf } from '../train/monitor-warnings.ts';
import { defaultOptimiser } from '../train/optimisers/index.ts';
import { buildStep, type StepOptions } from '../train/step.ts';
import { lineOf } from './support/error-line.ts';
import { networkFor, noiseData } from './support/data.ts';
import { randomFeeds, runEagerly, smallModel, smallState } from './support/training.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'bitspike-monitor-'));
});
afterAll(() => {
  rmSync(root, { recursive: true });
});

const stepOptions = (model: Model, given: Partial<StepOptions> = {}): StepOptions => ({
  model,
  batchSize: 3,
  estimator: estimatorOf({ kind: 'importanceWeighted', mix: 0, noise: 'gaussian' }),
  optimiser: defaultOptimiser,
  divergence: false,
  penalty: 'none',
  posterior: { family: 'bernoulli' },
  cooling: false,
  annealing: false,
  noise: 'step',
  ...given,
});

const spiking = defineModel({
  input: [7],
  steps: 4,
  layers: [
    recurrent({ units: 6, neuron: lif({ threshold: 0.5 }) }),
    dense({ units: 5 }),
    adaptiveLif({ threshold: 0.4 }),
    dense({ units: 4 }),
    readout(),
  ],
});

const cases: readonly (readonly [string, StepOptions])[] = [
  ['binary', stepOptions(smallModel)],
  [
    'through time, with all that adds to the loss',
    stepOptions(spiking, { divergence: true, penalty: 'membrane', cooling: true, annealing: true }),
  ],
  [
    'importance weights, Gaussian posterior',
    stepOptions(smallModel, {
      estimator: importanceWeighted({ mix: 0.5 }),
      posterior: { family: 'gaussian', scale: 'channel', prior: 1 },
      penalty: 'bias',
    }),
  ],
  ['relaxed spikes', stepOptions(smallModel, { estimator: gumbelSoftmax({ temperature: 0.5 }) })],
];

/** What of a look are whole numbers over whole numbers, and what are sums of real ones. */
function firingsOf({ layers }: MonitorFigures) {
  const firings = layers.flatMap(({ firing }) => firing ?? []);
  return {
    rates: firings.map(({ rate, silent, saturated }) => [rate, silent, saturated]),
    distances: firings.map(({ distance }) => distance),
  };
}

describe('what is seen of a step', () => {
  test.each(cases)('is its gradients, with both engines: %s', async (_name, options) => {
    const step = buildStep(options);
    const state = smallState(options.posterior, options.model);
    const feeds = randomFeeds(step, 4);
    const { gradients } = await runEagerly(step, state, feeds);
    const learned = Object.fromEntries(Object.keys(step.learned).map((name) => [name, state[name]!]));
    const looks = [];
    for (const engine of [onnxEngine({ threads: 1 }), tfjsEngine('cpu')]) {
      const monitor = await Monitor.prepare(options, step, engine);
      looks.push(await monitor.look(1, learned, feeds));
      await monitor.close();
    }
    const [traced, eager] = looks as [(typeof looks)[0], (typeof looks)[0]];
    let weights = 0;
    for (const { layer, gradients: norms = {} } of traced.layers) {
      for (const [weight, norm] of Object.entries(norms)) {
        const part = options.posterior.family === 'bernoulli' ? 'lambda' : 'mu';
        const expected = Math.hypot(...gradients[`${layer}.${weight}.${part}`]!);
        expect(Math.abs(norm / expected - 1)).toBeLessThan(1e-4);
        weights++;
      }
    }
    expect(weights).toBe(Object.values(step.groups).filter((group) => group === 'weights').length);
    expect(eager.layers.map(({ layer }) => layer)).toEqual(traced.layers.map(({ layer }) => layer));
    const [ours, theirs] = [firingsOf(traced), firingsOf(eager)];
    expect(ours.rates.length).toBeGreaterThan(0);
    expect(ours.rates).toEqual(theirs.rates);
    ours.distances.forEach((distance, index) => {
      expect(distance).toBeCloseTo(theirs.distances[index]!, 4);
    });
  });

  test('is how the neurons fired, as a plain loop has it', async () => {
    // One layer of neurons; the noise of its four units is chosen so that each is one case.
    const model = defineModel({
      input: [2],
      layers: [dense({ units: 4 }), binary({ threshold: 0.25 }), dense({ units: 2 }), readout()],
    });
    const options = stepOptions(model);
    const step = buildStep(options);
    const state = smallState(options.posterior, model);
    const feeds = randomFeeds(step, 9);
    const noise = [
      [99, -99, 99, 0.1],
      [99, -99, -99, -0.2],
      [99, -99, -99, 0.3],
    ];
    feeds['noise.0'] = Float32Array.from(noise.flat());
    const monitor = await Monitor.prepare(options, step, onnxEngine({ threads: 1 }));
    const { layers } = await monitor.look(7, state, feeds);
    await monitor.close();

    const learned = (name: string) => Array.from(state[`0.dense.${name}`]!.data);
    const [lambda, gain, bias] = ['weight.lambda', 'gain.value', 'bias.value'].map(learned) as [
      number[],
      number[],
      number[],
    ];
    const biasNoise = Math.log1p(Math.exp(learned('bias.rho')[0]!)) ** 2;
    let [count, distance] = [0, 0];
    const perUnit = [0, 0, 0, 0];
    noise.forEach((row, example) => {
      row.forEach((epsilon, unit) => {
        let [mean, variance] = [0, 0];
        for (let input = 0; input < 2; input++) {
          const x = feeds.inputs![2 * example + input]!;
          const weight = Math.tanh(lambda[4 * input + unit]!);
          mean += x * weight;
          variance += x ** 2 * (1 - weight ** 2);
        }
        const ratio =
          (mean * gain[unit]! + bias[unit]! - 0.25) / Math.sqrt(variance * gain[unit]! ** 2 + biasNoise);
        const fires = ratio + epsilon > 0 ? 1 : 0;
        perUnit[unit]! += fires;
        count += fires;
        distance += Math.abs(ratio) / 12;
      });
    });
    expect(perUnit[0]).toBe(3);
    expect(perUnit[1]).toBe(0);
    expect(layers[1]).toEqual({
      layer: '1.binary',
      firing: {
        rate: count / 12,
        silent: perUnit.filter((each) => each === 0).length / 4,
        saturated: perUnit.filter((each) => each === 3).length / 4,
        distance: expect.closeTo(distance, 4),
      },
    });
  });
});

test('a relaxed spike fires where the noise takes its neuron over the threshold', async () => {
  const model = networkFor(noiseData(3), 4);
  const options = stepOptions(model, { estimator: gumbelSoftmax({ temperature: 0.5 }) });
  const step = buildStep(options);
  const feeds = randomFeeds(step, 9);
  // Neither 0 nor 1, but on the side that the noise says.
  feeds['noise.0'] = Float32Array.from({ length: 12 }, (_, index) => (index % 4 === 0 ? 4 : -4));
  const monitor = await Monitor.prepare(options, step, onnxEngine({ threads: 1 }));
  const { layers } = await monitor.look(1, smallState(options.posterior, model), feeds);
  await monitor.close();
  expect(layers[1]!.firing).toMatchObject({ rate: 0.25, silent: 0.75, saturated: 0.25 });
});

const data: Dataset = noiseData(96);
const network = networkFor(data, 8);
const settings = {
  epochs: 3,
  batchSize: 16,
  seed: 4,
  threads: 1,
  estimator: importanceWeighted({ mix: 0.5 }),
} satisfies TrainingSettings & { threads: number };

/** Trains and returns what was told of it. */
async function watched(given: Parameters<typeof train>[2] = {}) {
  const told: MonitorProgress[] = [];
  const posterior = await train(network, data, {
    ...settings,
    onMonitor: (figures) => told.push(figures),
    ...given,
  });
  return { told, posterior };
}

/** What is seen of every step of an epoch. */
async function everyStep(clipNorm?: number): Promise<(readonly LayerFigures[])[]> {
  const { told } = await watched({ epochs: 1, monitor: { every: 1 }, ...(clipNorm && { clipNorm }) });
  return told.map(({ layers }) => layers);
}

describe('a training that is looked at', () => {
  test('learns the same bits', async () => {
    const { posterior, told } = await watched({ monitor: { every: 4 } });
    expect(posterior).toEqual(await train(network, data, settings));
    // Six steps make an epoch.
    expect(told.map(({ step, epoch }) => [step, epoch])).toEqual([
      [4, 0],
      [6, 0],
      [8, 1],
      [12, 1],
      [16, 2],
      [18, 2],
    ]);
    expect(told.every(({ epochs }) => epochs === 3)).toBe(true);
  });

  test('tells nothing where that was not asked for', async () => {
    expect((await watched({ monitor: false })).told).toEqual([]);
    expect((await watched()).told.map(({ step }) => step)).toEqual([6, 12, 18]);
  });

  test('is seen before its gradients are clipped', async () => {
    const [plain, clipped] = [await everyStep(), await everyStep(1e-3)];
    expect(plain).toHaveLength(6);
    // Clipping changes what the first step leaves, and nothing of what it sees.
    expect(clipped[0]).toEqual(plain[0]);
    expect(clipped[1]).not.toEqual(plain[1]);
  });

  test('keeps the last step of each epoch where it is saved, wherever it was interrupted', async () => {
    const straight = join(root, 'straight');
    await trainInFolder(straight, network, data, { ...settings, monitor: { every: 4 } });
    const { state } = await loadTraining(straight);
    const { told } = await watched();
    expect(state.monitored).toEqual(told.map(({ step, layers }) => ({ step, layers })));

    const run = join(root, 'stopped');
    const controller = new AbortController();
    const stopped = trainInFolder(run, network, data, {
      ...settings,
      monitor: true,
      signal: controller.signal,
      onProgress: ({ step }) => {
        if (step === 8) controller.abort(new Error('stopped by the test'));
      },
    });
    await expect(stopped).rejects.toThrow('stopped by the test');
    await resumeTraining(run, data, { monitor: true });
    expect((await loadCheckpoint(run)).files).toEqual((await loadCheckpoint(straight)).files);
  });

  test('refuses a number of steps that is none', async () => {
    expect(await lineOf(() => train(network, data, { ...settings, monitor: { every: 0 } }))).toContain(
      'train: monitor',
    );
  });
});

/** The warnings of each epoch of a training of neurons with that threshold. */
async function warned(threshold: number): Promise<string[][]> {
  const told: string[][] = [];
  const model = defineModel({
    ...network,
    layers: [dense({ units: 8 }), binary({ threshold }), dense({ units: 3 }), readout()],
  });
  await train(model, data, { ...settings, onMonitor: ({ warnings }) => told.push([...warnings]) });
  return told;
}

const textsOf = (layers: readonly LayerFigures[]): string[] => warningsOf(layers).map(({ text }) => text);

describe('a layer that is dead or saturated', () => {
  test('is named once, with what to do', async () => {
    const [first, ...others] = await warned(1e4);
    // That no gradient reaches the layer before it follows, and is not said.
    expect(first).toEqual([
      'layer 1 (binary) never fires: lower its threshold or raise its gain (initialGain)',
    ]);
    expect(others.flat()).toEqual([]);
    expect((await warned(-1e4))[0]).toEqual([
      'layer 1 (binary) fires at 100 % of all times: raise its threshold or lower its gain (initialGain)',
      'no gradient reaches layer 0 (dense): bring neurons after it nearer to their thresholds (initialGain)',
    ]);
    expect((await warned(0)).flat()).toEqual([]);
  });

  const sound = { rate: 0.2, silent: 0.1, saturated: 0, distance: 1 };
  test.each([
    [{ ...sound, rate: 0.99 }, 'layer 3.residual.1 (lif) fires at 99 % of all times: raise'],
    [{ ...sound, silent: 0.95 }, 'layer 3.residual.1 (lif) has 95 % of units that never fire: lower'],
    [{ ...sound, saturated: 0.9 }, 'layer 3.residual.1 (lif) has 90 % of units that always fire: raise'],
  ])('%j', (firing, expected) => {
    const [text, ...more] = textsOf([{ layer: '3.residual.1.lif', firing }]);
    expect(text).toContain(expected);
    expect(more).toEqual([]);
    expect(textsOf([{ layer: '1.lif', firing: sound }])).toEqual([]);
  });

  test.each([
    [
      1e-6,
      2e-3,
      'the gradient of layer 0 (dense) is 2,000 times smaller than that of layer 6 (dense): bring',
    ],
    [2, 1e-3, 'the gradient of layer 0 (dense) is 2,000 times larger than that of layer 6 (dense): clip'],
    [Number.NaN, 1, 'the gradient of layer 0 (dense) is NaN: lower the learning rate'],
    [0, 1, 'no gradient reaches layer 0 (dense)'],
  ])('a gradient of %d before one of %d', (first, last, expected) => {
    const layers = [
      { layer: '0.dense', gradients: { weight: first } },
      { layer: '6.dense', gradients: { weight: last } },
    ];
    const [text, ...more] = textsOf(layers);
    expect(text).toContain(expected);
    expect(more).toEqual([]);
  });

  test('a gradient of the same order is none', () => {
    const layers = [
      { layer: '0.recurrent', firing: sound, gradients: { weight: 1e-3, recurrent: 1e-4 } },
      { layer: '1.dense', gradients: { weight: 0.9 } },
    ];
    expect(textsOf(layers)).toEqual([]);
  });
});
