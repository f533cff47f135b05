import * as tf from '@tensorflow/tfjs-core';
import type { Shape } from '../schemas/layer.ts';
import { classesOf } from '../schemas/model.ts';
import { learnedShapes } from '../schemas/posterior.ts';
import { crossEntropy, type PenaltyForm, penalty } from './objective.ts';
import { type Adam, adamStep } from './optimiser.ts';
import { drawsOf, type NoisyOptions, noisyForward, tensor, type Tensors } from './noisy-forward.ts';
import { cooled, splitName, weightDivergence } from './posterior.ts';

/** Everything that decides what one training step computes, apart from the numbers it is fed. */
export interface StepOptions extends NoisyOptions {
  readonly batchSize: number;
  readonly adam: Adam;
  /** Whether the KL divergence has a weight other than zero anywhere in training. */
  readonly divergence: boolean;
  readonly penalty: PenaltyForm | 'none';
  /** Whether the temperature is other than 1 anywhere in training. */
  readonly cooling: boolean;
}

/** Learning rates differ between groups of learned tensors. */
export type RateGroup = 'weights' | 'scales' | 'others';

/** By what the last part of a learned tensor's name says it is. */
const rateGroups: Readonly<Record<string, RateGroup>> = { lambda: 'weights', mu: 'weights', rho: 'scales' };

export const rateGroupOf = (learned: string): RateGroup => rateGroups[splitName(learned)[1]] ?? 'others';

export type { Tensors };
export type Shapes = Readonly<Record<string, Shape>>;

/** Names of the scalars that a step is fed. */
export const scalarNames = [
  'rate.weights',
  'rate.scales',
  'rate.others',
  'epsilon',
  'divergenceWeight',
  'penaltyWeight',
  'temperature',
  'noiseScale',
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
  /** Names of the feeds to fill with standard normal noise, in order. */
  readonly noises: readonly string[];
  /** Names of the feeds to fill with standard logistic noise, in order. */
  readonly logisticNoises: readonly string[];
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
  const learned = learnedShapes(model, options.posterior);
  const names = Object.keys(learned);
  const state: Record<string, Shape> = { ...learned };
  for (const name of names) {
    state[`${name}.adam.first`] = learned[name] as Shape;
    state[`${name}.adam.second`] = learned[name] as Shape;
  }

  const draws = drawsOf(model, batchSize, options.estimator);
  const noises = draws.filter(({ noise }) => noise === 'gaussian').map(({ name }) => name);
  const logisticNoises = draws.filter(({ noise }) => noise === 'logistic').map(({ name }) => name);
  const feeds: Record<string, Shape> = {
    inputs: [batchSize, ...model.input.shape],
    targets: [batchSize, classesOf(model)],
    ...Object.fromEntries(scalarNames.map((name) => [name, []])),
    ...Object.fromEntries(draws.map(({ name, shape }) => [name, shape])),
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
  return { learned, adam: options.adam, state, feeds, noises, logisticNoises, run };
}

function lossAndGradients(options: StepOptions, names: readonly string[], current: Tensors, fed: Tensors) {
  const reports: Record<string, tf.Tensor> = {};
  const report = (name: string, value: tf.Tensor): tf.Tensor => {
    // Gradients dispose of what is computed inside them; reports outlive it.
    reports[name] = tf.keep(value);
    return value;
  };
  const { value: loss, grads } = tf.valueAndGrads((...learned: tf.Tensor[]) => {
    const given = Object.fromEntries(names.map((name, index) => [name, learned[index] as tf.Tensor]));
    const byName = options.cooling ? cooled(given, tensor(fed, 'temperature')) : given;
    const { logits, firings } = noisyForward(options, byName, fed);
    let total = report('crossEntropy', crossEntropy(tensor(fed, 'targets'), logits));
    if (options.divergence) {
      const divergence = report('divergence', weightDivergence(options.model, byName, options.posterior));
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
