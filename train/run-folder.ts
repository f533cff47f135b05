import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { codeOf } from '../schemas/checkpoint/durable.ts';
import { findCheckpoints, loadCheckpoint, type LoadOptions } from '../schemas/checkpoint/load.ts';
import { decodePosterior, savePosterior, type TrainingRecord } from '../schemas/checkpoint/posterior.ts';
import { UserError, reasonOf } from '../schemas/errors.ts';
import { checkOptions } from '../schemas/layer.ts';
import { defineModel, type Model } from '../schemas/model.ts';
import { learnedShapes, type LearnedTensor, type Posterior } from '../schemas/posterior.ts';
import { heldOutCount, type TrainingData } from './data/index.ts';
import { digestOf } from './data/digest.ts';
import { firstDifference } from './difference.ts';
import { type TrainingOptions, type TrainingSettings, trainingOptionsSchema } from './options.ts';
import { straightThrough } from './estimators/index.ts';
import type { TrainingState } from './loop.ts';
import { posteriorOf, type RunOptions, stepOf, train } from './train.ts';
import { standingOf } from './validation.ts';

/** How a training in a folder is run: as `RunOptions`, with the states saved instead of handed out. */
export type FolderRunOptions = Omit<RunOptions, 'onState' | 'resume'> & LoadOptions;

/** A training that stands in a folder. */
export interface SavedTraining {
  readonly model: Model;
  readonly options: TrainingOptions;
  readonly data: TrainingRecord['data'];
  readonly state: TrainingState;
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
  await checkFree(run);
  const { estimator } = settings;
  const mark = digestOf(data, running.validationData);
  return runSaving(run, { model, options, data: mark }, data, { ...running, estimator });
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
  const saved = await loadTraining(run, running);
  checkAgreement(run, saved, data, running.validationData, settings, model);
  return runSaving(run, saved, data, { ...running, estimator: settings.estimator, resume: saved.state });
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
  const { step, noise, data, optimiser, history, monitored } = training;
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
  const seen = monitored && { monitored };
  return { model, options: trained, data, state: { step, noise, tensors, ...judged, ...seen, ...best } };
}

const stepsPerEpoch = ({ validation, batchSize }: TrainingOptions, examples: number): number =>
  Math.floor((examples - heldOutCount(examples, validation)) / batchSize);

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
const latest = (name: string): string => `latest.${name}`;

/** Trains, saving every state. */
function runSaving(
  run: string,
  { model, options, data: mark }: Omit<SavedTraining, 'state'>,
  data: TrainingData,
  {
    warn,
    estimator = options.estimator,
    ...running
  }: FolderRunOptions & Pick<RunOptions, 'resume'> & Pick<TrainingSettings, 'estimator'>,
): Promise<Posterior> {
  const names = Object.keys(learnedShapes(model, options.posterior));
  const onState = async ({
    step,
    noise,
    tensors,
    history,
    monitored,
    best,
  }: TrainingState): Promise<void> => {
    const optimiser = Object.fromEntries(Object.entries(tensors).filter(([name]) => !names.includes(name)));
    const learned = Object.fromEntries(names.map((name) => [name, tensors[name] as LearnedTensor]));
    if (best) for (const name of names) optimiser[latest(name)] = learned[name] as LearnedTensor;
    const figures = { ...(history && { history }), ...(monitored && { monitored }) };
    const record = { options, data: mark, step, noise, ...figures };
    const progress = posteriorProgress(options, record);
    const posterior = posteriorOf(model, options, data, { learned: best ?? learned, progress });
    await savePosterior(run, posterior, { training: { ...record, optimiser }, ...(warn && { warn }) });
  };
  return train(model, data, { ...options, estimator, ...running, onState });
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
  monitor,
  validationData,
  signal,
  warn,
  ...settings
}: TrainingSettings & FolderRunOptions): { settings: TrainingSettings; running: FolderRunOptions } {
  const hooks = { onProgress, onValidation, onMonitor, signal, ...(warn && { warn }) };
  return { settings, running: { engine, backend, threads, workers, monitor, validationData, ...hooks } };
}
