import { learnedTensor, type Posterior } from '../schemas/posterior.ts';
import { probabilitiesOfPlus } from './decisions.ts';
import { type FreezeOptions, freeze, type Network } from './freeze.ts';
import { layersOf } from './layers.ts';

/** What freezing made of a posterior, way by way. */
export interface FreezeReport<Figures> {
  /** `mean`, `sample` (one network), `samples` (an ensemble), and of a Gaussian posterior `real`. */
  readonly networks: Readonly<Record<string, Figures>>;
  /** The part of all weights whose P(w > 0) is in each of 20 bins from 0 to 1: open in the middle, sure at the ends. */
  readonly signs: readonly number[];
}

const BINS = 20;

/**
 * Freezes a posterior in every way that it has, and lays the figures of the networks side by side.
 *
 * @param judge gives the figures of a network, such as
 *   `async (network) => evaluate(await load(toOnnx(network)), inputs, labels)`
 * @param options.count networks in the ensemble; @param options.seed of all draws
 */
export async function freezeReport<Figures>(
  posterior: Posterior,
  judge: (network: Network) => Figures | Promise<Figures>,
  { count = 8, seed = 1 }: { readonly count?: number; readonly seed?: number } = {},
): Promise<FreezeReport<Figures>> {
  const ways: Record<string, FreezeOptions> = {
    mean: { weights: 'mean' },
    sample: { weights: 'sample', seed },
    samples: { weights: 'sample', count, seed },
    ...(posterior.family === 'gaussian' && { real: { weights: 'real' } }),
  };
  const networks: Record<string, Figures> = {};
  for (const [name, options] of Object.entries(ways))
    networks[name] = await judge(freeze(posterior, options));
  return { networks, signs: signHistogram(posterior) };
}

/** The part of all weights whose P(w > 0) is in each of 20 bins of the same width from 0 to 1. */
export function signHistogram(posterior: Posterior): number[] {
  const counts = Array.from({ length: BINS }, () => 0);
  let total = 0;
  for (const { weights, gain } of layersOf(posterior.model)) {
    const gains = learnedTensor(posterior, `${gain.name}.value`).data;
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
