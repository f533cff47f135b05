import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { basename, dirname, relative, resolve } from 'node:path';
import { codeOf } from '../schemas/checkpoint/durable.ts';
import {
  findCheckpoints,
  isCheckpoint,
  listCheckpoints,
  type LoadOptions,
} from '../schemas/checkpoint/load.ts';
import { savePosterior } from '../schemas/checkpoint/posterior.ts';
import { UserError, reasonOf } from '../schemas/errors.ts';
import { checkOptions } from '../schemas/layer.ts';
import { defineModel, type Model } from '../schemas/model.ts';
import { learnedShapes, type LearnedTensor, type Posterior } from '../schemas/posterior.ts';
import type { TrainingData } from './data/index.ts';
import { digestOf } from './data/digest.ts';
import { firstDifference } from './difference.ts';
import { appendHistory, trimHistory } from './history.ts';
import { type TrainingOptions, type TrainingSettings, trainingOptionsSchema } from './options.ts';
import type { TrainingState } from './progress.ts';
import { lockRun } from './run-lock.ts';
import { bestStep, latest, loadTraining, posteriorProgress, type SavedTraining } from './saved-training.ts';
import { checkNoEvents, type EventFile, openEvents } from './tensorboard.ts';
import { posteriorOf, type RunOptions, train } from './train.ts';

/** How a training in a folder is run: as `RunOptions`, with the states saved instead of handed out. */
export type FolderRunOptions = Omit<RunOptions, 'onState' | 'resume'> &
  LoadOptions &
  KeepOptions & {
    /** A folder for TensorBoard's event files, such as `tensorboard` in that of the run; without it there are none. */
    readonly tensorboard?: string | undefined;
  };

/** Which checkpoints stay. */
export interface KeepOptions {
  /** The last so many; 2 unless given. */
  readonly keep?: number | undefined;
  /**
   * Whether that of the best epoch stays too, by the loss or accuracy that `earlyStopping` looks at, else by the loss.
   * Needs examples to judge the network on.
   */
  readonly keepBest?: boolean | undefined;
}

/**
 * Trains as `train` does and saves a checkpoint at the end of every epoch and when stopped, so that
 * `resumeTraining` can go on from there.
 *
 * @param run the folder of the checkpoints; created with the first of them
 * @throws UserError where the folder holds a training already or cannot be written, and as `train` does
 */
export async function trainInFolder(
  run: string,
  definition: Model,
  data: TrainingData,
  given: TrainingSettings & FolderRunOptions = {},
): Promise<Posterior> {
  const { settings, running } = split(given);
  const model = defineModel(definition);
  const options = checkOptions(trainingOptionsSchema, settings, 'train');
  checkKeep(options, running);
  await checkFree(run);
  const { estimator } = settings;
  const mark = digestOf(data, running.validationData);
  return locked(run, async () => {
    // Another process may have begun one since.
    await checkFree(run);
    return runSaving(run, { model, options, data: mark }, data, { ...running, estimator });
  });
}

/**
 * Goes on with the training in a folder, to the same bits as if it had never stopped.
 *
 * Model and options are those of the folder. What is given here only has to agree with them.
 *
 * @throws UserError where there is none, or the first thing that differs: an option, the model or the data
 */
export async function resumeTraining(
  run: string,
  data: TrainingData,
  { model, ...given }: TrainingSettings & FolderRunOptions & { readonly model?: Model } = {},
): Promise<Posterior> {
  const { settings, running } = split(given);
  // Before a lock makes a folder of what is none.
  await listCheckpoints(run);
  return locked(run, async () => {
    const saved = await loadTraining(run, running);
    checkAgreement(run, saved, data, running.validationData, settings, model);
    checkKeep(saved.options, running);
    return runSaving(run, saved, data, { ...running, estimator: settings.estimator, resume: saved.state });
  });
}

async function locked<Result>(run: string, action: () => Promise<Result>): Promise<Result> {
  if (isCheckpoint(run)) {
    throw new UserError(`${run}: is one checkpoint; name the folder of the training, which holds it`);
  }
  const lock = await lockRun(run);
  try {
    return await action();
  } finally {
    await lock.release();
  }
}

/** @throws UserError for checkpoints to keep that there cannot be */
function checkKeep(
  { validation }: TrainingOptions,
  { keep, keepBest, validationData }: FolderRunOptions,
): void {
  if (keep !== undefined && !(Number.isSafeInteger(keep) && keep > 0)) {
    throw new UserError(`train: keep is ${keep}; expected a whole number above 0`);
  }
  if (keepBest && validation === 0 && !validationData) {
    throw new UserError(
      'train: keepBest needs examples to judge the network on; set validation, such as 0.1',
    );
  }
}

/** Trains, saving every state. */
async function runSaving(
  run: string,
  { model, options, data: mark }: Omit<SavedTraining, 'state'>,
  data: TrainingData,
  {
    warn,
    keep,
    keepBest,
    tensorboard,
    onEpoch,
    estimator = options.estimator,
    ...running
  }: FolderRunOptions & Pick<RunOptions, 'resume'> & Pick<TrainingSettings, 'estimator'>,
): Promise<Posterior> {
  const names = Object.keys(learnedShapes(model, options.posterior));
  const saving = { ...(keep && { keep }), ...(warn && { warn }) };
  const onState = async ({ step, noise, tensors, best, ...figures }: TrainingState): Promise<void> => {
    const optimiser = Object.fromEntries(Object.entries(tensors).filter(([name]) => !names.includes(name)));
    const learned = Object.fromEntries(names.map((name) => [name, tensors[name] as LearnedTensor]));
    if (best) for (const name of names) optimiser[latest(name)] = learned[name] as LearnedTensor;
    const record = { options, data: mark, step, noise, ...figures };
    const progress = posteriorProgress(options, record);
    const posterior = posteriorOf(model, options, data, { learned: best ?? learned, progress });
    const spared = keepBest ? bestStep(options, record) : undefined;
    const spare = spared === undefined ? [] : [spared];
    await savePosterior(run, posterior, { training: { ...record, optimiser }, ...saving, spare });
  };
  // Where nothing was saved yet, a history can only be what a kill left of a run before.
  const step = running.resume?.step ?? 0;
  await trimHistory(run, step, warn ?? ((line) => process.emitWarning(line)));
  const isOwn = tensorboard !== undefined && !relative(run, tensorboard).startsWith('..');
  if (tensorboard !== undefined && step === 0 && !isOwn) await checkNoEvents(tensorboard);
  let events: EventFile | undefined;
  return train(model, data, {
    ...options,
    estimator,
    ...running,
    onState,
    async onEpoch(figures, learned) {
      await appendHistory(run, figures);
      if (tensorboard !== undefined) {
        events ??= await openEvents(tensorboard, step);
        await events.write(figures, learned);
      }
      await onEpoch?.(figures, learned);
    },
  });
}

/**
 * Checks before an hour of training what saving would find after it: that the folder holds no training, and
 * that it, or the nearest folder above it that exists, can be written.
 */
async function checkFree(run: string): Promise<void> {
  for (let path = resolve(run); ; path = dirname(path)) {
    try {
      if (!(await stat(path)).isDirectory()) throw new Error(`${path} is no folder`);
      await access(path, constants.W_OK);
      break;
    } catch (cause) {
      if (codeOf(cause) === 'ENOENT' && dirname(path) !== path) continue;
      throw new UserError(`${run}: nothing can be saved there: ${reasonOf(cause)}; choose another folder`, {
        cause,
      });
    }
  }
  const [newest] = await findCheckpoints(run).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  });
  if (!newest) return;
  throw new UserError(
    `${run}: already holds a training (${basename(newest.path)}); add --resume (in code, resumeTraining) or choose another --out`,
  );
}

function checkAgreement(
  run: string,
  saved: SavedTraining,
  data: TrainingData,
  validationData: TrainingData | undefined,
  settings: TrainingSettings,
  model?: Model,
): void {
  const refuse = (what: string, here: unknown, there: unknown): never => {
    throw new UserError(
      `${run}: cannot resume: ${what} is ${JSON.stringify(here)}, the training there has ` +
        `${JSON.stringify(there)}; give the same or choose another --out`,
    );
  };
  const options = checkOptions(trainingOptionsSchema, { ...saved.options, ...settings }, 'train');
  const option = firstDifference(options, saved.options);
  if (option) refuse(option.path, option.a, option.b);
  const part = firstDifference(model ? defineModel(model) : saved.model, saved.model);
  if (part) refuse(`model ${part.path}`, part.a, part.b);
  if (data.count !== saved.data.examples)
    refuse(`the number of examples of ${data.name}`, data.count, saved.data.examples);
  if (digestOf(data, validationData).sha256 !== saved.data.sha256) {
    throw new UserError(
      `${run}: cannot resume: ${data.name} holds other examples than the training there was given; give the same data`,
    );
  }
}

/** Parts what decides the result from how the training is run. */
function split({
  engine,
  backend,
  threads,
  workers,
  onProgress,
  onValidation,
  onMonitor,
  onEpoch,
  monitor,
  validationData,
  signal,
  warn,
  keep,
  keepBest,
  tensorboard,
  ...settings
}: TrainingSettings & FolderRunOptions): { settings: TrainingSettings; running: FolderRunOptions } {
  const hooks = { onProgress, onValidation, onMonitor, onEpoch, signal, ...(warn && { warn }) };
  const kept = { keep, keepBest, tensorboard };
  return {
    settings,
    running: { engine, backend, threads, workers, monitor, validationData, ...kept, ...hooks },
  };
}
