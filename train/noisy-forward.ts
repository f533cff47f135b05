import * as tf from '@tensorflow/tfjs-core';
import type { Shape } from '../schemas/layer.ts';
import { forward, type Model, parametersOf } from '../schemas/model.ts';
import type { Estimator } from './estimators/index.ts';
import type { PosteriorChoice } from './families/index.ts';
import { type Firing, momentsOps } from './moments.ts';
import { parameterMoments } from './posterior.ts';

export type Tensors = Readonly<Record<string, tf.Tensor>>;

/** What decides how a network runs while its weights are uncertain. */
export interface NoisyOptions {
  readonly model: Model;
  readonly estimator: Estimator;
  readonly posterior: PosteriorChoice;
  /** Whether the noise scale is other than 1 anywhere in training. */
  readonly annealing: boolean;
}

/**
 * Runs a network on moments, its neurons and readout sampling.
 *
 * @param fed `inputs`, the noises that `drawsOf` names, and `noiseScale` where it is annealed
 */
export function noisyForward(options: NoisyOptions, learned: Tensors, fed: Tensors) {
  const { model, estimator, posterior, annealing } = options;
  const firings: Firing[] = [];
  let drawn = 0;
  const ops = momentsOps({
    spike: estimator.spike,
    relaxed: estimator.relaxed,
    noise: (shape, by) =>
      by === 'neuron' && estimator.noise === 'none' ? tf.zeros([...shape]) : tensor(fed, `noise.${drawn++}`),
    onFiring: (firing) => firings.push(firing),
    noiseScale: annealing ? tensor(fed, 'noiseScale') : undefined,
  });
  const parameters = parameterMoments(model, learned, posterior);
  const logits = forward(ops, model, parameters, { mean: tensor(fed, 'inputs') });
  return { logits: logits.mean, firings };
}

/** Noise that a network is fed. */
export interface Draw {
  readonly name: string;
  readonly shape: Shape;
  readonly noise: Exclude<Estimator['noise'], 'none'>;
}

/** The noise that a network draws, in the order it draws it: its neurons what the estimator wants, the readout normal. */
export function drawsOf(model: Model, batchSize: number, estimator: Estimator): Draw[] {
  const draws: Draw[] = [];
  const drawing =
    (noise: Estimator['noise']) =>
    (shape: Shape): Shape => {
      if (noise !== 'none') draws.push({ name: `noise.${draws.length}`, shape, noise });
      return shape;
    };
  // A dry run of the layers' equations on shapes alone finds every draw, whatever the layers are.
  forward<Shape>(
    {
      linear: (x, weight) => [...x.slice(0, -1), weight.at(-1) as number],
      multiply: (x) => x,
      add: (x) => x,
      spike: drawing(estimator.noise),
      read: drawing('gaussian'),
    },
    model,
    Object.fromEntries(Object.entries(parametersOf(model)).map(([name, { shape }]) => [name, shape])),
    [batchSize, ...model.input.shape],
  );
  return draws;
}

/** The tensor of that name; a step that lacks one is a defect. */
export function tensor(from: Tensors, name: string): tf.Tensor {
  const found = from[name];
  if (!found) throw new Error(`the step was not given the tensor ${name}`);
  return found;
}
