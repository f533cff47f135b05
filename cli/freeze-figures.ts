import { type FreezeReport, freezeReport, type FrozenName, type Network, toOnnx } from '../export/index.ts';
import { accuracy, calibration, evaluate, load, negativeLogLikelihood } from '../runtime/index.ts';
import { rowsOf } from '../runtime/uncertainty.ts';
import { classesOf } from '../schemas/model.ts';
import type { Posterior } from '../schemas/posterior.ts';
import { type Dataset, type NoisyPredictionOptions, predictNoisy } from '../train/index.ts';
import { inputsFor } from './data.ts';
import type { Recalibration } from './recalibration.ts';

/** How well a network answers, and how well it knows how well. */
export interface Figures {
  /** 0 … 1 */
  readonly accuracy: number;
  /** In nats. */
  readonly negativeLogLikelihood: number;
  /** ECE in 15 bins, 0 … 1. */
  readonly calibrationError: number;
}

/** Of the network as it was trained, and as it was frozen. */
export type Networks = Readonly<Partial<Record<'noisy' | FrozenName, Figures>>>;

export interface Drawing {
  /** Networks in the ensemble, and draws of the noise. */
  readonly count: number;
  readonly seed: number;
  readonly threads: number | undefined;
}

/** The smallest float32 above 0: what a probability of 0 may have been. */
const LEAST = 2 ** -149;

/** The figures of a posterior on labelled examples, before and after it is frozen. */
export async function freezeFigures(
  posterior: Posterior,
  data: Dataset,
  noise: Pick<NoisyPredictionOptions, 'noise' | 'noiseScale'>,
  { count, seed, threads }: Drawing,
  recalibration?: Recalibration,
): Promise<{ networks: Networks; signs: readonly number[] }> {
  const inputs = inputsFor(posterior.model, data, 'the network');
  const judge = async (network: Network): Promise<Figures> => {
    const loaded = await load(toOnnx(network), threads === undefined ? {} : { threads });
    try {
      const { accuracy, negativeLogLikelihood, calibration } = await evaluate(loaded, inputs, data.labels);
      return { accuracy, negativeLogLikelihood, calibrationError: calibration.error };
    } finally {
      await loaded.close();
    }
  };
  const probabilities = await predictNoisy(posterior, data, { ...noise, draws: count, seed, threads });
  const noisy = figuresOf(rowsOf(probabilities, classesOf(posterior.model)), data.labels);
  const frozen: FreezeReport<Figures> = await freezeReport(posterior, judge, { count, seed, recalibration });
  return { networks: { noisy, ...frozen.networks }, signs: frozen.signs };
}

function figuresOf(probabilities: readonly Float32Array[], labels: Uint8Array): Figures {
  const logarithms = probabilities.map((row) => Array.from(row, (each) => Math.log(Math.max(each, LEAST))));
  return {
    accuracy: accuracy(probabilities, labels),
    negativeLogLikelihood: negativeLogLikelihood(logarithms, labels),
    calibrationError: calibration(probabilities, labels).error,
  };
}
