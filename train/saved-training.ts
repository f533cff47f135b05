import { loadCheckpoint, type LoadOptions } from '../schemas/checkpoint/load.ts';
import { decodePosterior, type TrainingRecord } from '../schemas/checkpoint/posterior.ts';
import { UserError } from '../schemas/errors.ts';
import { checkOptions } from '../schemas/layer.ts';
import type { Model } from '../schemas/model.ts';
import type { LearnedTensor } from '../schemas/posterior.ts';
import { countBatches, heldOutCount } from './data/index.ts';
import { straightThrough } from './estimators/index.ts';
import { type TrainingOptions, trainingOptionsSchema } from './options.ts';
import type { TrainingState } from './progress.ts';
import { stepOf } from './train.ts';
import { standingOf } from './validation.ts';

/** A training that stands in a folder. */
export interface SavedTraining {
  readonly model: Model;
  readonly options: TrainingOptions;
  readonly data: TrainingRecord['data'];
  readonly state: TrainingState;
}

/** Reads the newest sound checkpoint of a training. @throws UserError where there is none */
export async function loadTraining(run: string, options: LoadOptions = {}): Promise<SavedTraining> {
  const { files, path } = await loadCheckpoint(run, options);
  const { posterior, training } = decodePosterior(files, path);
  if (!training) {
    throw new UserError(
      `${path}: holds a posterior without its training; choose another --out and start anew`,
    );
  }
  const { step, noise, data, optimiser, history, monitored, totals } = training;
  const { model, learned } = posterior;
  const trained = checkOptions(trainingOptionsSchema, training.options, `${path}/model.json: options`);
  const tensors: Record<string, LearnedTensor> = {};
  // The state is the same for every estimator, and one's own is not in the folder.
  for (const [name, shape] of Object.entries(stepOf(model, trained, straightThrough()).state)) {
    const tensor = optimiser[latest(name)] ?? learned[name] ?? optimiser[name];
    if (tensor?.shape.join() !== shape.join() || !tensor.data.every(Number.isFinite)) {
      throw new UserError(
        `${path}/optimiser.safetensors: ${name} is missing, not finite, or not of the shape [${shape}]`,
      );
    }
    tensors[name] = tensor;
  }
  checkHistory(`${path}/model.json`, trained, training);
  const judged = history && { history };
  // Where a training stops early, the posterior is that of its best epoch, and `latest` what it goes on from.
  const best = trained.earlyStopping && judged?.history.length && { best: learned };
  const seen = { ...(monitored && { monitored }), ...(totals && { totals }) };
  return { model, options: trained, data, state: { step, noise, tensors, ...judged, ...seen, ...best } };
}

const stepsPerEpoch = (options: TrainingOptions, examples: number): number =>
  countBatches(examples - heldOutCount(examples, options.validation), options);

/** How far the posterior of a saved training is, 0 … 1: of its best epoch where it stops early, else of its last step. */
export const posteriorProgress = (
  options: TrainingOptions,
  { step, data, history }: Pick<TrainingRecord, 'step' | 'data' | 'history'>,
): number =>
  options.earlyStopping && history && history.length > 0
    ? (standingOf(history, options.earlyStopping).best + 1) / options.epochs
    : step / (options.epochs * stepsPerEpoch(options, data.examples));

/** @throws UserError unless there is one entry for every epoch that ended */
function checkHistory(
  where: string,
  options: TrainingOptions,
  { step, data, history }: Omit<TrainingRecord, 'optimiser'>,
): void {
  if (!history && options.validation === 0) return;
  const epochs = Math.floor(step / stepsPerEpoch(options, data.examples));
  if (history?.length !== epochs) {
    throw new UserError(
      `${where}: its history has ${history?.length ?? 0} epochs, step ${step} ends ${epochs}; start anew in another folder`,
    );
  }
}

/** Name of a learned tensor as the last step left it, where the posterior is that of an earlier epoch. */
export const latest = (name: string): string => `latest.${name}`;

/** The step at which the best epoch ended, as far as epochs were judged. */
export function bestStep(
  options: TrainingOptions,
  { data, history = [] }: Pick<TrainingRecord, 'data' | 'history'>,
): number | undefined {
  if (history.length === 0) return undefined;
  const rule = options.earlyStopping ?? { patience: 1, minimumDelta: 0, on: 'loss' };
  return (standingOf(history, rule).best + 1) * stepsPerEpoch(options, data.examples);
}
