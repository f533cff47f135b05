import * as tf from '@tensorflow/tfjs-core';
import { defineModel, dense, readout } from '../../schemas/index.ts';
import { forward, type Place, placesOf } from '../../schemas/model.ts';
import type { LearnedTensor, Posterior } from '../../schemas/posterior.ts';
import type { Estimator } from '../estimators/index.ts';
import { bernoulliChoice, type PosteriorChoice } from '../families/index.ts';
import { type Moments, momentsOps, type MomentsOptions } from '../moments.ts';
import { parameterMoments } from '../posterior.ts';
import type { Ops } from '../../schemas/ops.ts';
import { Copies, openProduct } from './copies.ts';
import { readoutNodes } from './exact-gradient.ts';
import type { LabLoss } from './losses.ts';
import type { PlainLayer } from './plain-network.ts';
import type { LayerStates } from './states.ts';

/** How far beyond its threshold noise takes every neuron, in units of σ: two ways to the same spikes. */
const DISTANCES = [0.5, 2] as const;

/** Rows that are differentiated at a time. */
const MOST_ROWS = 16_384;

/** Training's code on a network. */
export interface TrainingCode {
  readonly posterior: Posterior;
  /** Lets gradients pass into variances, as training does not. */
  readonly throughVariances: boolean;
}

/** The arithmetic of training. */
export const opsOf = (
  { throughVariances }: TrainingCode,
  options: Pick<MomentsOptions, 'spike' | 'relaxed' | 'noise'>,
): Ops<Moments> => momentsOps({ ...options, steps: 1, product: throughVariances ? openProduct : undefined });

/** The posterior's choice as the training code takes it; a prior enters no gradient of the lab's losses. */
export const choiceOf = (posterior: Posterior): PosteriorChoice =>
  posterior.family === 'bernoulli'
    ? bernoulliChoice
    : { family: 'gaussian', scale: posterior.scale, prior: 1 };

/** One dense layer of a network as a network of its own. */
function alone(posterior: Posterior, { name, inputs, units }: PlainLayer): Posterior {
  const learned: Record<string, LearnedTensor> = {};
  for (const [tensor, value] of Object.entries(posterior.learned)) {
    if (tensor.startsWith(`${name}.`)) learned[`0.dense${tensor.slice(name.length)}`] = value;
  }
  return {
    ...posterior,
    model: defineModel({ input: [inputs], layers: [dense({ units }), readout()] }),
    learned,
  };
}

/** A gradient in a batch of them. */
export interface LocalGradient {
  readonly byInput: Float32Array;
  /** The layer's own tensors, from `layer.from` to `layer.to` of the whole gradient. */
  readonly byLearned: Float32Array;
}

/** The gradient of the spike of a neuron, for every origin, by [unit + units · (1 if it fires)]. */
export type SpikeGradients = readonly (readonly LocalGradient[])[];

/**
 * What an estimator sends back from every neuron of a layer, silent and firing, by training's own code under
 * tfjs's differentiation. Neurons of a layer are taken to act each by itself, as all of the library's do.
 *
 * @returns undefined where the estimator's neurons do not fire as the noise tells them, or send back what depends
 *   on more of the noise than the spike: patterns then do not tell its gradient
 */
export function spikeGradients(
  code: TrainingCode,
  states: LayerStates,
  estimator: Estimator,
): SpikeGradients | undefined {
  const [once, again] = DISTANCES.map((distance) => forcedGradients(code, states, estimator, distance));
  return once && again && agree(once, again) ? once : undefined;
}

const agree = (once: SpikeGradients, again: SpikeGradients): boolean =>
  once.every((gradients, origin) =>
    gradients.every(({ byLearned }, index) =>
      byLearned.every((value, at) => value === again[origin]![index]!.byLearned[at]),
    ),
  );

function forcedGradients(
  code: TrainingCode,
  { layer, origins, ratios }: LayerStates,
  estimator: Estimator,
  distance: number,
): SpikeGradients | undefined {
  const { units, threshold = 0 } = layer;
  const single = alone(code.posterior, layer);
  const [place] = placesOf(single.model) as [Place];
  const copies = new Copies(single);
  const perOrigin = 2 * units;
  let forced = true;
  const chunk = Math.max(1, Math.floor(MOST_ROWS / perOrigin));
  const sent = inChunks([...origins.keys()], chunk, (places) => {
    const some = places.map((origin) => origins[origin]!);
    const rows = some.length * perOrigin;
    return tidied(() => {
      const wanted = Float32Array.from({ length: rows * units }, (_, at) =>
        Math.floor(at / units) % perOrigin < units ? 0 : 1,
      );
      const chosen = Float32Array.from({ length: rows * units }, (_, at) =>
        Math.floor(at / units) % units === at % units ? 1 : 0,
      );
      const ops = opsOf(code, {
        spike: estimator.spike,
        relaxed: estimator.relaxed,
        noise: () => {
          const noise = wanted.map((fires, at) => {
            const origin = places[Math.floor(at / units / perOrigin)]!;
            return (fires ? distance : -distance) - ratios[origin]![at % units]!;
          });
          return tf.tensor(estimator.noise === 'none' ? noise.fill(0) : noise, [rows, 1, units]);
        },
      });
      const gradients = copies.gradients(rows, repeated(some, perOrigin), (learned, mean) => {
        const parameters = parameterMoments(single.model, learned, choiceOf(single));
        const own = Object.fromEntries(
          Object.entries(parameters).map(([name, value]) => [name.slice(place.name.length + 1), value]),
        );
        const [current] = place.layer.step(ops, place.spec, own, {}, { mean });
        const spikes = ops.spike(current, threshold).mean;
        if (estimator.noise !== 'none') {
          const fired = spikes.dataSync();
          forced &&= wanted.every((fires, at) => fires === fired[at]);
        }
        return tf.sum(tf.mul(spikes, tf.tensor(chosen, [rows, 1, units])));
      });
      const found = rowsOf(gradients, rows);
      return some.map((_, origin) => found.slice(origin * perOrigin, (origin + 1) * perOrigin));
    });
  });
  return forced ? sent : undefined;
}

/** The readout's gradients of the loss of one class, for every origin, by `readoutNodes`. */
export function readoutGradients(
  code: TrainingCode,
  { layer, origins }: LayerStates,
  label: number,
  loss: LabLoss,
): readonly (readonly LocalGradient[])[] {
  const { units } = layer;
  const single = alone(code.posterior, layer);
  const copies = new Copies(single);
  const nodes = readoutNodes(units);
  const noises = nodes.flatMap(({ noise }) => noise);
  const chunk = Math.max(1, Math.floor(MOST_ROWS / nodes.length));
  return inChunks(origins, chunk, (some) => {
    const rows = some.length * nodes.length;
    return tidied(() => {
      const drawn = tf.tensor(Float32Array.from(some.flatMap(() => noises)), [rows, 1, units]);
      // Nothing fires in it.
      const ops = opsOf(code, { spike: (drive) => drive, noise: () => drawn });
      const target = tf.tensor(patternOf(label, units, rows), [rows, 1, units]);
      const gradients = copies.gradients(rows, repeated(some, nodes.length), (learned, mean) => {
        const parameters = parameterMoments(single.model, learned, choiceOf(single));
        const logits = forward(ops, single.model, parameters, { mean }).mean;
        return tf.mul(loss.ofTensors(target, logits), rows);
      });
      const found = rowsOf(gradients, rows);
      return some.map((_, origin) => found.slice(origin * nodes.length, (origin + 1) * nodes.length));
    });
  });
}

/** `tf.tidy` for results that hold no tensors. */
function tidied<Result>(run: () => Result): Result {
  let result: Result | undefined;
  tf.tidy(() => {
    result = run();
  });
  return result as Result;
}

/** One-hot rows of a class. */
export const patternOf = (label: number, classes: number, rows: number): Float32Array =>
  Float32Array.from({ length: rows * classes }, (_, at) => (at % classes === label ? 1 : 0));

const repeated = (origins: readonly Float64Array[], times: number): tf.Tensor =>
  tf.tensor(Float32Array.from(origins.flatMap((x) => Array.from({ length: times }, () => [...x]).flat())), [
    origins.length * times,
    1,
    origins[0]!.length,
  ]);

function rowsOf(
  { byInput, byLearned }: { readonly byInput: Float32Array; readonly byLearned: Float32Array },
  rows: number,
): LocalGradient[] {
  const [inputs, learned] = [byInput.length / rows, byLearned.length / rows];
  return Array.from({ length: rows }, (_, row) => ({
    byInput: byInput.subarray(row * inputs, (row + 1) * inputs),
    byLearned: byLearned.subarray(row * learned, (row + 1) * learned),
  }));
}

/** The results for all items, so many at a time. */
function inChunks<Item, Result>(
  items: readonly Item[],
  size: number,
  run: (some: readonly Item[]) => readonly Result[],
): Result[] {
  const results: Result[] = [];
  for (let start = 0; start < items.length; start += size)
    results.push(...run(items.slice(start, start + size)));
  return results;
}
