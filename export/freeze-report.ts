import { learnedTensor, type Posterior } from '../schemas/posterior.ts';
import { meanOverSteps, probabilitiesOfPlus } from './decisions.ts';
import { type FreezeOptions, freeze, type Network } from './freeze.ts';
import { layersOf } from './layers.ts';
import { type FiringRates, recalibrate } from './recalibrate.ts';

/** A way to freeze, as the report names it. */
export type FrozenName = 'mean' | 'recalibratedMean' | 'sample' | 'samples' | 'real' | 'recalibratedReal';

/** What freezing made of a posterior, way by way. */
export interface FreezeReport<Figures> {
  /**
   * `mean`, `sample` (one network), `samples` (an ensemble), and of a Gaussian posterior `real`: there `mean` is the
   * binarised network, so that the two show what binarising costs. `recalibrated…` where rates were given.
   */
  readonly networks: Readonly<Partial<Record<FrozenName, Figures>>>;
  /** The part of all weights whose P(w > 0) is in each of 20 bins from 0 to 1: open in the middle, sure at the ends. */
  readonly signs: readonly number[];
}

/** How many networks are drawn for the report, by which seed, and how biases are recalibrated. */
export interface FreezeReportOptions {
  /** Networks in the ensemble; 8 unless given. */
  readonly count?: number | undefined;
  /** Of all draws; 1 unless given. */
  readonly seed?: number | undefined;
  /** What `recalibrate` takes: adds the networks whose biases were moved. */
  readonly recalibration?:
    | { readonly inputs: Uint8Array | Float32Array; readonly rates: FiringRates }
    | undefined;
}

const BINS = 20;

/**
 * Freezes a posterior in every way that it has, and lays the figures of the networks side by side.
 *
 * @param judge gives the figures of a network, such as
 *   `async (network) => evaluate(await load(toOnnx(network)), inputs, labels)`
 */
export async function freezeReport<Figures>(
  posterior: Posterior,
  judge: (network: Network) => Figures | Promise<Figures>,
  { count = 8, seed = 1, recalibration }: FreezeReportOptions = {},
): Promise<FreezeReport<Figures>> {
  const networks: Partial<Record<FrozenName, Figures>> = {};
  const add = async (name: FrozenName, options: FreezeOptions, recalibrated?: FrozenName): Promise<void> => {
    const network = freeze(posterior, options);
    networks[name] = await judge(network);
    if (!recalibration || !recalibrated) return;
    networks[recalibrated] = await judge(recalibrate(network, recalibration.inputs, recalibration.rates));
  };
  await add('mean', { weights: 'mean' }, 'recalibratedMean');
  await add('sample', { weights: 'sample', seed });
  await add('samples', { weights: 'sample', count, seed });
  if (posterior.family === 'gaussian') await add('real', { weights: 'real' }, 'recalibratedReal');
  return { networks, signs: signHistogram(posterior) };
}

/** The part of all weights whose P(w > 0) is in each of 20 bins of the same width from 0 to 1. */
export function signHistogram(posterior: Posterior): number[] {
  const counts = Array.from({ length: BINS }, () => 0);
  let total = 0;
  for (const { weights, gain } of layersOf(posterior.model)) {
    const gains = meanOverSteps(
      learnedTensor(posterior, `${gain.name}.value`).data,
      gain.shape.at(-1) as number,
    );
    for (const { name } of weights) {
      const part = (of: string): Float32Array => learnedTensor(posterior, `${name}.${of}`).data;
      for (const probability of probabilitiesOfPlus(posterior, part, gains)) {
        const bin = Math.min(BINS - 1, Math.floor(probability * BINS));
        counts[bin] = (counts[bin] as number) + 1;
        total++;
      }
    }
  }
  return counts.map((count) => count / total);
}
