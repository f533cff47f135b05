import * as tf from '@tensorflow/tfjs-core';
import type { Parameter, ParameterRole } from '../schemas/layer.ts';
import { type Model, parametersOf } from '../schemas/model.ts';
import { type LearnedTensor, learnedShapes } from '../schemas/posterior.ts';
import { Random } from '../schemas/random.ts';
import type { Moments } from './moments.ts';

/** Starting values of a posterior. */
export interface InitialPosterior {
  /** Standard deviation of λ at the start: small keeps every sign open. */
  readonly spread: number;
  /** ρ of every bias at the start; its noise has the standard deviation softplus(ρ). */
  readonly biasRho: number;
  /** E[x²] of the network's input, so that the first layer starts with currents of scale 1. */
  readonly inputPower: number;
  readonly seed: number;
}

/** E[x²] of spikes that are as often 0 as 1. */
const SPIKE_POWER = 0.5;

/**
 * The Bernoulli posterior before training: λ ~ N(0, spread²), gain 1/√(fan-in · E[x²]), bias 0.
 *
 * The same seed gives the same bits.
 */
export function initialPosterior(model: Model, initial: InitialPosterior): Record<string, LearnedTensor> {
  const parameters = parametersOf(model);
  const first = Object.values(parameters).find(({ role }) => role === 'weight');
  const learned: Record<string, LearnedTensor> = {};
  for (const [name, shape] of Object.entries(learnedShapes(model))) {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    const [owner, part] = splitName(name);
    const parameter = parameters[owner] as Parameter;
    if (part === 'lambda') {
      Random.fromSeed(initial.seed, name).fillGaussian(data);
      data.forEach((value, index) => {
        data[index] = value * initial.spread;
      });
    } else if (part === 'rho') {
      data.fill(initial.biasRho);
    } else if (parameter.role === 'gain') {
      const power =
        parameter.fanIn === first?.fanIn && owner.startsWith('0.') ? initial.inputPower : SPIKE_POWER;
      data.fill(1 / Math.sqrt(parameter.fanIn * power));
    }
    learned[name] = { shape, data };
  }
  return learned;
}

/** `0.dense.weight.lambda` → [`0.dense.weight`, `lambda`]. */
export function splitName(name: string): [owner: string, part: string] {
  const dot = name.lastIndexOf('.');
  return [name.slice(0, dot), name.slice(dot + 1)];
}

type Learned = (part: string) => tf.Tensor;

/** How a parameter of each role enters the network while it is uncertain (method, section 3). */
const asMoments: Record<ParameterRole, (learned: Learned) => Moments> = {
  weight: (learned) => {
    const mean = tf.tanh(learned('lambda'));
    return { mean, variance: tf.sub(1, tf.square(mean)) };
  },
  gain: (learned) => ({ mean: learned('value') }),
  bias: (learned) => ({ mean: learned('value'), firingVariance: tf.square(tf.softplus(learned('rho'))) }),
};

/** Every parameter of the model as moments, from the tensors that training changes. */
export function parameterMoments(
  model: Model,
  learned: Readonly<Record<string, tf.Tensor>>,
): Record<string, Moments> {
  const moments: Record<string, Moments> = {};
  for (const [name, { role }] of Object.entries(parametersOf(model))) {
    moments[name] = asMoments[role]((part) => {
      const tensor = learned[`${name}.${part}`];
      if (!tensor) throw new Error(`learned tensor ${name}.${part} is missing`);
      return tensor;
    });
  }
  return moments;
}

/**
 * KL divergence in nats of the weights' Bernoulli posterior from Bernoulli(½):
 * Σ log 2 − H(q) = Σ λ tanh λ − log cosh λ, whose gradient is λ (1 − tanh² λ).
 */
export function weightDivergence(model: Model, learned: Readonly<Record<string, tf.Tensor>>): tf.Tensor {
  const terms = Object.entries(parametersOf(model))
    .filter(([, { role }]) => role === 'weight')
    .map(([name]) => divergence(learned[`${name}.lambda`] as tf.Tensor));
  return tf.addN(terms);
}

const divergence = tf.customGrad((given, save) => {
  const lambda = given as tf.Tensor;
  const mean = tf.tanh(lambda);
  // log cosh λ = |λ| + softplus(−2|λ|) − log 2, which does not overflow.
  const size = tf.abs(lambda);
  const logCosh = tf.sub(tf.add(size, tf.softplus(tf.mul(size, -2))), Math.LN2);
  (save as tf.GradSaveFunc)([lambda, mean]);
  return {
    value: tf.sum(tf.sub(tf.mul(lambda, mean), logCosh)),
    gradFunc: (gradient: tf.Tensor, saved: tf.Tensor[]) => {
      const [x, tanh] = saved as [tf.Tensor, tf.Tensor];
      return tf.mul(gradient, tf.mul(x, tf.sub(1, tf.square(tanh))));
    },
  };
});
