import { type Estimator, estimators, type TrainingSettings } from '../../train/index.ts';

/** One training of the table: what is varied. */
export interface Cell {
  /** As `estimatorChoices` calls it. */
  readonly estimator: string;
  readonly penalty: 'none' | 'membrane';
  readonly posterior: 'bernoulli' | 'gaussian';
  readonly seed: number;
}

/** Every estimator of the library, importance weights at half way and all the way to the trapezoid rule. */
export const estimatorChoices: Readonly<Record<string, () => Estimator>> = {
  straightThrough: estimators.straightThrough,
  'importanceWeighted(0.5)': () => estimators.importanceWeighted({ mix: 0.5 }),
  'importanceWeighted(1)': () => estimators.importanceWeighted({ mix: 1 }),
  analyticalGumbelRao: estimators.analyticalGumbelRao,
  straightThroughGumbelSoftmax: estimators.straightThroughGumbelSoftmax,
  gumbelSoftmax: estimators.gumbelSoftmax,
  surrogate: estimators.surrogate,
};

/**
 * What each kind of posterior is trained with. λ is of scale 1; Gaussian means are of scale 1/√fan-in, and take a
 * rate that is as much smaller, their deviations ten times theirs (the method's authors' ratio).
 */
const ofPosterior: Readonly<Record<Cell['posterior'], TrainingSettings>> = {
  bernoulli: {
    posterior: { family: 'bernoulli' },
    learningRate: { shape: 'cosine', from: 0.05, to: 0.001 },
  },
  gaussian: {
    posterior: { family: 'gaussian' },
    learningRate: { shape: 'cosine', from: 0.005, to: 0.0001 },
    otherRates: 1,
    scaleRates: 10,
  },
};

/** The options of a cell's training, but for its length and the weight of its penalty. */
export const settingsOf = ({ estimator, penalty, posterior, seed }: Cell): TrainingSettings => {
  const make = estimatorChoices[estimator];
  if (!make) throw new Error(`the table has no estimator ${estimator}`);
  return { ...ofPosterior[posterior], estimator: make(), penalty, seed };
};

export const nameOf = ({ estimator, penalty, posterior }: Omit<Cell, 'seed'>): string =>
  `${estimator}/${penalty}/${posterior}`;

/** All cells, the first seed of every combination before the second: an interrupted table is whole by seeds. */
export const cellsOf = (seeds: readonly number[]): Cell[] =>
  seeds.flatMap((seed) =>
    (['bernoulli', 'gaussian'] as const).flatMap((posterior) =>
      (['none', 'membrane'] as const).flatMap((penalty) =>
        Object.keys(estimatorChoices).map((estimator) => ({ estimator, penalty, posterior, seed })),
      ),
    ),
  );
