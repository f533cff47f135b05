import * as tf from '@tensorflow/tfjs-core';
import type { Shape } from '../schemas/layer.ts';
import type { GaussianLikelihood } from '../schemas/likelihood.ts';
import { classesOf, stepsOf } from '../schemas/model.ts';
import { learnedShapes } from '../schemas/posterior.ts';
import type { Firing } from './moments.ts';
import {
  accuracyOf,
  crossEntropy,
  gaussianLoss,
  type PenaltyForm,
  penalty,
  penaltyTerm,
  sharesOf,
} from './objective.ts';
import { optimiserOf } from './optimisers/index.ts';
import { applyGradients, type Update } from './optimisers/update.ts';
import { drawsOf, type NoisyOptions, noisyForward, tensor, type Tensors } from './noisy-forward.ts';
import { cooled, weightDivergence } from './posterior.ts';
import { rateGroupsOf } from './rates.ts';

/** Everything that decides what one training step computes, apart from the numbers it is fed. */
export interface StepOptions extends NoisyOptions, Omit<Update, 'groups'> {
  readonly batchSize: number;
  /** Whether the KL divergence has a weight other than zero anywhere in training. */
  readonly divergence: boolean;
  readonly penalty: PenaltyForm | 'none';
  /** Of a regression; without it outputs are the logits of classes. */
  readonly likelihood?: GaussianLikelihood;
  /** Whether the temperature is other than 1 anywhere in training. */
  readonly cooling: boolean;
  /** Whether a batch may hold fewer examples than others: the step is then fed how much each row counts. */
  readonly weighsExamples?: boolean | undefined;
}

/** The feed [batch] that says which rows of a batch are examples, 1, and which only fill it up, 0. */
export const exampleWeights = 'exampleWeights';

export type { Tensors };
export type Shapes = Readonly<Record<string, Shape>>;

/** Names of the scalars that every step is fed; its optimiser may have more. */
export const scalarNames = [
  'rate.weights',
  'rate.scales',
  'rate.gains',
  'rate.biases',
  'rate.neurons',
  'divergenceWeight',
  'penaltyWeight',
  'temperature',
  'noiseScale',
] as const;
export type Scalars = Readonly<Record<(typeof scalarNames)[number], number>>;

/**
 * One training step as a pure function of named tensors: what an engine runs or traces.
 *
 * It reads only `state` and `feeds`, and everything random comes in as noise of scale 1. An engine may take its
 * gradients and make the update itself.
 */
export interface StepFunction extends Update {
  /** Shapes of the tensors that training changes. */
  readonly learned: Shapes;
  /** Learned tensors and the optimiser's: fed back from one step to the next. */
  readonly state: Shapes;
  /** `inputs` [batch, …], `targets` [batch, classes], `exampleWeights` [batch], the scalars, and `noise.0`, `noise.1`, … */
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
  /**
   * Scalars: `loss`, `crossEntropy`, `accuracy`, `divergence` and `penalty` where they are part of the loss, and
   * `gradientNorm` where gradients are clipped: their length before.
   */
  readonly reports: Tensors;
  /** d loss / d learned tensor before clipping, by the name of the tensor. */
  readonly gradients: Tensors;
}

/** Writes the training step of a network. */
export function buildStep(options: StepOptions): StepFunction {
  const { model, batchSize } = options;
  const learned = learnedShapes(model, options.posterior);
  const names = Object.keys(learned);
  const optimiser = optimiserOf(options.optimiser);
  const scalars = [...scalarNames, ...Object.keys(optimiser.numbersAt(1).scalars)];
  const update: Update = {
    groups: rateGroupsOf(model, names),
    optimiser: options.optimiser,
    clipNorm: options.clipNorm,
  };
  const state: Record<string, Shape> = { ...learned };
  for (const name of names) {
    for (const kept of optimiser.keeps) state[`${name}.${kept}`] = learned[name] as Shape;
  }

  const draws = drawsOf(model, batchSize, options.estimator, options.noise);
  const noises = draws.filter(({ noise }) => noise === 'gaussian').map(({ name }) => name);
  const logisticNoises = draws.filter(({ noise }) => noise === 'logistic').map(({ name }) => name);
  const feeds: Record<string, Shape> = {
    inputs: [stepsOf(model) * batchSize, ...model.input.shape],
    targets: [batchSize, classesOf(model)],
    ...(options.weighsExamples && { [exampleWeights]: [batchSize] }),
    ...Object.fromEntries(scalars.map((name) => [name, []])),
    ...Object.fromEntries(draws.map(({ name, shape }) => [name, shape])),
  };

  const run = (current: Tensors, fed: Tensors): StepResult => {
    const { loss, reports, gradients } = lossAndGradients(options, names, current, fed);
    const updated = applyGradients(update, current, gradients, fed);
    return { state: updated.state, reports: { loss, ...reports, ...updated.reports }, gradients };
  };
  return { ...update, learned, state, feeds, noises, logisticNoises, run };
}

/** Makes tensors of what every layer of neurons measured, one list of them for each. */
export interface Watch {
  readonly measures: readonly ((firing: Firing) => tf.Tensor)[];
  /** @param measured of each layer what each measure made of it over all times, [time × batch, …] */
  readonly report: (measured: readonly (readonly tf.Tensor[])[], fed: Tensors) => Tensors;
}

/**
 * The loss of a step, what it is made of, and its gradients.
 *
 * @param watch sees every neuron fire; its reports join the others
 */
export function lossAndGradients(
  options: StepOptions,
  names: readonly string[],
  current: Tensors,
  fed: Tensors,
  watch?: Watch,
) {
  const reports: Record<string, tf.Tensor> = {};
  const report = (name: string, value: tf.Tensor): tf.Tensor => {
    // Gradients dispose of what is computed inside them; reports outlive it.
    reports[name] = tf.keep(value);
    return value;
  };
  const { value: loss, grads } = tf.valueAndGrads((...learned: tf.Tensor[]) => {
    const given = Object.fromEntries(names.map((name, index) => [name, learned[index] as tf.Tensor]));
    const byName = options.cooling ? cooled(given, tensor(fed, 'temperature')) : given;
    const ofPenalty = options.penalty === 'none' ? [] : [penaltyTerm(options.penalty)];
    const measures = [...ofPenalty, ...(watch?.measures ?? [])];
    const { logits, measured } = noisyForward(options, byName, fed, (firing) =>
      measures.map((measure) => measure(firing)),
    );
    const layers = Array.from({ length: measured.length / (measures.length || 1) }, (_, layer) =>
      measured.slice(layer * measures.length, (layer + 1) * measures.length),
    );
    const watched =
      watch?.report(
        layers.map((each) => each.slice(ofPenalty.length)),
        fed,
      ) ?? {};
    for (const [name, value] of Object.entries(watched)) report(name, value);
    const targets = tensor(fed, 'targets');
    const shares = options.weighsExamples ? sharesOf(tensor(fed, exampleWeights)) : undefined;
    let total = options.likelihood
      ? report('negativeLogLikelihood', gaussianLoss(targets, logits, options.likelihood.deviation, shares))
      : report('crossEntropy', crossEntropy(targets, logits, shares));
    if (!options.likelihood) report('accuracy', accuracyOf(targets, logits, shares));
    if (options.divergence) {
      const divergence = report('divergence', weightDivergence(options.model, byName, options.posterior));
      total = tf.add(total, tf.mul(divergence, tensor(fed, 'divergenceWeight')));
    }
    if (options.penalty !== 'none') {
      const terms = layers.flatMap((each) => each.slice(0, 1));
      const value = report('penalty', penalty(terms, logits.shape[0] as number, shares));
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
