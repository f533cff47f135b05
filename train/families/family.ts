import type * as tf from '@tensorflow/tfjs-core';
import type { Parameter } from '../../schemas/layer.ts';
import type { Moments } from '../moments.ts';

/** A learned part of a parameter: of a weight, its `lambda`, or its `mu` and `rho`. */
export type Learned = (part: string) => tf.Tensor;

/** What decides the numbers that a posterior starts from. */
export interface Beginning {
  /** Standard deviation of λ at the start: small keeps every sign open. */
  readonly spread: number;
  /** Seed of the tensor's own stream, which has the tensor's name. */
  readonly seed: number;
}

/** What training needs to know of a kind of distribution of weights. */
export interface WeightFamily {
  /** Fills a learned tensor of a weight, such as `0.dense.weight.lambda`, before training. */
  startWeight(into: Float32Array, name: string, parameter: Parameter, beginning: Beginning): void;
  /** What every gain starts from. @param power E[x²] of what its layer sums */
  startGain(parameter: Parameter, power: number): number;
  /** What a ρ of weights becomes where their current is to be so many times what it is, beside their gain. */
  rescaleNoise(rho: number, factor: number): number;
  /** How weights and gains enter the network while the weights are uncertain. */
  weight(learned: Learned): Moments;
  gain(learned: Learned): Moments;
  /** KL divergence in nats of all weights of a parameter from their prior. */
  divergence(learned: Learned): tf.Tensor;
}
