import { setImmediate } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs-core';
import type { Posterior } from '../../schemas/posterior.ts';
import { registerGradients } from '../engine/gradients.ts';
import { useBackend } from '../engine/backends.ts';
import type { Estimator } from '../estimators/index.ts';
import { exactGradient, MOST_EXACT_CLASSES } from './exact-gradient.ts';
import { type ExpectedGradient, expectedGradients } from './expected-gradient.ts';
import { type Figures, figuresOf, type Sample } from './figures.ts';
import { flippedGradient } from './flipped-gradient.ts';
import { losses, type LossName } from './losses.ts';
import { type PlainLayer, plainNetwork } from './plain-network.ts';
import type { NoiseName } from './plain-noise.ts';
import { type Group, GROUPS, sampledGradient } from './sampled-gradient.ts';
import { statesOf } from './states.ts';
import type { Examples } from './task.ts';

/** The widest hidden layer whose patterns are summed over, for the true gradient and for an estimator's. */
const WIDEST = { truth: 10, estimate: 8 };

/** Which estimators are measured, on which loss, and how exactly. */
export interface MeasureOptions {
  readonly estimators: readonly Estimator[];
  readonly loss: LossName;
  /** Lets gradients pass into variances, as training does not (docs/method.md), to tell what that costs. */
  readonly throughVariances?: boolean | undefined;
  /** Draws of a whole step where there is something to sample, rounded up to fill all groups. */
  readonly samples: number;
  readonly seed: number;
  /** Told what is being computed, now and then. */
  readonly onProgress?: ((doing: string) => void) | undefined;
  /** Stops the measurement, which then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** An estimator on a layer, which its dense layer names: `0.dense`. */
export type MeasuredLayer = Figures & { readonly layer: string };

/** An estimator on a network. */
export interface Measured {
  /** Such as `importanceWeighted 0.5`. */
  readonly name: string;
  readonly estimator: Pick<Estimator, 'name' | 'options'>;
  /** Whether its expectation is a sum over all patterns; else it is a mean of draws. */
  readonly exact: boolean;
  /** By dense layer, from below. */
  readonly layers: readonly MeasuredLayer[];
  /** Of all layers with neurons together. The readout's gradient passes no neuron. */
  readonly hidden: Figures;
}

/** Bias and variance of gradient estimators on one network. */
export interface Measurement {
  /** Whether the true gradients are sums over all patterns. */
  readonly exactTruth: boolean;
  /** Mean of (u/σ)² over neurons and examples, under Gaussian noise: what the penalty makes small. */
  readonly meanSquareRatio: number | undefined;
  readonly estimators: readonly Measured[];
}

const OPTIONS_IN_NAMES = ['mix', 'temperature', 'shape'];

/** Its kind, and the option that tells it from others of the kind. */
export const nameOf = ({ name, options }: Estimator): string =>
  [name, ...OPTIONS_IN_NAMES.filter((key) => key in options).map((key) => options[key])].join(' ') +
  (options['noise'] === 'logistic' ? ' logistic' : '');

/** A network that fires without noise has no gradient: what approximates one is held against Gaussian noise. */
const noiseOfTruth = ({ noise }: Estimator): NoiseName => (noise === 'none' ? 'gaussian' : noise);

/**
 * Bias, variance and direction of estimators' gradients on a network of dense and binary layers.
 *
 * @throws UserError for a posterior with other layers, and where tfjs's cpu backend is not installed
 */
export async function measureEstimators(
  posterior: Posterior,
  examples: Examples,
  { estimators, loss: lossName, throughVariances = false, samples, seed, onProgress, signal }: MeasureOptions,
): Promise<Measurement> {
  const layers = plainNetwork(posterior);
  const code = { posterior, throughVariances };
  const loss = losses[lossName];
  const widest = Math.max(0, ...layers.slice(0, -1).map(({ units }) => units));
  const fewClasses = layers.at(-1)!.units <= MOST_EXACT_CLASSES;
  const exactTruth = fewClasses && widest <= WIDEST.truth;
  const steps = Math.max(1, Math.ceil(samples / GROUPS));
  const drawing = (doing: string) => {
    let group = 0;
    return {
      steps,
      seed,
      onGroup: async () => {
        onProgress?.(`${doing}: ${++group * steps} of ${GROUPS * steps} draws`);
        // Signals need a turn of the event loop.
        await setImmediate();
        signal?.throwIfAborted();
      },
    };
  };

  const truths = new Map<NoiseName, Sample>();
  const truthOf = async (noise: NoiseName): Promise<Sample> => {
    const known = truths.get(noise);
    if (known) return known;
    const found = exactTruth
      ? [exactGradient(statesOf(layers, examples, noise), examples, noise, loss)]
      : await flippedGradient(layers, examples, noise, loss, drawing(`true gradient, ${noise} noise`));
    truths.set(noise, found);
    return found;
  };

  // Else the cpu backend tells everyone on standard error that it is slow.
  tf.enableProdMode();
  await useBackend('cpu');
  registerGradients();
  const canSum = fewClasses && widest <= WIDEST.estimate;
  const chain = canSum ? statesOf(layers, examples, 'gaussian') : undefined;
  const expected = chain && expectedGradients(code, chain.at(-1)!, examples, loss);
  const measured: Measured[] = [];
  for (const estimator of estimators) {
    const name = nameOf(estimator);
    onProgress?.(name);
    await setImmediate();
    signal?.throwIfAborted();
    const truth = await truthOf(noiseOfTruth(estimator));
    const exact = expected?.(statesOf(layers, examples, estimator.noise), estimator);
    const figures = exact
      ? ofExpectation(exact, layers, truth)
      : ofDraws(
          await sampledGradient({ code, layers, examples }, estimator, loss, drawing(name)),
          layers,
          truth,
        );
    measured.push({
      name,
      estimator: { name: estimator.name, options: estimator.options },
      exact: exact !== undefined,
      layers: layers.map((layer) => ({ layer: layer.name, ...figures([layer]) })),
      hidden: figures(layers.slice(0, -1)),
    });
  }
  return { exactTruth, meanSquareRatio: chain && meanSquareRatio(chain), estimators: measured };
}

/** The figures over some layers, which follow each other. */
type FiguresOver = (parts: readonly PlainLayer[]) => Figures;

const ofExpectation =
  ({ mean, variance }: ExpectedGradient, layers: readonly PlainLayer[], truth: Sample): FiguresOver =>
  (parts) => {
    const own = within(mean, parts);
    const spread = sum(parts.map((part) => variance[layers.indexOf(part)]!));
    return figuresOf([own], [spread + squareOf(own)], cut(truth, parts));
  };

const ofDraws =
  (groups: readonly Group[], layers: readonly PlainLayer[], truth: Sample): FiguresOver =>
  (parts) =>
    figuresOf(
      groups.map(({ mean }) => within(mean, parts)),
      groups.map(({ squares }) => sum(parts.map((part) => squares[layers.indexOf(part)]!))),
      cut(truth, parts),
    );

/** The numbers of those layers. */
const within = (gradient: Float64Array, parts: readonly PlainLayer[]): Float64Array =>
  gradient.slice(parts[0]!.from, parts.at(-1)!.to);

const squareOf = (gradient: Float64Array): number => gradient.reduce((total, each) => total + each * each, 0);

const size = (gradients: Sample): number => Math.sqrt(sum(gradients.map(squareOf)));

/** Parts of the true gradient smaller than this part of the whole are within the rounding of float32. */
const SMALLEST_PART = 1e-5;

/** The true gradient of those layers; not a number where it has vanished, and with it all figures. */
function cut(sample: Sample, parts: readonly PlainLayer[]): Sample {
  const found = sample.map((gradient) => within(gradient, parts));
  return size(found) < SMALLEST_PART * size(sample) ? found.map((each) => each.fill(Number.NaN)) : found;
}

const sum = (numbers: Iterable<number>): number => {
  let total = 0;
  for (const each of numbers) total += each;
  return total;
};

function meanSquareRatio(chain: ReturnType<typeof statesOf>): number {
  const terms = chain.slice(0, -1).flatMap(({ ratios, occupation }) =>
    occupation.flatMap((parts) => {
      const { length } = ratios[0]!;
      return sum(ratios.map((ratio, origin) => (parts[origin]! * sum(ratio.map((r) => r * r))) / length));
    }),
  );
  return sum(terms) / terms.length;
}
