import * as tf from '@tensorflow/tfjs-core';
import { type Parameter, type ParameterRole, sizeOf } from '../schemas/layer.ts';
import { type Model, parametersOf } from '../schemas/model.ts';
import { Random } from '../schemas/random.ts';
import { type Family, type LearnedTensor, learnedShapes, rawOfDecay } from '../schemas/posterior.ts';
import { offDiagonal } from './engine/constants.ts';
import {
  bernoulliChoice,
  familyOf,
  type Learned,
  type PosteriorChoice,
  type WeightFamily,
} from './families/index.ts';
import type { Moments } from './moments.ts';
import { scheduled, type Schedule } from './schedule.ts';

/** Starting values of a posterior. */
export interface InitialPosterior {
  /** Standard deviation of λ at the start: small keeps every sign open. */
  readonly spread: number;
  /** Multiplies every gain at the start; 1 unless given. */
  readonly gain?: number;
  /** ρ of every bias at the start; its noise has the standard deviation softplus(ρ). */
  readonly biasRho: number;
  /** E[x²] of the network's input, so that the first layer starts with currents of scale 1. */
  readonly inputPower: number;
  readonly seed: number;
}

/** E[x²] of spikes that are as often 0 as 1. */
const SPIKE_POWER = 0.5;

/**
 * The posterior before training: weights and gains as their family starts them, bias 0.
 *
 * The same seed gives the same bits.
 */
export function initialPosterior(
  model: Model,
  initial: InitialPosterior,
  choice: PosteriorChoice = bernoulliChoice,
): Record<string, LearnedTensor> {
  const family = familyOf(choice);
  const parameters = parametersOf(model);
  const firstWeight = Object.keys(parameters).find((name) => parameters[name]?.role === 'weight') ?? '';
  const [firstLayer] = splitName(firstWeight);
  const learned: Record<string, LearnedTensor> = {};
  for (const [name, shape] of Object.entries(learnedShapes(model, choice))) {
    const data = new Float32Array(sizeOf(shape));
    const [owner, part] = splitName(name);
    const parameter = parameters[owner] as Parameter;
    if (parameter.role === 'weight') {
      family.startWeight(data, name, parameter, initial);
    } else if (parameter.role === 'decay') {
      startDecays(data, name, parameter, initial.seed);
    } else if (parameter.role === 'threshold') {
      data.fill(parameter.start as number);
    } else if (part === 'rho') {
      data.fill(initial.biasRho);
    } else if (parameter.role === 'gain') {
      // Only the first layer with weights sums the network's input; the others sum spikes.
      const power = splitName(owner)[0] === firstLayer ? initial.inputPower : SPIKE_POWER;
      data.fill(family.startGain(parameter, power) * (initial.gain ?? 1));
    }
    learned[name] = { shape, data };
  }
  return learned;
}

/** Fills a tensor with what decays are learned as: time constants drawn around that of the decay they start from. */
function startDecays(data: Float32Array, name: string, { start, spread = 1 }: Parameter, seed: number): void {
  const random = Random.fromSeed(seed, name);
  const timeConstant = -1 / Math.log(start as number);
  for (let channel = 0; channel < data.length; channel++) {
    const factor = spread ** (2 * random.nextUniform() - 1);
    data[channel] = rawOfDecay(Math.exp(-1 / (timeConstant * factor)));
  }
}

/**
 * What a posterior is at a point of its training.
 *
 * Cooled weights keep their λ, which training goes on from, and the temperature says how sure they are by now.
 *
 * @param progress in [0, 1]
 */
export function familyAt(choice: PosteriorChoice, temperature: Schedule, progress: number): Family {
  if (choice.family === 'gaussian') return { family: 'gaussian', scale: choice.scale };
  const now = scheduled(temperature, progress);
  return { family: 'bernoulli', ...(now !== 1 && { temperature: now }) };
}

/** `0.dense.weight.lambda` → [`0.dense.weight`, `lambda`]. */
export function splitName(name: string): [owner: string, part: string] {
  const dot = name.lastIndexOf('.');
  return [name.slice(0, dot), name.slice(dot + 1)];
}

/** How a parameter of each role enters the network while it is uncertain (docs/method.md). */
const asMoments: Record<ParameterRole, (learned: Learned, family: WeightFamily) => Moments> = {
  weight: (learned, family) => family.weight(learned),
  gain: (learned, family) => family.gain(learned),
  bias: (learned) => ({ mean: learned('value'), firingVariance: tf.square(tf.softplus(learned('rho'))) }),
  decay: (learned) => ({ mean: tf.exp(tf.div(-1, tf.softplus(learned('raw')))) }),
  threshold: (learned) => ({ mean: learned('value') }),
};

type Tensors = Readonly<Record<string, tf.Tensor>>;

const partsOf =
  (name: string, learned: Tensors): Learned =>
  (part) => {
    const tensor = learned[`${name}.${part}`];
    if (!tensor) throw new Error(`learned tensor ${name}.${part} is missing`);
    return tensor;
  };

/** Every parameter of the model as moments, from the tensors that training changes. */
export function parameterMoments(
  model: Model,
  learned: Tensors,
  choice: PosteriorChoice = bernoulliChoice,
): Record<string, Moments> {
  const family = familyOf(choice);
  const moments: Record<string, Moments> = {};
  for (const [name, parameter] of Object.entries(parametersOf(model))) {
    const found = asMoments[parameter.role](partsOf(name, learned), family);
    const whole = parameter.perStep ? { ...found, perStep: true as const } : found;
    moments[name] = parameter.noSelfConnection ? withoutSelf(whole, parameter) : whole;
  }
  return moments;
}

/**
 * Weights of units on each other, of which none is on its own unit. A variance that inputs share stays whole, as in
 * the authors' code: a unit's own spike then adds to its noise.
 */
function withoutSelf({ mean, variance, ...rest }: Moments, { shape: [size = 0] }: Parameter): Moments {
  const others = offDiagonal(size);
  const spread = variance && (variance.shape[0] === 1 ? variance : tf.mul(variance, others));
  return { ...rest, mean: tf.mul(mean, others), ...(spread && { variance: spread }) };
}

/** KL divergence in nats of the weights' posterior from their prior. */
export function weightDivergence(
  model: Model,
  learned: Tensors,
  choice: PosteriorChoice = bernoulliChoice,
): tf.Tensor {
  const family = familyOf(choice);
  const terms = Object.entries(parametersOf(model))
    .filter(([, { role }]) => role === 'weight')
    .map(([name, { shape, noSelfConnection }]) => {
      const whole = partsOf(name, learned);
      // A weight that is not there is as its prior has it: 0 adds nothing to the divergence that training can change.
      const others = noSelfConnection && offDiagonal(shape[0] as number);
      return family.divergence((part) =>
        others && part !== 'rho' ? tf.mul(whole(part), others) : whole(part),
      );
    });
  return tf.addN(terms);
}

/** Bernoulli weights at temperature τ: those whose λ is λ/τ. Other learned tensors stay as they are. */
export const cooled = (learned: Tensors, temperature: tf.Tensor): Tensors =>
  Object.fromEntries(
    Object.entries(learned).map(([name, tensor]) => [
      name,
      name.endsWith('.lambda') ? tf.div(tensor, temperature) : tensor,
    ]),
  );
