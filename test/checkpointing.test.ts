import '@tensorflow/tfjs-backend-cpu';
import { describe, expect, test } from 'vitest';
import {
  adaptiveLif,
  averagePool,
  binary,
  conv2d,
  cubaLif,
  defineModel,
  dense,
  flatten,
  leakyIntegrator,
  lif,
  type ModelDefinition,
  readout,
  recurrent,
  residual,
} from '../schemas/index.ts';
import { Random } from '../schemas/random.ts';
import { readModel } from '../schemas/onnx/index.ts';
import { traceStep } from '../train/engine/trace/trace.ts';
import { type Dataset, importanceWeighted, train } from '../train/index.ts';
import { lineOf } from './support/error-line.ts';
import { relativeDifference } from './support/numbers.ts';
import {
  type Choices,
  randomFeeds,
  runEagerly,
  runTraced,
  smallState,
  smallStep,
} from './support/training.ts';

const gaussian = { family: 'gaussian', scale: 'channel', prior: 1 } as const;

const networks: readonly (readonly [string, ModelDefinition, Choices])[] = [
  [
    'layers with states of every kind, the current penalty',
    {
      input: [5],
      steps: 4,
      layers: [
        dense({ units: 6 }),
        lif({ threshold: 0.4, learnDecay: true, learnThreshold: true }),
        dense({ units: 6 }),
        adaptiveLif({ threshold: 0.4 }),
        dense({ units: 5 }),
        cubaLif({ threshold: 0.4 }),
        recurrent({ units: 5, neuron: lif({ threshold: 0.4, reset: 'zero' }) }),
        dense({ units: 5 }),
        binary(),
        dense({ units: 3 }),
        leakyIntegrator(),
        readout({ over: 'last' }),
      ],
    },
    { penalty: 'current', divergence: true, cooling: true, annealing: true },
  ],
  [
    'planes, Gaussian weights, the largest answer',
    {
      input: [4, 4, 2],
      steps: 4,
      layers: [
        conv2d({ filters: 3, size: 3 }),
        lif({ threshold: 0.3 }),
        residual({ layers: [conv2d({ filters: 3, size: 3 }), binary()] }),
        averagePool({ size: 2 }),
        flatten(),
        dense({ units: 3 }),
        readout({ over: 'maximum' }),
      ],
    },
    { posterior: gaussian, penalty: 'bias', estimator: importanceWeighted({ mix: 0.5 }) },
  ],
  [
    'gains and biases of every step',
    {
      input: [5],
      steps: 6,
      layers: [
        dense({ units: 6, perStep: true }),
        lif({ threshold: 0.3 }),
        recurrent({ units: 5, perStep: true }),
        dense({ units: 3, perStep: true }),
        readout(),
      ],
    },
    { penalty: 'membrane' },
  ],
  [
    'one draw of the weights for a sequence',
    {
      input: [5],
      steps: 4,
      layers: [
        dense({ units: 6 }),
        lif({ threshold: 0.3 }),
        recurrent({ units: 5 }),
        dense({ units: 3 }),
        readout(),
      ],
    },
    { noise: 'sequence' },
  ],
];

/** The largest relative difference in each tensor that differs more than it may. */
const apart = (a: Record<string, number[]>, b: Record<string, number[]>, limit: number) =>
  Object.fromEntries(
    Object.keys(b)
      .map((name) => [name, relativeDifference(a[name]!, b[name]!)] as const)
      .filter(([, difference]) => !(difference <= limit)),
  );

describe('a step that computes segments anew is the step that keeps all of them', () => {
  test.each(networks)('%s', async (_name, definition, choices) => {
    const model = defineModel(definition);
    const state = smallState(choices.posterior, model);
    const plain = smallStep(choices, model);
    const feeds = randomFeeds(plain, 4);
    const expected = await runEagerly(plain, state, feeds);
    const names = ['loss', 'crossEntropy', ...(choices.penalty ? ['penalty'] : [])];
    const reports = Object.fromEntries(names.map((name) => [name, expected.reports[name]!]));
    const step = smallStep({ ...choices, checkpointEvery: 2 }, model);
    expect(step.feeds).toEqual(plain.feeds);
    const eager = await runEagerly(step, state, feeds);
    expect(apart(eager.reports, reports, 1e-5)).toEqual({});
    expect(apart(eager.gradients, expected.gradients, 1e-4)).toEqual({});
    const traced = await runTraced(step, state, feeds, { reports: names, gradients: true });
    expect(apart(traced.reports, reports, 1e-5)).toEqual({});
    expect(apart(traced.gradients, expected.gradients, 1e-4)).toEqual({});
    const unrolled = smallStep({ ...choices, unroll: true }, model);
    const loopless = await runTraced(unrolled, state, feeds, { reports: names, gradients: true });
    expect(apart(loopless.reports, reports, 1e-5)).toEqual({});
    expect(apart(loopless.gradients, expected.gradients, 1e-4)).toEqual({});
    const still = Object.keys(plain.learned).filter((name) => !expected.gradients[name]!.some(Boolean));
    expect(still).toEqual([]);
  });
});

describe('the traced graph', () => {
  const [STEPS, UNITS] = [6, 7];
  const model = defineModel({
    input: [5],
    steps: STEPS,
    layers: [dense({ units: UNITS }), lif(), recurrent({ units: UNITS }), dense({ units: 3 }), readout()],
  });

  /** The nodes outside of loops. */
  async function outside(choices: Choices) {
    const { bytes } = await traceStep(smallStep(choices, model), { reports: ['loss'], gradients: true });
    return readModel(bytes).graph.nodes;
  }

  const loops = (nodes: Awaited<ReturnType<typeof outside>>) => nodes.filter(({ op }) => op === 'Scan');

  test('goes through segments once forward and once back, and computes no layer outside of them', async () => {
    const plain = await outside({});
    // Products of all times at once, and a loop forward and back for each layer with a state.
    expect(loops(plain)).toHaveLength(4);
    expect(plain.some(({ op }) => op === 'Gemm')).toBe(true);
    const nodes = await outside({ checkpointEvery: 2 });
    expect(loops(nodes)).toHaveLength(2);
    expect(nodes.some(({ op }) => op === 'Gemm')).toBe(false);
    // From one segment to the next: a membrane, and of the recurrent layer spikes besides, with their variances.
    const [forward] = loops(nodes);
    const count = forward!.attributes.get('num_scan_inputs');
    expect(count?.type === 'int' && forward!.inputs.length - Number(count.value)).toBe(5);
  });

  test('has no loop where steps are written one after another', async () => {
    expect(loops(await outside({ unroll: true }))).toEqual([]);
    // Segments are one, of steps that are none.
    expect(loops(await outside({ unroll: true, checkpointEvery: 3 }))).toHaveLength(2);
  });
});

describe('as an option of training', () => {
  const random = Random.fromSeed(6, 'sequences');
  const data: Dataset = {
    name: 'sequences',
    inputs: Uint8Array.from({ length: 12 * 6 * 5 }, () => random.nextBelow(2)),
    shape: [5],
    steps: 6,
    scale: 1,
    labels: Uint8Array.from({ length: 12 }, () => random.nextBelow(2)),
    count: 12,
    classes: 2,
    classNames: ['a', 'b'],
  };
  const model = defineModel({
    input: { type: 'uint8', shape: [5], scale: 1 },
    steps: 6,
    layers: [dense({ units: 6 }), lif({ threshold: 0.5 }), dense({ units: 2 }), readout()],
  });
  const options = { epochs: 1, batchSize: 4, seed: 1, threads: 1 } as const;

  test.each([{ checkpointing: { every: 3 } }, { unroll: true }])('%j learns the same', async (setting) => {
    const plain = await train(model, data, options);
    const { learned } = await train(model, data, { ...options, ...setting });
    for (const [name, { data: values }] of Object.entries(plain.learned))
      expect(relativeDifference(learned[name]!.data, values), name).toBeLessThan(1e-3);
  });

  test.each([
    [4, "does not divide the model's 6 into several parts; take one of 2, 3, or leave it out"],
    [6, "does not divide the model's 6 into several parts"],
    [1, 'checkpointing.every'],
  ])('segments of %i steps are refused', async (every, expected) => {
    const line = await lineOf(() => train(model, data, { ...options, checkpointing: { every } }));
    expect(line).toContain(expected);
  });
});
