import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../schemas/layer.ts';
import { placesOf, stepsOf } from '../schemas/model.ts';
import type { Engine, ForwardFunction, PreparedForward, State } from './engine/engine.ts';
import { neuronsOf } from './judge.ts';
import type { Firing } from './moments.ts';
import { splitName } from './posterior.ts';
import { exampleWeights, lossAndGradients, type StepFunction, type StepOptions, type Watch } from './step.ts';

/** How the neurons of a layer fired in one step of training. */
export interface FiringFigures {
  /** Part of all units, examples and times that fired, 0 … 1. */
  readonly rate: number;
  /** Part of the units that fired for no example at no time. */
  readonly silent: number;
  /** Part of the units that fired for every example at every time. */
  readonly saturated: number;
  /** Mean of |u/σ|: how many standard deviations of its noise a neuron was from its threshold. */
  readonly distance: number;
}

/** What was seen of a layer: that it fires, that it has weights, or both. */
export interface LayerFigures {
  /** Its name, such as `1.lif`. */
  readonly layer: string;
  readonly firing?: FiringFigures;
  /** By weight tensor of the layer, the length of d loss / d λ (Gaussian weights: d μ) before clipping. */
  readonly gradients?: Readonly<Record<string, number>>;
}

/** A step of training, layer by layer. */
export interface MonitorFigures {
  /** Number of the step, from 1. */
  readonly step: number;
  /** In the order in which they are done. */
  readonly layers: readonly LayerFigures[];
}

/**
 * Looks at a step of training: a second function of the same tensors, which makes the same gradients and tells other
 * things of them. The step itself does nothing more for it.
 */
export class Monitor {
  readonly #options: StepOptions;
  readonly #prepared: PreparedForward;

  private constructor(options: StepOptions, prepared: PreparedForward) {
    this.#options = options;
    this.#prepared = prepared;
  }

  static async prepare(options: StepOptions, step: StepFunction, engine: Engine): Promise<Monitor> {
    return new Monitor(options, await engine.prepareForward(buildMonitor(options, step)));
  }

  /**
   * What a step does.
   *
   * @param step its number, from 1
   * @param learned what it starts from
   * @param fed what it is fed, its noise included
   */
  async look(
    step: number,
    learned: State,
    fed: Readonly<Record<string, Float32Array>>,
  ): Promise<MonitorFigures> {
    const { feeds } = this.#prepared;
    for (const [name, { data }] of Object.entries(learned)) feeds[name]?.set(data);
    for (const [name, data] of Object.entries(fed)) feeds[name]?.set(data);
    const examples = fed[exampleWeights]?.reduce((sum, weight) => sum + weight, 0) ?? this.#options.batchSize;
    return { step, layers: figuresOf(this.#options, examples, await this.#prepared.run()) };
  }

  close(): Promise<void> {
    return this.#prepared.close();
  }
}

/** Whether all figures are numbers: a gradient may have become none. */
export const isSound = ({ layers }: MonitorFigures): boolean =>
  layers.every(({ firing = {}, gradients = {} }) =>
    [...Object.values(firing), ...Object.values(gradients)].every(Number.isFinite),
  );

/** The tensors of weights: λ or μ. */
const weightsOf = ({ groups }: StepFunction): string[] =>
  Object.keys(groups).filter((name) => groups[name] === 'weights');

/** Whether each neuron fired. Relaxed spikes are above ½ where the noise took the neuron over its threshold. */
const fired = ({ spikes }: Firing): tf.Tensor => tf.cast(tf.greater(spikes, 0.5), 'float32');

/** |u/σ| */
const distance = ({ membrane, threshold, deviation }: Firing): tf.Tensor =>
  tf.abs(tf.div(tf.sub(membrane, threshold), deviation));

/** What each row of a value [time × batch, …] counts, 0 or 1, in a shape that broadcasts over it. */
function rowsOf(weights: tf.Tensor, { shape: [rows = 1, ...units] }: tf.Tensor): tf.Tensor {
  const atEveryTime = tf.mul(weights, tf.ones([rows / weights.size, 1]));
  return tf.reshape(atEveryTime, [rows, ...units.map(() => 1)]);
}

/** The mean over the rows that count. */
const meanOf = (x: tf.Tensor, rows: tf.Tensor): tf.Tensor =>
  tf.div(tf.sum(tf.mul(x, rows)), tf.mul(tf.sum(rows), x.size / rows.size));

function buildMonitor(options: StepOptions, step: StepFunction): ForwardFunction {
  const neurons = neuronsOf(options.model);
  const weights = weightsOf(step);
  const watch: Watch = {
    measures: [fired, distance],
    report: (measured, fed) =>
      Object.fromEntries(
        neurons.flatMap(({ name }, index) => {
          const [spikes, distances] = measured[index] as [tf.Tensor, tf.Tensor];
          const rows = fed[exampleWeights] && rowsOf(fed[exampleWeights], spikes);
          return [
            [`${name}.fired`, tf.sum(rows ? tf.mul(spikes, rows) : spikes, 0)],
            [`${name}.distance`, rows ? meanOf(distances, rows) : tf.mean(distances)],
          ];
        }),
      ),
  };
  return {
    feeds: { ...step.learned, ...step.feeds },
    outputs: Object.fromEntries([
      ...neurons.map(({ name, output }) => [`${name}.fired`, output]),
      ...neurons.map(({ name }) => [`${name}.distance`, []]),
      ...weights.map((name) => [`${name}.norm`, []]),
    ]),
    run(fed) {
      const { reports, gradients } = lossAndGradients(options, Object.keys(step.learned), fed, fed, watch);
      const norms = weights.map((name) => [
        `${name}.norm`,
        tf.sqrt(tf.sum(tf.square(gradients[name] as tf.Tensor))),
      ]);
      return { ...reports, ...Object.fromEntries(norms) };
    },
  };
}

/** @param examples in the batch @param found by the names of the outputs of `buildMonitor` */
function figuresOf(
  { model }: StepOptions,
  examples: number,
  found: Readonly<Record<string, Float32Array>>,
): LayerFigures[] {
  const norms = Object.keys(found).filter((name) => name.endsWith('.norm'));
  return placesOf(model).flatMap(({ name, output }) => {
    const counts = found[`${name}.fired`];
    const gradients = Object.fromEntries(
      norms.flatMap((norm): [string, number][] => {
        // `0.dense.weight.lambda.norm`
        const [owner, weight] = splitName(splitName(splitName(norm)[0])[0]);
        return owner === name ? [[weight, found[norm]![0]!]] : [];
      }),
    );
    const firing = counts && {
      ...ratesOf(counts, stepsOf(model) * examples, sizeOf(output)),
      distance: found[`${name}.distance`]![0]!,
    };
    const weighted = Object.keys(gradients).length > 0;
    return firing || weighted
      ? [{ layer: name, ...(firing && { firing }), ...(weighted && { gradients }) }]
      : [];
  });
}

/** @param counts how often each unit fired in so many rows */
function ratesOf(counts: Float32Array, rows: number, units: number): Omit<FiringFigures, 'distance'> {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const part = (is: number): number => counts.filter((count) => count === is).length / units;
  return { rate: total / (rows * units), silent: part(0), saturated: part(rows) };
}
