import { UserError } from '../schemas/errors.ts';
import type { State } from './engine/engine.ts';
import type { LayerFigures } from './monitor.ts';
import { placeText } from './monitor-warnings.ts';
import { splitName } from './posterior.ts';

/** A step whose loss is no finite number, as it was before it changed anything. */
export interface UnsoundStep {
  readonly reports: Readonly<Record<string, number>>;
  /** Number of the step, from 1. */
  readonly step: number;
  /** From 0. */
  readonly epoch: number;
  /** Learned tensors that the step started from. */
  readonly learned: State;
  /** What the network was shown, row-major. */
  readonly inputs: Float32Array;
  /** What was seen of the step, from the first layer to the last. */
  readonly layers: readonly LayerFigures[];
  /** Learning rate of the weights. */
  readonly rate: number;
}

/** Where the trouble began, and what to do. */
interface Cause {
  readonly where: string;
  readonly advice: string;
}

/** The error of a training that cannot go on: the step, the layer in which it went wrong, and the likely cause. */
export function unsoundStep(unsound: UnsoundStep): UserError {
  const { reports, step, epoch } = unsound;
  const [name, value] = Object.entries(reports).find(([, each]) => !Number.isFinite(each)) ?? [
    'loss',
    Number.NaN,
  ];
  const { where, advice } = inputCause(unsound) ?? learnedCause(unsound) ?? layerCause(unsound);
  return new UserError(
    `train: the ${name} became ${value} at step ${step} (epoch ${epoch + 1}): ${where}; ${advice}`,
  );
}

const isBad = (value: number): boolean => !Number.isFinite(value);

function inputCause({ inputs }: UnsoundStep): Cause | undefined {
  const bad = inputs.find(isBad);
  if (bad === undefined) return undefined;
  return {
    where: `an example of its batch holds ${bad}`,
    advice: 'check the data, the encoder and the augmentations',
  };
}

/**
 * Learned numbers that the steps before it spoilt. A gradient that is no number spoils its own layer and, as it goes
 * backwards, all before it: the trouble is in the last layer that has some.
 */
function learnedCause({ learned, step, rate }: UnsoundStep): Cause | undefined {
  const spoilt = Object.entries(learned).findLast(([, { data }]) => data.some(isBad));
  if (!spoilt) return undefined;
  const [name, { data }] = spoilt;
  const [parameter, part] = splitName(name);
  const [layer, own] = splitName(parameter);
  return {
    where: `${placeText(layer)} has ${data.find(isBad)} in its ${own}.${part} since step ${step - 1}`,
    advice: lowerRate(rate),
  };
}

/** The layer in which numbers outgrow float32: on the way forward the first of them, on the way back the last. */
function layerCause({ layers, rate }: UnsoundStep): Cause {
  const forward = layers.find(({ firing }) => firing && isBad(firing.distance));
  if (forward) {
    return {
      where: `the membranes of ${placeText(forward.layer)} or their noise are beyond float32`,
      advice: lowerRate(rate),
    };
  }
  const backward = layers.findLast(({ gradients = {} }) => Object.values(gradients).some(isBad));
  const where = backward
    ? `the gradient of ${placeText(backward.layer)} is no number`
    : 'the outputs are beyond float32';
  return { where, advice: lowerRate(rate) };
}

const lowerRate = (rate: number): string =>
  `lower the learning rate, which is ${Number(rate.toPrecision(3))} there, or clip gradients (clipNorm)`;
