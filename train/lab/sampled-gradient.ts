import * as tf from '@tensorflow/tfjs-core';
import { Random } from '../../schemas/random.ts';
import { forward } from '../../schemas/model.ts';
import { sizeOf } from '../../schemas/layer.ts';
import type { Estimator } from '../estimators/index.ts';
import { fillLogistic } from '../noise/logistic.ts';
import { NoiseSource } from '../noise/noise-source.ts';
import { parameterMoments } from '../posterior.ts';
import { Copies } from './copies.ts';
import { choiceOf, opsOf, patternOf, type TrainingCode } from './local-gradients.ts';
import type { LabLoss } from './losses.ts';
import type { PlainLayer } from './plain-network.ts';
import type { Examples } from './task.ts';

/** What a share of the draws gave. */
export interface Group {
  /** The mean gradient. */
  readonly mean: Float64Array;
  /** The mean of the squared norm, of the numbers of each layer. */
  readonly squares: readonly number[];
}

/** Draws come in so many groups, whose spread tells the standard errors. */
export const GROUPS = 20;

/** Numbers of gradients that are computed at a time. */
const MOST_NUMBERS = 2 ** 20;

/**
 * Gradients of single steps on all examples, as training computes them, with noise of their own.
 *
 * @param steps draws in each group
 * @param onGroup called after every group; the figures need some time
 */
export async function sampledGradient(
  { code, layers, examples }: { code: TrainingCode; layers: readonly PlainLayer[]; examples: Examples },
  estimator: Estimator,
  loss: LabLoss,
  { steps, seed, onGroup }: { steps: number; seed: number; onGroup: () => Promise<void> },
): Promise<Group[]> {
  const { posterior } = code;
  const copies = new Copies(posterior);
  const noises = {
    gaussian: NoiseSource.fromSeed(seed, 'lab noise'),
    logistic: Random.fromSeed(seed, 'lab logistic noise'),
  };
  const size = layers.at(-1)!.to;
  const count = examples.labels.length;
  const chunk = Math.max(1, Math.floor(MOST_NUMBERS / (size * count)));

  const ops = opsOf(code, {
    spike: estimator.spike,
    relaxed: estimator.relaxed,
    noise(shape, by) {
      const noise = by === 'neuron' ? estimator.noise : 'gaussian';
      const numbers = new Float32Array(sizeOf(shape));
      if (noise === 'gaussian') noises.gaussian.fillGaussian(numbers);
      if (noise === 'logistic') fillLogistic(numbers, noises.logistic);
      return tf.tensor(numbers, [...shape]);
    },
  });

  const drawSteps = (times: number): Float32Array =>
    tf.tidy(() => {
      const rows = times * count;
      const repeat = (values: readonly number[]): tf.Tensor =>
        tf.tile(tf.tensor(values, [count, 1, values.length / count]), [times, 1, 1]);
      const classes = layers.at(-1)!.units;
      const targets = repeat(examples.labels.flatMap((label) => [...patternOf(label, classes, 1)]));
      const inputs = repeat(examples.inputs.flatMap((x) => [...x]));
      return copies.gradients(rows, inputs, (learned, mean) => {
        const parameters = parameterMoments(posterior.model, learned, choiceOf(posterior));
        const logits = forward(ops, posterior.model, parameters, { mean }).mean;
        return tf.mul(loss.ofTensors(targets, logits), rows);
      }).byLearned;
    });

  const groups: Group[] = [];
  for (let group = 0; group < GROUPS; group++) {
    const mean = new Float64Array(size);
    const squares = layers.map(() => 0);
    const one = new Float64Array(size);
    for (let done = 0; done < steps; done += chunk) {
      const times = Math.min(chunk, steps - done);
      const rows = drawSteps(times);
      for (let step = 0; step < times; step++) {
        one.fill(0);
        for (let row = step * count; row < (step + 1) * count; row++)
          for (let at = 0; at < size; at++) one[at]! += rows[row * size + at]! / count;
        layers.forEach(({ from, to }, index) => {
          for (let at = from; at < to; at++) {
            mean[at]! += one[at]! / steps;
            squares[index]! += one[at]! ** 2 / steps;
          }
        });
      }
    }
    groups.push({ mean, squares });
    await onGroup();
  }
  return groups;
}
