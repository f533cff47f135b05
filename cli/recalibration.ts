import type { FiringRates } from '../export/index.ts';
import { stepsOf } from '../schemas/model.ts';
import { type Dataset, firstExamples, noisyRates, type NoisyPredictionOptions } from '../train/index.ts';
import { inputsFor, openData } from './data.ts';
import type { DataOptions } from './options.ts';
import type { Trained } from './trained.ts';

/**
 * Training examples that set the rates where `--limit` does not say, and how many time steps they have in all: their
 * error is then about 0.5 % of the time, and recalibrating takes seconds.
 */
const enough = { examples: 10_000, steps: 20_000 };

export interface Recalibration {
  readonly data: Dataset;
  readonly inputs: Uint8Array | Float32Array;
  readonly rates: FiringRates;
}

/** What `recalibrate` takes: training examples, and how often the noisy network fires on them. */
export async function openRecalibration(
  { posterior, noise }: Trained,
  folder: string,
  options: DataOptions,
  drawing: Pick<NoisyPredictionOptions, 'draws' | 'seed' | 'threads'> = {},
): Promise<Recalibration> {
  const fewer = Math.ceil(enough.steps / stepsOf(posterior.model));
  const count = options.limit ?? Math.min(enough.examples, fewer);
  const data = firstExamples(await openData(options, 'train', posterior.model), count);
  const inputs = inputsFor(posterior.model, data, folder);
  return { data, inputs, rates: await noisyRates(posterior, data, { ...noise, ...drawing }) };
}
