import { analyticalGumbelRao } from './analytical-gumbel-rao.ts';
import { gumbelSoftmax, straightThroughGumbelSoftmax } from './gumbel-softmax.ts';
import { importanceWeighted, straightThrough } from './importance-weighted.ts';
import { surrogate } from './surrogate.ts';

export type { Estimator, EstimatorKind, Spike } from './estimator.ts';
export {
  analyticalGumbelRao,
  gumbelSoftmax,
  importanceWeighted,
  straightThrough,
  straightThroughGumbelSoftmax,
  surrogate,
};

/** Every estimator of the library, by its name. */
export const estimators = {
  straightThrough,
  importanceWeighted,
  analyticalGumbelRao,
  gumbelSoftmax,
  straightThroughGumbelSoftmax,
  surrogate,
};
