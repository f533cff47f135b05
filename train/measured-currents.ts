import * as tf from '@tensorflow/tfjs-core';
import { fires, forward, type Model, parametersOf, type Place, placesOf, stepsOf } from '../schemas/model.ts';
import type { Ops } from '../schemas/ops.ts';
import { learnedShapes } from '../schemas/posterior.ts';
import type { ForwardFunction } from './engine/engine.ts';
import type { Estimator } from './estimators/index.ts';
import { samplingEstimator } from './judge.ts';
import { type Firing, type Moments, momentsOps, type MomentsOptions } from './moments.ts';
import { drawsOf, tensor } from './noisy-forward.ts';
import type { TrainingOptions } from './options.ts';
import { cooled, parameterMoments, splitName } from './posterior.ts';
import { scanMoments } from './scan-moments.ts';
import type { Shapes } from './step.ts';

/** What a run of the network needs besides what is learned. */
export interface Run {
  readonly model: Model;
  readonly options: TrainingOptions;
  readonly noise: Estimator['noise'];
}

/** A layer with weights, and the neurons that its current drives: its own, those of the next layer, or none. */
export interface Synapse {
  readonly place: Place;
  readonly neuron?: Place;
}

/** Whether something is carried from one time step to the next. */
export const hasState = ({ layer, spec, input }: Place): boolean =>
  Object.keys(layer.state(spec, input)).length > 0;

/** The names of the layers that have weights. */
const weighted = (model: Model): Set<string> =>
  new Set(
    Object.entries(parametersOf(model)).flatMap(([name, { role }]) =>
      role === 'weight' ? [splitName(name)[0]] : [],
    ),
  );

export function synapsesOf(model: Model): Synapse[] {
  const places = placesOf(model);
  const names = weighted(model);
  return places.flatMap((place, index) => {
    if (!names.has(place.name)) return [];
    const neuron = places.slice(index).find((next) => fires(next) || next.layer.gives === 'logits');
    return [{ place, ...(neuron && fires(neuron) && { neuron }) }];
  });
}

/** The network up to its answer as a function that tells what currents it has. */
export function currentsOf(
  { model, options, noise }: Run,
  batchSize: number,
  synapses: readonly Synapse[],
): ForwardFunction {
  const steps = stepsOf(model);
  const { spike } = samplingEstimator(noise);
  const draws = drawsOf(model, batchSize, { noise });
  const rows = [steps * batchSize];
  const shapes = parametersOf(model);
  const outputs: Shapes = Object.fromEntries(
    synapses.flatMap(({ place, neuron }) => [
      ...parts.map((part) => [`${place.name}.${part}`, rows] as const),
      [`${place.name}.channels`, [...rows, shapes[`${place.name}.gain`]!.shape.at(-1)!]] as const,
      ...(neuron ? [[`${neuron.name}.threshold`, rows] as const] : []),
    ]),
  );
  const feeds: Shapes = {
    ...learnedShapes(model, options.posterior),
    inputs: [steps * batchSize, ...model.input.shape],
    temperature: [],
    noiseScale: [],
    ...Object.fromEntries(draws.map(({ name, shape }) => [name, shape])),
  };
  const run = (fed: Readonly<Record<string, tf.Tensor>>) => {
    const measured: tf.Tensor[] = [];
    let drawn = 0;
    const ops = watchingOps({
      steps,
      spike,
      noise: (shape, by) =>
        by === 'neuron' && noise === 'none' ? tf.zeros([...shape]) : tensor(fed, `noise.${drawn++}`),
      measure: thresholdOf,
      measured,
      noiseScale: tensor(fed, 'noiseScale'),
    });
    const moments = parameterMoments(model, cooled(fed, tensor(fed, 'temperature')), options.posterior);
    const parameters = Object.fromEntries(
      Object.entries(parametersOf(model)).map(([name, { role }]): [string, Moments] => [
        name,
        role === 'gain' ? { ...moments[name]!, isGain: true } : moments[name]!,
      ]),
    );
    const found: Record<string, tf.Tensor> = {};
    const names = weighted(model);
    const after = (place: Place): void => {
      const seen = measured.splice(0);
      const own = names.has(place.name) ? [...parts, 'channels'].map((part) => `${place.name}.${part}`) : [];
      [...own, `${place.name}.threshold`].forEach((name, index) => {
        if (seen[index]) found[name] = seen[index];
      });
    };
    forward(ops, model, parameters, { mean: tensor(fed, 'inputs') }, { after });
    return Object.fromEntries(Object.keys(outputs).map((name) => [name, tensor(found, name)]));
  };
  return { feeds, outputs, run };
}

/** What is measured of a current: over the units of an example at a time the means of its mean, that squared, and its variance. */
const parts = ['mean', 'square', 'variance'] as const;

/** Each row of a tensor [rows, …] by its mean. */
function meanOfUnits(x: tf.Tensor, rows: number): tf.Tensor {
  const means = x.rank > 1 ? tf.mean(x, [...x.shape.keys()].slice(1)) : x;
  return means.shape[0] === rows ? means : tf.mul(means, tf.ones([rows]));
}

/** The mean of each channel: [rows, …plane, channels] → [rows, channels]. */
const meanOfPlane = (x: tf.Tensor): tf.Tensor =>
  x.rank > 2 ? tf.mean(x, [...x.shape.keys()].slice(1, -1)) : x;

/** Training's arithmetic, which tells of every current before its bias. */
function watchingOps(options: MomentsOptions): Ops<Moments> {
  const ops = momentsOps(options);
  return {
    ...ops,
    multiply(x, factor) {
      const current = ops.multiply(x, factor);
      if (typeof factor !== 'number' && factor.isGain) {
        const { mean, variance } = current;
        const rows = mean.shape[0] as number;
        options.measured?.push(
          meanOfUnits(mean, rows),
          meanOfUnits(tf.square(mean), rows),
          variance ? meanOfUnits(variance, rows) : tf.zeros([rows]),
          meanOfPlane(mean),
        );
      }
      return current;
    },
    scan: (scan) => scanMoments(scan, options, watchingOps),
  };
}

/** The threshold of a layer of neurons, of every row: of thresholds that differ, the mean. */
const thresholdOf = ({ threshold, membrane }: Firing): tf.Tensor => {
  const all = typeof threshold === 'number' ? tf.scalar(threshold) : tf.mean(threshold);
  return tf.mul(tf.ones([membrane.shape[0] as number]), all);
};

/** √(var[mean] + E[variance]): the standard deviation of a current of which the noise is a part. */
export function deviationOf(
  layer: string,
  found: Readonly<Record<string, Float32Array>>,
  aroundChannels: boolean,
): number {
  const [mean, square, variance] = parts.map((part) => meanOf(found[`${layer}.${part}`]!)) as [
    number,
    number,
    number,
  ];
  const centre = aroundChannels ? meanOf(channelsOf(layer, found).map((value) => value ** 2)) : mean ** 2;
  return Math.sqrt(Math.max(0, square - centre) + variance);
}

const meanOf = (values: Float32Array | readonly number[]): number => {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
};

/** The mean of each channel of a layer's current, over all rows. */
export function channelsOf(layer: string, found: Readonly<Record<string, Float32Array>>): number[] {
  const values = found[`${layer}.channels`]!;
  const rows = found[`${layer}.mean`]!.length;
  const channels = values.length / rows;
  const sums = Array.from({ length: channels }, () => 0);
  values.forEach((value, at) => (sums[at % channels]! += value));
  return sums.map((sum) => sum / rows);
}
