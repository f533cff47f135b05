import * as tf from '@tensorflow/tfjs-core';
import { fires, forward, type Model, parametersOf, type Place, placesOf, stepsOf } from '../schemas/model.ts';
import type { Ops } from '../schemas/ops.ts';
import { type LearnedTensor, learnedShapes } from '../schemas/posterior.ts';
import { Random } from '../schemas/random.ts';
import type { BatchSource } from './data/index.ts';
import type { Engine, ForwardFunction, State } from './engine/engine.ts';
import type { Estimator } from './estimators/index.ts';
import { familyOf } from './families/index.ts';
import { samplingEstimator } from './judge.ts';
import { type Firing, type Moments, momentsOps, type MomentsOptions } from './moments.ts';
import { fillLogistic } from './noise/logistic.ts';
import { NoiseSource } from './noise/noise-source.ts';
import { drawsOf, tensor } from './noisy-forward.ts';
import type { TrainingOptions } from './options.ts';
import { cooled, parameterMoments, splitName } from './posterior.ts';
import { scanMoments } from './scan-moments.ts';
import { scheduled } from './schedule.ts';
import type { Shapes } from './step.ts';

/** What a run of the network needs besides what is learned. */
interface Run {
  readonly model: Model;
  readonly options: TrainingOptions;
  readonly noise: Estimator['noise'];
}

/** How currents shall start. */
export interface CurrentsFromData {
  /** Standard deviation, in thresholds of the neurons that they drive; of 1 where those are 0 or there are none. */
  readonly scale: number;
  /**
   * Whether biases take away what each channel has on average, so that it comes to 0, or to the threshold of neurons
   * without a memory: half of those then fire (Salimans and Kingma 2016, arXiv 1602.07868). The scale is then that of
   * what is left. Sums of many spikes, which are never negative, need it.
   */
  readonly centre: boolean;
}

/** So near, as a part of it, a current has to come to its scale. */
const TOLERANCE = 0.02;

/** Runs for one layer at most. One is enough where a layer does not hear itself. */
const MOST_RUNS = 12;

/**
 * Scales the gains of all layers with weights so that their currents start at one scale, whatever comes in: layer by
 * layer from the first, one batch of training data passes through the noisy network, and each gain is multiplied by
 * the scale over the standard deviation of what the layer made of it, over examples, times and units and the noise of
 * its weights (layer-sequential unit-variance initialisation: Mishkin and Matas 2015, arXiv 1511.06422). Gaussian
 * weights have their σ multiplied alike, which no gain scales. A layer that hears its own spikes is run until it agrees.
 *
 * The same data, options and seed give the same numbers.
 *
 * @param learned what the posterior starts from
 * @param batches the first of the first epoch is taken
 * @param currents how they shall start
 */
export async function gainsFromData(
  { model, options, noise }: Run,
  learned: State,
  batches: BatchSource,
  engine: Engine,
  { scale, centre }: CurrentsFromData,
): Promise<State> {
  const batchSize = options.batchSize * options.noiseSamples;
  const synapses = synapsesOf(model);
  const draws = drawsOf(model, batchSize, { noise });
  const prepared = await engine.prepareForward(currentsOf({ model, options, noise }, batchSize, synapses));
  try {
    const { feeds } = prepared;
    const targets = new Float32Array(batchSize * batches.classes);
    await batches.fill(0, 0, feeds['inputs']!, targets);
    feeds['temperature']?.fill(scheduled(options.temperature, 0));
    feeds['noiseScale']?.fill(scheduled(options.noiseScale, 0));
    const drawScale = scheduled(options.drawScale, 0);
    const [source, random] = [
      NoiseSource.fromSeed(options.seed, 'initial gains'),
      Random.fromSeed(options.seed, 'initial gains'),
    ];
    for (const { name, noise: kind } of draws) {
      const buffer = feeds[name]!;
      if (kind === 'gaussian') source.fillGaussian(buffer);
      else fillLogistic(buffer, random);
      buffer.forEach((value, index) => (buffer[index] = value * drawScale));
    }

    const state: Record<string, LearnedTensor> = { ...learned };
    const run = async () => {
      for (const name of Object.keys(learned)) feeds[name]?.set(state[name]!.data);
      return prepared.run();
    };
    let found = await run();
    for (const { place, neuron } of synapses) {
      const threshold = neuron && Math.abs(found[`${neuron.name}.threshold`]![0]!);
      const target = scale * (threshold || 1);
      // Where spikes feed the current that makes them, a step of full length may go past the aim and back.
      let [stride, last] = [1, 0];
      for (let runs = 0; runs < MOST_RUNS; runs++) {
        const deviation = deviationOf(place.name, found, centre);
        // What is always the same has no scale to bring to another.
        if (!(deviation > 0)) break;
        const missing = Math.log(target / deviation);
        if (Math.abs(missing) < TOLERANCE) break;
        if (missing * last < 0) stride /= 2;
        last = missing;
        rescale(model, place, state, options, Math.exp(stride * missing));
        found = await run();
      }
      if (!centre) continue;
      // Only neurons that forget fire by the current of the moment.
      const forgets = neuron && !hasState(neuron);
      const level = forgets ? found[`${neuron.name}.threshold`]![0]! : 0;
      shift(
        place.name,
        state,
        channelsOf(place.name, found).map((mean) => level - mean),
      );
      found = await run();
    }
    return state;
  } finally {
    await prepared.close();
  }
}

/** A layer with weights, and the neurons that its current drives: its own, those of the next layer, or none. */
interface Synapse {
  readonly place: Place;
  readonly neuron?: Place;
}

/** Whether something is carried from one time step to the next. */
const hasState = ({ layer, spec, input }: Place): boolean => Object.keys(layer.state(spec, input)).length > 0;

/** The names of the layers that have weights. */
const weighted = (model: Model): Set<string> =>
  new Set(
    Object.entries(parametersOf(model)).flatMap(([name, { role }]) =>
      role === 'weight' ? [splitName(name)[0]] : [],
    ),
  );

function synapsesOf(model: Model): Synapse[] {
  const places = placesOf(model);
  const names = weighted(model);
  return places.flatMap((place, index) => {
    if (!names.has(place.name)) return [];
    const neuron = places.slice(index).find((next) => fires(next) || next.layer.gives === 'logits');
    return [{ place, ...(neuron && fires(neuron) && { neuron }) }];
  });
}

/** The network up to its answer as a function that tells what currents it has. */
function currentsOf(
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
function deviationOf(
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
function channelsOf(layer: string, found: Readonly<Record<string, Float32Array>>): number[] {
  const values = found[`${layer}.channels`]!;
  const rows = found[`${layer}.mean`]!.length;
  const channels = values.length / rows;
  const sums = new Array<number>(channels).fill(0);
  values.forEach((value, at) => (sums[at % channels]! += value));
  return sums.map((sum) => sum / rows);
}

/** Adds to the bias of each channel of a layer, at every step. */
function shift(layer: string, state: Record<string, LearnedTensor>, by: readonly number[]): void {
  const name = `${layer}.bias.value`;
  const { shape, data } = state[name]!;
  state[name] = { shape, data: data.map((value, at) => value + by[at % by.length]!) };
}

/** Multiplies the current of a layer by a factor. */
function rescale(
  model: Model,
  { name: layer }: Place,
  state: Record<string, LearnedTensor>,
  { posterior }: TrainingOptions,
  factor: number,
): void {
  const family = familyOf(posterior);
  const parameters = parametersOf(model);
  for (const [name, { shape, data }] of Object.entries(state)) {
    const [owner, part] = splitName(name);
    if (splitName(owner)[0] !== layer) continue;
    const { role } = parameters[owner]!;
    if (role === 'gain') state[name] = { shape, data: data.map((value) => value * factor) };
    else if (role === 'weight' && part === 'rho')
      state[name] = { shape, data: data.map((rho) => family.rescaleNoise(rho, factor)) };
  }
}
