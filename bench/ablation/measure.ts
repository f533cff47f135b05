import { freeze, type FreezeOptions, toOnnx } from '../../export/index.ts';
import { evaluate, load } from '../../runtime/index.ts';
import { binary, defineModel, dense, type Model, readout } from '../../schemas/index.ts';
import { sizeOf } from '../../schemas/layer.ts';
import type { Posterior } from '../../schemas/posterior.ts';
import { type Dataset, train } from '../../train/index.ts';
import { type Cell, settingsOf } from './cells.ts';

/** What all cells of a table have in common: figures of other settings do not belong with them. */
export interface Settings {
  readonly hidden: readonly number[];
  readonly epochs: number;
  readonly penaltyWeight: number;
  /** Networks of an ensemble. */
  readonly members: number;
}

/** Bytes in, binary hidden layers, one logit per class. */
const binaryNetwork = ({ shape, scale, classes }: Dataset, hidden: readonly number[]): Model =>
  defineModel({
    input: { type: 'uint8', shape: [sizeOf(shape)], scale },
    layers: [
      ...hidden.flatMap((units) => [dense({ units }), binary()]),
      dense({ units: classes }),
      readout(),
    ],
  });

/** How good a frozen network is. */
export interface Scores {
  /** 0 … 1. */
  readonly accuracy: number;
  /** Negative log-likelihood in nats. */
  readonly nll: number;
  /** Expected calibration error in 15 bins, 0 … 1. */
  readonly ece: number;
}

/** What a cell gave. */
export interface Outcome {
  /** Of the frozen mean: signs of Bernoulli weights, the real means of Gaussian ones. */
  readonly mean: Scores;
  /** Of networks drawn from the posterior. */
  readonly ensemble: Scores;
  /** That training took. */
  readonly seconds: number;
}

export interface Data {
  readonly train: Dataset;
  readonly test: Dataset;
}

/** Trains a cell and freezes it both ways. */
export const measureCell = async (
  cell: Cell,
  { hidden, epochs, penaltyWeight, members }: Settings,
  data: Data,
  threads: number,
): Promise<Outcome> => {
  const started = performance.now();
  const posterior = await train(binaryNetwork(data.train, hidden), data.train, {
    ...settingsOf(cell),
    epochs,
    penaltyWeight,
    threads,
  });
  const seconds = (performance.now() - started) / 1000;
  const scores = (choice: FreezeOptions) => scoresOf(posterior, choice, data.test, threads);
  return {
    mean: await scores({ weights: cell.posterior === 'gaussian' ? 'real' : 'mean' }),
    ensemble: await scores({ weights: 'sample', count: members, seed: cell.seed }),
    seconds,
  };
};

const scoresOf = async (
  posterior: Posterior,
  choice: FreezeOptions,
  { inputs, labels }: Dataset,
  threads: number,
): Promise<Scores> => {
  const network = await load(toOnnx(freeze(posterior, choice)), { threads });
  try {
    const { accuracy, negativeLogLikelihood: nll, calibration } = await evaluate(network, inputs, labels);
    return { accuracy, nll, ece: calibration.error };
  } finally {
    await network.close();
  }
};
