import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import { openSession } from '../../runtime/session.ts';
import { binary, defineModel, dense, type Model, readout } from '../../schemas/index.ts';
import { type Shape, sizeOf } from '../../schemas/layer.ts';
import { readModel } from '../../schemas/onnx/index.ts';
import { Random } from '../../schemas/random.ts';
import { registerGradients } from '../../train/engine/gradients.ts';
import type { State } from '../../train/engine/engine.ts';
import { straightThrough } from '../../train/index.ts';
import { traceStep, type Wanted } from '../../train/engine/trace/trace.ts';
import { bernoulliChoice, type PosteriorChoice } from '../../train/families/index.ts';
import { defaultOptimiser, optimiserOf } from '../../train/optimisers/index.ts';
import { initialPosterior } from '../../train/posterior.ts';
import {
  buildStep,
  type Scalars,
  type Shapes,
  type StepFunction,
  type StepOptions,
  type Tensors,
} from '../../train/step.ts';
import { initialState } from '../../train/start.ts';
import { gaussians } from './numbers.ts';

/** 7-6-5-4, small enough to compute in no time. */
export const smallModel = defineModel({
  input: [7],
  layers: [
    dense({ units: 6 }),
    binary(),
    dense({ units: 5 }),
    binary({ threshold: 0.25 }),
    dense({ units: 4 }),
    readout(),
  ],
});

export type Choices = Partial<
  Pick<
    StepOptions,
    | 'estimator'
    | 'divergence'
    | 'penalty'
    | 'posterior'
    | 'cooling'
    | 'annealing'
    | 'clipNorm'
    | 'noise'
    | 'checkpointEvery'
    | 'unroll'
  >
>;

/** A training step of the small model, for a batch of three. */
export const smallStep = (choices: Choices = {}, model: Model = smallModel): StepFunction =>
  buildStep({
    model,
    batchSize: 3,
    estimator: straightThrough(),
    optimiser: defaultOptimiser,
    divergence: false,
    penalty: 'none',
    posterior: bernoulliChoice,
    cooling: false,
    annealing: false,
    noise: 'step',
    ...choices,
  });

export const smallState = (choice: PosteriorChoice = bernoulliChoice, model: Model = smallModel): State =>
  initialState(
    initialPosterior(model, { spread: 0.5, biasRho: -1, inputPower: 1, seed: 5 }, choice),
    defaultOptimiser,
  );

/** The scalars of step 1, 2, …, with weights that make every part of the loss count. */
export function scalarsAt(step: number): Scalars {
  const { rateFactor, scalars } = optimiserOf(defaultOptimiser).numbersAt(step);
  return {
    'rate.weights': 0.05 * rateFactor,
    'rate.scales': 0.02 * rateFactor,
    'rate.gains': 0.015 * rateFactor,
    'rate.biases': 0.01 * rateFactor,
    'rate.neurons': 0.005 * rateFactor,
    ...scalars,
    divergenceWeight: 0.02,
    penaltyWeight: 0.03,
    temperature: 0.6,
    noiseScale: 0.7,
  };
}

/** What a step is fed: random inputs, targets and noise, the same for the same seed. */
export function randomFeeds(
  step: StepFunction,
  seed: number,
  scalars = scalarsAt(1),
): Record<string, Float32Array> {
  const random = Random.fromSeed(seed, 'feeds');
  const feeds: Record<string, Float32Array> = {};
  for (const [name, shape] of Object.entries(step.feeds)) feeds[name] = gaussians(sizeOf(shape), random);
  for (const [name, value] of Object.entries(scalars)) feeds[name] = Float32Array.of(value);
  const [batch, classes] = step.feeds.targets as [number, number];
  feeds.targets = new Float32Array(batch * classes);
  for (let row = 0; row < batch; row++) feeds.targets[row * classes + random.nextBelow(classes)] = 1;
  return feeds;
}

/** A step of nothing but a function of what it is fed. */
export const stepOfFunction = (feeds: Shapes, compute: (feeds: Tensors) => Tensors): StepFunction => ({
  learned: {},
  groups: {},
  optimiser: defaultOptimiser,
  state: {},
  feeds,
  noises: [],
  logisticNoises: [],
  run: (_state, fed) => ({ state: {}, reports: compute(fed), gradients: {} }),
});

export type Numbers = Record<string, number[]>;

export interface Results {
  readonly reports: Numbers;
  readonly gradients: Numbers;
  readonly state: Numbers;
}

type Buffers = Readonly<Record<string, Float32Array>>;

const mapEntries = <A, B>(record: Readonly<Record<string, A>>, convert: (value: A, name: string) => B) =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, convert(value, name)]));

const numbersOf = (tensors: Tensors): Numbers => mapEntries(tensors, (each) => Array.from(each.dataSync()));

/** Runs a step on the tfjs backend `cpu`. */
export async function runEagerly(step: StepFunction, state: State, feeds: Buffers): Promise<Results> {
  await tf.setBackend('cpu');
  registerGradients();
  return tf.tidy(() => {
    const result = step.run(
      mapEntries(state, ({ data, shape }) => tf.tensor(data, [...shape])),
      mapEntries(step.feeds, (shape, name) => tf.tensor(feeds[name]!, [...shape], 'float32')),
    );
    return {
      reports: numbersOf(result.reports),
      gradients: numbersOf(result.gradients),
      state: numbersOf(result.state),
    };
  });
}

/** Traces a step and runs the graph once in onnxruntime. */
export async function runTraced(
  step: StepFunction,
  state: State,
  feeds: Buffers,
  wanted: Wanted,
): Promise<Results> {
  const traced = await traceStep(step, wanted);
  const { Tensor } = await import('onnxruntime-node');
  const session = await openSession(traced.bytes, { threads: 1 }, 'the traced step');
  const offered: Record<string, { data: Float32Array; shape: Shape }> = {
    ...state,
    ...mapEntries(step.feeds, (shape, name) => ({ data: feeds[name]!, shape })),
  };
  const inputs = Object.fromEntries(
    [...traced.inputs].map((name) => {
      const { data, shape } = offered[name]!;
      return [name, new Tensor('float32', data, [...shape])];
    }),
  );
  try {
    const outputs = await session.run(inputs);
    for (const { name, dims } of readModel(traced.bytes, 'the trace').graph.outputs) {
      expect(outputs[name]!.dims).toEqual(dims);
    }
    const numbers = (names: Readonly<Record<string, string>>): Numbers =>
      mapEntries(names, (output) => Array.from(outputs[output]!.data as ArrayLike<number>, Number));
    return {
      reports: numbers(traced.reports),
      gradients: numbers(traced.gradients),
      state: numbers(traced.nextState),
    };
  } finally {
    await session.release();
  }
}
