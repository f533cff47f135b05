import * as tf from '@tensorflow/tfjs-core';
import { type Shape, sizeOf } from '../schemas/layer.ts';
import { forward, type Model, parametersOf, stepsOf } from '../schemas/model.ts';
import type { Ops } from '../schemas/ops.ts';
import { type Pair, type Padding, stopsOver, type Window } from '../schemas/window.ts';
import type { Estimator } from './estimators/index.ts';
import type { PosteriorChoice } from './families/index.ts';
import { type Measure, momentsOps, type NoiseSpan } from './moments.ts';
import { parameterMoments } from './posterior.ts';
import { segmentedForward } from './segments.ts';

export type Tensors = Readonly<Record<string, tf.Tensor>>;

/** What decides how a network runs while its weights are uncertain. */
export interface NoisyOptions {
  readonly model: Model;
  readonly estimator: Estimator;
  readonly posterior: PosteriorChoice;
  /** Whether the noise scale is other than 1 anywhere in training. */
  readonly annealing: boolean;
  /** Whether weights are drawn anew for every step (default), or once for all steps of a sequence. */
  readonly noise?: NoiseSpan | undefined;
  /** Steps of the segments that gradients compute anew instead of keeping them; without it all is kept. */
  readonly checkpointEvery?: number | undefined;
  /** Whether scans are written as steps one after another. */
  readonly unroll?: boolean | undefined;
}

/** What a noisy network said. */
export interface NoisyAnswer {
  /** [batch, classes] */
  readonly logits: tf.Tensor;
  /** What `measure` made of each layer of neurons, in the order of the layers, [time × batch, …]. */
  readonly measured: readonly tf.Tensor[];
}

/**
 * Runs a network on moments, its neurons and readout sampling.
 *
 * @param fed `inputs` [time × batch, …], the noises that `drawsOf` names, and `noiseScale` where it is annealed
 * @param measure is told of every layer of neurons at every time
 */
export function noisyForward(
  options: NoisyOptions,
  learned: Tensors,
  fed: Tensors,
  measure?: Measure,
): NoisyAnswer {
  const { model, estimator, posterior, annealing, noise: span, checkpointEvery: every } = options;
  if (every !== undefined && every < stepsOf(model))
    return segmentedForward(options, every, learned, fed, measure);
  const measured: tf.Tensor[] = [];
  let drawn = 0;
  const ops = momentsOps({
    steps: stepsOf(model),
    spike: estimator.spike,
    relaxed: estimator.relaxed,
    span,
    noise: (shape, by) =>
      by === 'neuron' && estimator.noise === 'none' ? tf.zeros([...shape]) : tensor(fed, `noise.${drawn++}`),
    measure,
    measured,
    unroll: options.unroll,
    noiseScale: annealing ? tensor(fed, 'noiseScale') : undefined,
  });
  const parameters = parameterMoments(model, learned, posterior);
  const logits = forward(ops, model, parameters, { mean: tensor(fed, 'inputs') });
  return { logits: logits.mean, measured };
}

/** Noise that a network is fed. */
export interface Draw {
  readonly name: string;
  readonly shape: Shape;
  readonly noise: Exclude<Estimator['noise'], 'none'>;
}

/** A value of which only the shape is known; whether noise comes with it as with a bias. */
interface Sized {
  readonly shape: Shape;
  readonly bias?: boolean;
}

/**
 * The noise that a network draws, in the order it draws it: its neurons what the estimator wants, all other normal.
 *
 * A dry run of the layers' equations on shapes alone finds every draw, whatever the layers are.
 */
export function drawsOf(
  model: Model,
  batchSize: number,
  estimator: Pick<Estimator, 'noise'>,
  span: NoiseSpan = 'step',
): Draw[] {
  const draws: Draw[] = [];
  const draw = (shape: Shape, noise: Estimator['noise']): void => {
    if (noise !== 'none') draws.push({ name: `noise.${draws.length}`, shape, noise });
  };

  /** @param times of every shape inside; @param scanned steps of the scan that runs, if one does */
  const opsIn = (times: number, scanned?: number): Ops<Sized> => {
    /** What one draw of the weights for a whole sequence takes, and signs for every example. */
    const drawWeights = (x: Sized, weight: Shape): void => {
      if (span !== 'sequence') return;
      const batch = (x.shape[0] as number) / times;
      draw(weight, 'gaussian');
      draw([batch, x.shape.at(-1) as number], 'gaussian');
      draw([batch, weight.at(-1) as number], 'gaussian');
    };
    const atEveryStep = (shape: Shape): Shape => (scanned === undefined ? shape : [scanned, ...shape]);
    return {
      linear(x, { shape }) {
        drawWeights(x, shape);
        return { shape: [...x.shape.slice(0, -1), shape[1] as number] };
      },
      conv2d(x, { shape }, { stride, padding }) {
        drawWeights(x, shape);
        const [height = 0, width = 0, , filters = 0] = shape;
        return { shape: [...windowedShape(x, { size: [height, width], stride }, padding), filters] };
      },
      pool(x, _kind, window) {
        const [rows = 0] = x.shape;
        const plane = window ? windowedShape(x, window, 'valid') : [rows, 1, 1];
        return { shape: [...plane, x.shape.at(-1) as number] };
      },
      flatten: ({ shape: [rows = 0, ...features] }) => ({ shape: [rows, sizeOf(features)] }),
      padChannels: ({ shape }, count) => ({
        shape: [...shape.slice(0, -1), (shape.at(-1) as number) + count],
      }),
      normalise: (x) => x,
      multiply: (x) => x,
      add(x, term) {
        if (span === 'sequence' && term.bias) {
          const [rows = 1, ...units] = x.shape;
          draw([rows / times, ...units], 'gaussian');
        }
        return x;
      },
      spike(membrane) {
        if (span === 'step') draw(atEveryStep(membrane.shape), estimator.noise);
        return membrane;
      },
      leak: (membrane) => membrane,
      reset: (membrane) => membrane,
      detach: (x) => x,
      read(current) {
        if (span === 'step') draw(atEveryStep(current.shape), 'gaussian');
        return current;
      },
      overTime: (x) => ({ shape: [(x.shape[0] as number) / times, ...x.shape.slice(1)] }),
      scan({ input, parameters, state, step }) {
        const [rows = 1, ...features] = input.shape;
        const batch = rows / times;
        const before = Object.fromEntries(
          Object.entries(state).map(([name, shape]): [string, Sized] => [name, { shape: [batch, ...shape] }]),
        );
        const inner = opsIn(1, times === 1 ? undefined : times);
        const [{ shape }] = step(inner, parameters, before, { shape: [batch, ...features] });
        return { shape: [rows, ...shape.slice(1)] };
      },
    };
  };
  const parameters = Object.fromEntries(
    Object.entries(parametersOf(model)).map(([name, { shape, role }]): [string, Sized] => [
      name,
      { shape, bias: role === 'bias' },
    ]),
  );
  const steps = stepsOf(model);
  forward(opsIn(steps), model, parameters, { shape: [steps * batchSize, ...model.input.shape] });
  return draws;
}

/** The rows and the plane that a window makes of an activation. */
function windowedShape({ shape }: Sized, window: Window, padding: Padding): Shape {
  const [rows = 0, height = 0, width = 0] = shape;
  const plane: Pair = [height, width];
  return [rows, ...stopsOver(plane, window, padding).map(({ stops }) => stops)];
}

/** The tensor of that name; a step that lacks one is a defect. */
export function tensor(from: Tensors, name: string): tf.Tensor {
  const found = from[name];
  if (!found) throw new Error(`the step was not given the tensor ${name}`);
  return found;
}
