import { probabilitiesOfPlus } from '../../export/decisions.ts';
import { layersOf } from '../../export/layers.ts';
import { learnedTensor, type Posterior } from '../../schemas/posterior.ts';

const BINS = 20;

/** How sure the posterior is of the signs of a layer's weights. */
export interface LayerSigns {
  /** Of the weights, such as `0.dense.weight`. */
  readonly name: string;
  /** The part of the weights whose P(w > 0) is in each of 20 bins of the same width from 0 to 1. */
  readonly parts: readonly number[];
}

export const signsOf = (posterior: Posterior): LayerSigns[] =>
  layersOf(posterior.model).flatMap(({ weights, gain }) => {
    const gains = learnedTensor(posterior, `${gain.name}.value`).data;
    return weights.map(({ name }): LayerSigns => {
      const part = (of: string): Float32Array => learnedTensor(posterior, `${name}.${of}`).data;
      const probabilities = probabilitiesOfPlus(posterior, part, gains);
      const counts = Array.from({ length: BINS }, () => 0);
      for (const each of probabilities) counts[Math.min(BINS - 1, Math.floor(each * BINS))]!++;
      return { name, parts: counts.map((count) => count / probabilities.length) };
    });
  });
