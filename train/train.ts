import { UserError } from '../schemas/errors.ts';
import { checkOptions, sizeOf } from '../schemas/layer.ts';
import { classesOf, defineModel, type Model } from '../schemas/model.ts';
import type { LearnedTensor, Posterior } from '../schemas/posterior.ts';
import type { Dataset } from './data/index.ts';
import type { Engine, State } from './engine/engine.ts';
import { onnxEngine } from './engine/onnx.ts';
import { tfjsEngine } from './engine/tfjs.ts';
import type { Estimator } from './estimators/index.ts';
import { estimatorOf } from './estimators/settings.ts';
import { Loop, type LoopHooks, type TrainingState } from './loop.ts';
import { NoiseSource } from './noise/noise-source.ts';
import { type TrainingOptions, type TrainingSettings, trainingOptionsSchema } from './options.ts';
import { familyAt, initialPosterior } from './posterior.ts';
import { isAlways, isZero } from './schedule.ts';
import { buildStep, type StepFunction } from './step.ts';

/** What computes a training. */
export interface EngineOptions {
  /** `onnx` traces the step and runs it in onnxruntime; `tfjs` runs it eagerly. */
  readonly engine?: 'onnx' | 'tfjs' | undefined;
  /** Backend of the engine `tfjs`: `tensorflow` (default), `wasm`, `cpu`, … */
  readonly backend?: string | undefined;
  /** Threads of the engine `onnx`; by default all cores. The result is the same for any number. */
  readonly threads?: number | undefined;
}

/** How a training is run, watched and stopped. */
export interface RunOptions extends EngineOptions, LoopHooks {
  /** Goes on from here instead of starting. */
  readonly resume?: TrainingState | undefined;
}

/** Makes the engine that the options name. */
export function engineOf({ engine = 'onnx', backend = 'tensorflow', threads }: EngineOptions): Engine {
  if (threads !== undefined && !(Number.isInteger(threads) && threads > 0)) {
    throw new UserError(`train: threads is ${threads}; expected a whole number above 0`);
  }
  if (engine === 'tfjs') return tfjsEngine(backend);
  if (engine === 'onnx') return onnxEngine(threads === undefined ? {} : { threads });
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
  data: Dataset,
  given: TrainingSettings & RunOptions = {},
): Promise<Posterior> {
  const { engine, backend, threads, onProgress, onState, signal, resume, ...settings } = given;
  const model = defineModel(definition);
  const options = checkOptions(trainingOptionsSchema, settings, 'train');
  checkFit(model, data, options);
  const step = stepOf(model, options, estimatorOf(options.estimator, given.estimator));
  const start = resume ?? startingState(model, data, options);
  const chosen = engineOf({ engine, backend, threads });
  const prepared = await chosen.prepare(step, start.tensors, reportsOf(options));
  try {
    await new Loop({ options, data, step, prepared, start }).run({ onProgress, onState, signal });
    const learned = pick(await prepared.state(), Object.keys(step.learned));
    const family = familyAt(options.posterior, options.temperature, 1);
    return { ...family, model, learned, classNames: data.classNames };
  } finally {
    await prepared.close();
  }
}

/** The training step that a model and options make; an estimator of one's own is none of them. */
export function stepOf(
  model: Model,
  options: TrainingOptions,
  estimator: Estimator = estimatorOf(options.estimator),
): StepFunction {
  return buildStep({
    model,
    batchSize: options.batchSize,
    estimator,
    adam: options.adam,
    divergence: !isZero(options.divergenceWeight),
    penalty: options.penalty,
    posterior: options.posterior,
    cooling: !isAlways(options.temperature, 1),
    annealing: !isAlways(options.noiseScale, 1),
  });
}

/** The parts of the loss that a training reports. */
export const reportsOf = (options: TrainingOptions): string[] => [
  'crossEntropy',
  ...(options.penalty === 'none' ? [] : ['penalty']),
];

function checkFit(model: Model, data: Dataset, { batchSize, shift }: TrainingOptions): void {
  const { shape } = model.input;
  if (sizeOf(shape) !== sizeOf(data.shape)) {
    throw new UserError(
      `train: the model's input is [${shape}] = ${sizeOf(shape)} numbers, an example of ${data.name} has ` +
        `[${data.shape}] = ${sizeOf(data.shape)}; change the model's input`,
    );
  }
  if (classesOf(model) !== data.classes) {
    throw new UserError(
      `train: the model has ${classesOf(model)} outputs, ${data.name} has ${data.classes} classes; change the units of its last synapse`,
    );
  }
  if (model.input.type === 'uint8' && Math.abs(model.input.scale - data.scale) > 1e-12) {
    throw new UserError(
      `train: the model takes bytes of scale ${model.input.scale}, those of ${data.name} have ${data.scale}; change the model's input scale`,
    );
  }
  if (shift > 0 && data.shape.length !== 2 && data.shape.length !== 3) {
    throw new UserError(
      `train: shift moves images of 2 or 3 axes, an example of ${data.name} is [${data.shape}]; set shift to 0`,
    );
  }
  if (data.count < batchSize) {
    throw new UserError(
      `train: ${data.name} has ${data.count} examples, fewer than batchSize ${batchSize}; lower batchSize`,
    );
  }
}

/** The state before the first step: the seed decides all of it. */
export function startingState(model: Model, data: Dataset, options: TrainingOptions): TrainingState {
  const learned = initialPosterior(
    model,
    {
      spread: options.initialSpread,
      biasRho: options.initialBiasRho,
      inputPower: meanSquare(data),
      seed: options.seed,
    },
    options.posterior,
  );
  return {
    step: 0,
    noise: NoiseSource.fromSeed(options.seed, 'noise').save(),
    tensors: initialState(learned),
  };
}

/** Learned tensors with the moments of an optimiser that has seen nothing yet. */
export function initialState(learned: State): State {
  const state: Record<string, LearnedTensor> = {};
  for (const [name, tensor] of Object.entries(learned)) {
    state[name] = tensor;
    for (const moment of ['first', 'second']) {
      state[`${name}.adam.${moment}`] = { shape: tensor.shape, data: new Float32Array(tensor.data.length) };
    }
  }
  return state;
}

/** E[x²] of the inputs; 1 where all are zero. */
function meanSquare({ inputs, scale }: Dataset): number {
  let sum = 0;
  for (const byte of inputs) sum += byte * byte;
  return (sum * scale * scale) / inputs.length || 1;
}

const pick = (state: State, names: readonly string[]): State =>
  Object.fromEntries(names.map((name) => [name, state[name] as State[string]]));
