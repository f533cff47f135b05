import * as tf from '@tensorflow/tfjs-core';
import type { Shape } from '../schemas/layer.ts';
import { classesOf, forward, type Model, parametersOf } from '../schemas/model.ts';
import { learnedShapes } from '../schemas/posterior.ts';
import type { Estimator } from './estimator.ts';
import { type Firing, momentsOps } from './moments.ts';
import { crossEntropy, type PenaltyForm, penalty } from './objective.ts';
import { type Adam, adamStep } from './optimiser.ts';
import { parameterMoments, splitName, weightDivergence } from './posterior.ts';

/** Everything that decides what one training step computes, apart from the numbers it is fed. */
export interface StepOptions {
  readonly model: Model;
  readonly batchSize: number;
  readonly estimator: Estimator;
  readonly adam: Adam;
  /** Whether the KL divergence has a weight other than zero anywhere in training. */
  readonly divergence: boolean;
  readonly penalty: PenaltyForm | 'none';
}

/** Learning rates differ between groups of learned tensors. */
export type RateGroup = 'weights' | 'others';

export const rateGroupOf = (learned: string): RateGroup =>
  splitName(learned)[1] === 'lambda' ? 'weights' : 'others';

export type Tensors = Readonly<Record<string, tf.Tensor>>;
export type Shapes = Readonly<Record<string, Shape>>;

/** Names of the scalars that a step is fed. */
export const scalarNames = [
  'rate.weights',
  'rate.others',
  'epsilon',
  'divergenceWeight',
  'penaltyWeight',
] as const;
export type Scalars = Readonly<Record<(typeof scalarNames)[number], number>>;

/**
 * One training step as a pure function of named tensors: what an engine runs or traces.
 *
 * It reads only `state` and `feeds`, and everything random comes in as noise of scale 1.
 */
export interface StepFunction {
  /** Shapes of the tensors that training changes. */
  readonly learned: Shapes;
  /** The optimiser that `run` applies; an engine may apply it itself to the gradients. */
  readonly adam: Adam;
  /** Learned tensors and the optimiser's: fed back from one step to the next. */
  readonly state: Shapes;
  /** `inputs` [batch, …], `targets` [batch, classes], the scalars, and `noise.0`, `noise.1`, … */
  readonly feeds: Shapes;
  /** Names of the feeds to fill with noise, in order. */
  readonly noises: readonly string[];
  readonly run: (state: Tensors, feeds: Tensors) => StepResult;
}

export interface StepResult {
  /** The state after the step, under the same names. */
  readonly state: Tensors;
  /** Scalars: `loss`, `crossEntropy`, and `divergence` and `penalty` where they are part of the loss. */
  readonly reports: Tensors;
  /** d loss / d learned tensor, by the name of the tensor. */
  readonly gradients: Tensors;
}

/** Writes the training step of a network. */
export function buildStep(options: StepOptions): StepFunction {
  const { model, batchSize } = options;
  const learned = learnedShapes(model);
  const names = Object.keys(learned);
  const state: Record<string, Shape> = { ...learned };
  for (const name of names) {
    state[`${name}.adam.first`] = learned[name] as Shape;
    state[`${name}.adam.second`] = learned[name] as Shape;
  }

  const noiseShapes = noiseShapesOf(model, batchSize);
  const noises = noiseShapes.map((_, index) => `noise.${index}`);
  const feeds: Record<string, Shape> = {
    inputs: [batchSize, ...model.input.shape],
    targets: [batchSize, classesOf(model)],
    ...Object.fromEntries(scalarNames.map((name) => [name, []])),
    ...Object.fromEntries(noises.map((name, index) => [name, noiseShapes[index] as Shape])),
  };

  const run = (current: Tensors, fed: Tensors): StepResult => {
    const { loss, reports, gradients } = lossAndGradients(options, names, current, fed);
    const next: Record<string, tf.Tensor> = {};
    for (const name of names) {
      const moved = adamStep(
        options.adam,
        {
          value: tensor(current, name),
          first: tensor(current, `${name}.adam.first`),
          second: tensor(current, `${name}.adam.second`),
        },
        tensor(gradients, name),
        tensor(fed, `rate.${rateGroupOf(name)}`),
        tensor(fed, 'epsilon'),
      );
      next[name] = moved.value;
      next[`${name}.adam.first`] = moved.first;
      next[`${name}.adam.second`] = moved.second;
    }
    return { state: next, reports: { loss, ...reports }, gradients };
  };
  return { learned, adam: options.adam, state, feeds, noises, run };
}

function lossAndGradients(options: StepOptions, names: readonly string[], current: Tensors, fed: Tensors) {
  const reports: Record<string, tf.Tensor> = {};
  const report = (name: string, value: tf.Tensor): tf.Tensor => {
    // Gradients dispose of what is computed inside them; reports outlive it.
    reports[name] = tf.keep(value);
    return value;
  };
  const { value: loss, grads } = tf.valueAndGrads((...learned: tf.Tensor[]) => {
    const byName = Object.fromEntries(names.map((name, index) => [name, learned[index] as tf.Tensor]));
    const { logits, firings } = noisyForward(options, byName, fed);
    let total = report('crossEntropy', crossEntropy(tensor(fed, 'targets'), logits));
    if (options.divergence) {
      const divergence = report('divergence', weightDivergence(options.model, byName));
      total = tf.add(total, tf.mul(divergence, tensor(fed, 'divergenceWeight')));
    }
    if (options.penalty !== 'none') {
      const value = report('penalty', penalty(options.penalty, firings));
      total = tf.add(total, tf.mul(value, tensor(fed, 'penaltyWeight')));
    }
    return total as tf.Scalar;
  })(names.map((name) => tensor(current, name)));
  return {
    loss,
    reports,
    gradients: Object.fromEntries(names.map((name, index) => [name, grads[index] as tf.Tensor])),
  };
}

function noisyForward({ model, estimator }: StepOptions, learned: Tensors, fed: Tensors) {
  const firings: Firing[] = [];
  let drawn = 0;
  const ops = momentsOps({
    spike: estimator.spike,
    noise: () => tensor(fed, `noise.${drawn++}`),
    onFiring: (firing) => firings.push(firing),
  });
  const logits = forward(ops, model, parameterMoments(model, learned), { mean: tensor(fed, 'inputs') });
  return { logits: logits.mean, firings };
}

/** Shapes of the noise that a network draws, in the order it draws it. */
function noiseShapesOf(model: Model, batchSize: number): Shape[] {
  const shapes: Shape[] = [];
  const draw = (of: Shape): Shape => {
    shapes.push(of);
    return of;
  };
  // A dry run of the layers' equations on shapes alone finds every draw, whatever the layers are.
  forward<Shape>(
    {
      linear: (x, weight) => [...x.slice(0, -1), weight.at(-1) as number],
      multiply: (x) => x,
      add: (x) => x,
      spike: draw,
      read: draw,
    },
    model,
    Object.fromEntries(Object.entries(parametersOf(model)).map(([name, { shape }]) => [name, shape])),
    [batchSize, ...model.input.shape],
  );
  return shapes;
}

function tensor(from: Tensors, name: string): tf.Tensor {
  const found = from[name];
  if (!found) throw new Error(`the step was not given the tensor ${name}`);
  return found;
}
