import { z } from 'zod';
import { UserError } from '../schemas/errors.ts';
import { checkOptions } from '../schemas/layer.ts';
import { defineModel, type Model } from '../schemas/model.ts';
import type { Posterior } from '../schemas/posterior.ts';
import { kept as keptLikelihood } from '../schemas/likelihood.ts';
import {
  augmentations,
  encoderFor,
  type BatchSource,
  openBatches,
  outputNamesOf,
  splitData,
  type TrainingData,
} from './data/index.ts';
import type { Engine, State } from './engine/engine.ts';
import { onnxEngine } from './engine/onnx.ts';
import { tfjsEngine } from './engine/tfjs.ts';
import type { Estimator } from './estimators/index.ts';
import { estimatorOf } from './estimators/settings.ts';
import { checkExamples, checkFit } from './fit.ts';
import { Judge } from './judge.ts';
import { Loop } from './loop.ts';
import { Monitor } from './monitor.ts';
import { type TrainingOptions, type TrainingSettings, trainingOptionsSchema } from './options.ts';
import { familyAt } from './posterior.ts';
import type { LoopHooks, TrainingState } from './progress.ts';
import { isAlways, isZero } from './schedule.ts';
import { startingState, withGains } from './start.ts';
import { buildStep, type StepFunction, type StepOptions } from './step.ts';

/** What computes a training. */
export interface EngineOptions {
  /** `onnx` traces the step and runs it in onnxruntime; `tfjs` runs it eagerly. */
  readonly engine?: 'onnx' | 'tfjs' | undefined;
  /** Backend of the engine `tfjs`: `tensorflow` (default), `wasm`, `cpu`, … */
  readonly backend?: string | undefined;
  /**
   * Threads of the engine `onnx`, by default all cores: the result is the same for any number. Of the tfjs backends
   * only `tensorflow` can have more than one.
   */
  readonly threads?: number | undefined;
  /** Threads that prepare batches ahead of the step; by default none. The result is the same for any number. */
  readonly workers?: number | undefined;
}

/** How a training is run, watched and stopped. */
export interface RunOptions extends EngineOptions, LoopHooks {
  /** Goes on from here instead of starting. */
  readonly resume?: TrainingState | undefined;
  /**
   * Whether to look at spike rates and gradients in the last step of every epoch, and besides in every so many steps;
   * by default where `onMonitor` is given. The result is the same.
   */
  readonly monitor?: boolean | { readonly every: number } | undefined;
  /** Examples to judge the network on after every epoch, instead of a part of the others (`validation`). */
  readonly validationData?: TrainingData | undefined;
}

/** Makes the engine that the options name. */
export function engineOf({ engine = 'onnx', backend = 'tensorflow', threads }: EngineOptions): Engine {
  if (threads !== undefined && !(Number.isInteger(threads) && threads > 0)) {
    throw new UserError(`train: threads is ${threads}; expected a whole number above 0`);
  }
  const computing = threads === undefined ? {} : { threads };
  if (engine === 'tfjs') return tfjsEngine(backend, computing);
  if (engine === 'onnx') return onnxEngine(computing);
  throw new UserError(`unknown engine '${String(engine)}'; expected onnx or tfjs`);
}

/**
 * Learns the distribution of every weight of a network: by default how probable +1 is.
 *
 * The same model, data and options give the same bits, whatever the number of threads.
 *
 * @throws UserError for options that do not fit, data that do not fit the model, and a loss that is not a number
 */
export async function train(
  definition: Model,
  examples: TrainingData,
  given: TrainingSettings & RunOptions = {},
): Promise<Posterior> {
  const {
    engine,
    backend,
    threads,
    workers,
    onProgress,
    onValidation,
    onMonitor,
    onEpoch,
    onState,
    ...rest
  } = given;
  const { resume, signal, monitor: wanted, validationData, ...settings } = rest;
  const model = defineModel(definition);
  const options = checkOptions(trainingOptionsSchema, settings, 'train');
  const { training: data, validation } = partsOf(examples, options, validationData);
  checkFit(model, data, options);
  if (validation) checkExamples(model, validation, options);
  const estimator = estimatorOf(options.estimator, given.estimator);
  const looking = monitoringOf(wanted ?? onMonitor !== undefined);
  const batches = batchesOf(model, data, options, workers);
  const weighsExamples = batches.examplesIn(batches.batches - 1) < options.batchSize;
  const stepOptions = { ...stepOptionsOf(model, options, estimator), weighsExamples };
  const step = buildStep(stepOptions);
  const chosen = engineOf({ engine, backend, threads });
  const open: { close(): Promise<void> }[] = [batches];
  const opened = <Closable extends { close(): Promise<void> }>(closable: Closable): Closable => {
    open.push(closable);
    return closable;
  };
  try {
    const begun = { model, options, batches, noise: estimator.noise };
    const start = resume ?? (await withGains(startingState(model, data, options), begun, chosen));
    const prepared = opened(await chosen.prepare(step, start.tensors, reportsOf(options)));
    const judged = validation && {
      data: validation,
      judge: opened(await prepareJudge(model, options, estimator, chosen)),
    };
    const openMonitor = async () => opened(await Monitor.prepare(stepOptions, step, chosen));
    const monitor = looking && { ...looking, monitor: await openMonitor() };
    const watching = { validation: judged, monitor, openMonitor };
    const loop = new Loop({ options, data, batches, step, prepared, start, ...watching });
    await loop.run({ onProgress, onValidation, onMonitor, onEpoch, onState, signal });
    return posteriorOf(model, options, examples, await loop.result());
  } finally {
    for (const each of open.toReversed()) await each.close();
  }
}

/** @throws UserError where `every` is no number of steps */
function monitoringOf(wanted: boolean | { readonly every: number }): { readonly every?: number } | undefined {
  if (typeof wanted === 'boolean') return wanted ? {} : undefined;
  const { every } = checkOptions(z.strictObject({ every: z.int().positive() }), wanted, 'train: monitor');
  return { every };
}

/** What a network learns from, and what it is judged on. */
function partsOf(
  data: TrainingData,
  { validation, seed, earlyStopping }: TrainingOptions,
  given: TrainingData | undefined,
): { training: TrainingData; validation?: TrainingData } {
  if (given && validation > 0) {
    throw new UserError('train: both validation and validationData are given; leave out one of them');
  }
  if (earlyStopping && !given && validation === 0) {
    throw new UserError(
      'train: earlyStopping needs examples to judge the network on; set validation, such as 0.1',
    );
  }
  if (validation > 0) return splitData(data, validation, seed);
  return { training: data, ...(given && { validation: given }) };
}

const prepareJudge = (
  model: Model,
  { posterior, batchSize }: TrainingOptions,
  { noise }: Estimator,
  engine: Engine,
): Promise<Judge> => Judge.prepare({ model, family: familyAt(posterior, 1, 0), batchSize, noise }, engine);

/** The posterior that learned tensors make after a part of a training. @param progress in [0, 1] */
export const posteriorOf = (
  model: Model,
  options: TrainingOptions,
  data: TrainingData,
  { learned, progress }: { readonly learned: State; readonly progress: number },
): Posterior => ({
  ...familyAt(options.posterior, options.temperature, progress),
  ...keptLikelihood(options.likelihood),
  model,
  learned,
  classNames: outputNamesOf(data),
});

/** The training step that a model and options make; an estimator of one's own is none of them. */
export const stepOf = (model: Model, options: TrainingOptions, estimator?: Estimator): StepFunction =>
  buildStep(stepOptionsOf(model, options, estimator));

function stepOptionsOf(
  model: Model,
  options: TrainingOptions,
  estimator: Estimator = estimatorOf(options.estimator),
): StepOptions {
  if (options.noise === 'sequence' && estimator.noise !== 'gaussian') {
    throw new UserError(
      `train: noise 'sequence' draws weights, whose sums are Gaussian; the estimator ${estimator.name} wants ` +
        `${estimator.noise === 'none' ? 'no' : estimator.noise} noise: take another, or noise 'step'`,
    );
  }
  return {
    model,
    // Each draw of the noise has a copy of the batch, so that the mean over the rows is the mean over both.
    batchSize: options.batchSize * options.noiseSamples,
    estimator,
    optimiser: options.optimiser,
    clipNorm: options.clipNorm,
    divergence: !isZero(options.divergenceWeight),
    penalty: options.penalty,
    ...keptLikelihood(options.likelihood),
    posterior: options.posterior,
    cooling: !isAlways(options.temperature, 1),
    annealing: !isAlways(options.noiseScale, 1),
    checkpointEvery: options.checkpointing?.every,
    unroll: options.unroll,
    noise: options.noise,
  };
}

/** The parts of the loss that a training reports. */
export const reportsOf = (options: TrainingOptions): string[] => [
  ...(options.likelihood === 'categorical' ? ['crossEntropy', 'accuracy'] : ['negativeLogLikelihood']),
  ...(options.penalty === 'none' ? [] : ['penalty']),
  ...(options.clipNorm === undefined ? [] : ['gradientNorm']),
];

/** The batches of a training. */
export function batchesOf(
  model: Model,
  data: TrainingData,
  options: TrainingOptions,
  workers = 0,
): BatchSource {
  const { batchSize, dropLast, seed, shift, augment, labelSmoothing, noiseSamples } = options;
  const encoder = encoderFor(model, data);
  return openBatches(data, {
    batchSize,
    dropLast,
    seed,
    ...(encoder && { encoder }),
    augment: [...(shift > 0 ? [augmentations.shift({ most: shift })] : []), ...augment],
    smoothing: labelSmoothing,
    copies: noiseSamples,
    workers,
  });
}
