import { loadCheckpoint } from '../schemas/checkpoint/load.ts';
import { decodePosterior } from '../schemas/checkpoint/posterior.ts';
import { checkOptions } from '../schemas/layer.ts';
import type { Posterior } from '../schemas/posterior.ts';
import { type NoisyPredictionOptions, trainingOptionsSchema } from '../train/index.ts';
import { estimatorOf } from '../train/estimators/settings.ts';
import { posteriorProgress } from '../train/saved-training.ts';
import { scheduled } from '../train/schedule.ts';
import { warn } from './output.ts';

/** The last posterior of a run folder, and the noise that its neurons were trained with by then. */
export interface Trained {
  readonly posterior: Posterior;
  readonly noise: Required<Pick<NoisyPredictionOptions, 'noise' | 'noiseScale'>>;
}

/** @throws UserError where the folder holds no posterior */
export async function loadTrained(folder: string): Promise<Trained> {
  const { files, path } = await loadCheckpoint(folder, { warn });
  const { posterior, training } = decodePosterior(files, path);
  if (!training) return { posterior, noise: { noise: 'gaussian', noiseScale: 1 } };
  const where = `${path}/model.json: options`;
  const options = checkOptions(trainingOptionsSchema, training.options, where);
  const { estimator, noiseScale } = options;
  return {
    posterior,
    noise: {
      noise: estimator.kind === 'own' ? estimator.noise : estimatorOf(estimator).noise,
      noiseScale: scheduled(noiseScale, posteriorProgress(options, training)),
    },
  };
}
