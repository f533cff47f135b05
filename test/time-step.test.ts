import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import {
  adaptiveLif,
  binary,
  conv2d,
  cubaLif,
  defineModel,
  dense,
  flatten,
  integrateAndFire,
  leakyIntegrator,
  lif,
  type ModelDefinition,
  readout,
  recurrent,
} from '../schemas/index.ts';
import { forward } from '../schemas/model.ts';
import { importanceWeighted } from '../train/index.ts';
import { momentsOps } from '../train/moments.ts';
import { parameterMoments } from '../train/posterior.ts';
import { numbersOf, relativeDifference } from './support/numbers.ts';
import {
  type Choices,
  randomFeeds,
  runEagerly,
  runTraced,
  smallState,
  smallStep,
} from './support/training.ts';

const input = [5];
const gaussian = { family: 'gaussian', scale: 'channel', prior: 1 } as const;

const networks: readonly (readonly [string, ModelDefinition, Choices])[] = [
  [
    'LIF, the current penalty',
    { input, steps: 4, layers: [dense({ units: 6 }), lif(), dense({ units: 3 }), readout()] },
    { penalty: 'current' },
  ],
  [
    'two layers of LIF that learn decays and thresholds',
    {
      input,
      steps: 4,
      layers: [
        dense({ units: 6 }),
        lif({ learnDecay: true, learnThreshold: true, threshold: 0.5 }),
        dense({ units: 5 }),
        lif({ reset: 'zero', learnThreshold: true, threshold: 0.3, detachReset: true }),
        dense({ units: 3 }),
        readout({ over: 'maximum' }),
      ],
    },
    { penalty: 'membrane', cooling: true, annealing: true, divergence: true },
  ],
  [
    'recurrent, importance weights',
    {
      input,
      steps: 5,
      layers: [recurrent({ units: 6 }), recurrent({ units: 4 }), dense({ units: 3 }), readout()],
    },
    { penalty: 'bias', divergence: true, estimator: importanceWeighted({ mix: 0.5 }) },
  ],
  [
    'recurrent, a Gaussian posterior',
    { input, steps: 5, layers: [recurrent({ units: 6 }), dense({ units: 3 }), readout()] },
    { posterior: gaussian, divergence: true, penalty: 'current' },
  ],
  [
    'adaptive, with synapses, leaky and binary',
    {
      input,
      steps: 4,
      layers: [
        dense({ units: 6 }),
        adaptiveLif(),
        dense({ units: 6 }),
        cubaLif(),
        dense({ units: 6 }),
        binary(),
        dense({ units: 5 }),
        integrateAndFire({ reset: 'none' }),
        dense({ units: 3 }),
        leakyIntegrator({ learnDecay: true }),
        readout({ over: 'last' }),
      ],
    },
    { penalty: 'membrane' },
  ],
  [
    'gains and biases of every step',
    {
      input,
      steps: 4,
      layers: [
        dense({ units: 6, perStep: true }),
        lif({ threshold: 0.3 }),
        recurrent({ units: 5, perStep: true }),
        dense({ units: 4, perStep: true }),
        binary(),
        dense({ units: 3, perStep: true }),
        readout(),
      ],
    },
    { penalty: 'bias', divergence: true },
  ],
  [
    'gains and biases of every step, convolutions of Gaussian weights',
    {
      input: [4, 3, 2],
      steps: 3,
      layers: [
        conv2d({ filters: 3, size: 3, perStep: true }),
        lif({ threshold: 0.3 }),
        conv2d({ filters: 2, size: 2, perStep: true }),
        binary(),
        flatten(),
        recurrent({ units: 4, perStep: true, neuron: lif({ threshold: 0.3 }) }),
        dense({ units: 3, perStep: true }),
        readout(),
      ],
    },
    { posterior: gaussian, penalty: 'membrane' },
  ],
  [
    'gains and biases of every step, one draw of the weights for a sequence',
    {
      input,
      steps: 4,
      layers: [
        dense({ units: 6, perStep: true }),
        lif({ threshold: 0.3 }),
        recurrent({ units: 5, perStep: true }),
        dense({ units: 3, perStep: true }),
        readout(),
      ],
    },
    { noise: 'sequence' },
  ],
  [
    'one draw of the weights for a sequence',
    {
      input,
      steps: 4,
      layers: [dense({ units: 6 }), lif(), recurrent({ units: 5 }), dense({ units: 3 }), readout()],
    },
    { noise: 'sequence', penalty: 'bias' },
  ],
  [
    'one draw of Gaussian weights for a sequence',
    {
      input,
      steps: 4,
      layers: [
        dense({ units: 6 }),
        lif({ threshold: 0.1 }),
        recurrent({ units: 5, neuron: lif({ threshold: 0.1 }) }),
        dense({ units: 3 }),
        readout(),
      ],
    },
    { noise: 'sequence', posterior: gaussian, annealing: true },
  ],
];

/** The largest relative difference in each tensor that differs more than it may. */
const apart = (a: Record<string, number[]>, b: Record<string, number[]>, limit: number) =>
  Object.fromEntries(
    Object.keys(b)
      .map((name) => [name, relativeDifference(a[name]!, b[name]!)] as const)
      .filter(([, difference]) => !(difference <= limit)),
  );

describe('a training step through time, traced and run in onnxruntime, is the step of tfjs', () => {
  test.each(networks)('%s', async (_name, definition, choices) => {
    const model = defineModel(definition);
    const step = smallStep(choices, model);
    const state = smallState(choices.posterior, model);
    const feeds = randomFeeds(step, 4);
    const expected = await runEagerly(step, state, feeds);
    const reports = ['loss', 'crossEntropy', ...(choices.penalty ? ['penalty'] : [])];
    const actual = await runTraced(step, state, feeds, { reports, gradients: true, state: true });
    const wanted = Object.fromEntries(reports.map((name) => [name, expected.reports[name]!]));
    expect(apart(actual.reports, wanted, 1e-5)).toEqual({});
    expect(apart(actual.gradients, expected.gradients, 5e-5)).toEqual({});
    expect(apart(actual.state, expected.state, 1e-4)).toEqual({});
    const still = Object.keys(step.learned).filter((name) => !expected.gradients[name]!.some(Boolean));
    expect(still).toEqual([]);
  });
});

describe('one draw of the weights for a sequence', () => {
  const model = defineModel({
    input: [3],
    steps: 2,
    layers: [dense({ units: 2 }), leakyIntegrator({ decay: 0.5 }), readout()],
  });
  const [dense0] = ['0.dense'];
  const learned = {
    [`${dense0}.weight.lambda`]: tf.tensor([
      [0.3, -0.2],
      [0.5, 0.1],
      [-0.4, 0.7],
    ]),
    [`${dense0}.gain.value`]: tf.tensor([0.8, 1.2]),
    [`${dense0}.bias.value`]: tf.tensor([0.1, -0.1]),
    [`${dense0}.bias.rho`]: tf.tensor([-1]),
  };
  const inputs = tf.tensor([
    [1, 0, 1],
    [0, 1, 1],
    [1, 0, 1],
    [0, 1, 1],
  ]);

  /** Logits of the network under one draw, [batch × classes]. */
  const draw = (seed: number): number[] =>
    numbersOf(() => {
      let drawn = seed * 100;
      const ops = momentsOps({
        steps: 2,
        span: 'sequence',
        spike: (drive) => drive,
        noise: (shape) => tf.randomNormal([...shape], 0, 1, 'float32', drawn++),
      });
      return forward(ops, model, parameterMoments(model, learned), { mean: inputs }).mean;
    });

  test('stays the same from step to step, so that its spread is that of one network, not of many', () => {
    const draws = Array.from({ length: 3000 }, (_, seed) => draw(seed));
    const [count, size] = [draws.length, draws[0]!.length];
    const meanOf = (place: number) => draws.reduce((sum, values) => sum + values[place]!, 0) / count;
    const lambda = [
      [0.3, -0.2],
      [0.5, 0.1],
      [-0.4, 0.7],
    ];
    const gain = [0.8, 1.2];
    const x = [
      [1, 0, 1],
      [0, 1, 1],
    ];
    for (let place = 0; place < size; place++) {
      const [row, unit] = [Math.floor(place / 2), place % 2] as const;
      const variance =
        draws.reduce((sum, values) => sum + (values[place]! - meanOf(place)) ** 2, 0) / (count - 1);
      // The same input at both steps: the current at step 2 is 1.5 times the draw, their mean 1.25 times it.
      const ofWeights = x[row]!.reduce(
        (sum, value, index) => sum + value ** 2 * (1 - Math.tanh(lambda[index]![unit]!) ** 2),
        0,
      );
      const ofBias = Math.log1p(Math.exp(-1)) ** 2;
      // A membrane that leaks keeps the draw of the weights, and that of the bias only of this moment.
      const expected = gain[unit]! ** 2 * ofWeights * 1.25 ** 2 + ofBias;
      expect(Math.abs(variance / expected - 1)).toBeLessThan(4 * Math.sqrt(2 / count));
    }
  });
});
