import { UserError } from '../schemas/errors.ts';
import { checkOptions, sizeOf } from '../schemas/layer.ts';
import { classesOf, defineModel, type Model } from '../schemas/model.ts';
import { type LearnedTensor, learnedShapes, type Posterior } from '../schemas/posterior.ts';
import { Random, type RandomState } from '../schemas/random.ts';
import {
  type Dataset,
  fillBatch,
  randomShifts,
  type Shifts,
  shiftBatch,
  shuffledOrder,
} from './data/index.ts';
import { onnxEngine } from './engine/onnx.ts';
import type { Engine, PreparedStep, State } from './engine/engine.ts';
import { tfjsEngine } from './engine/tfjs.ts';
import { importanceWeighted } from './estimator.ts';
import { adamScalars } from './optimiser.ts';
import { type TrainingOptions, type TrainingSettings, trainingOptionsSchema } from './options.ts';
import { initialPosterior } from './posterior.ts';
import { isZero, scheduled } from './schedule.ts';
import { buildStep, type Scalars, type StepFunction } from './step.ts';

/** Where a training stands: everything that it needs to go on to the same bits. */
export interface TrainingState {
  /** Steps done. */
  readonly step: number;
  readonly noise: RandomState;
  readonly tensors: State;
}

/** What is known after a step. */
export interface Progress {
  /** Epoch of the step, from 0. */
  readonly epoch: number;
  readonly epochs: number;
  /** Steps done, of `steps` in all. */
  readonly step: number;
  readonly steps: number;
  readonly stepsPerEpoch: number;
  /** Means over the steps of this epoch so far: `loss`, `crossEntropy`, … in nats. */
  readonly reports: Readonly<Record<string, number>>;
  /** Examples per second since the training began or resumed. */
  readonly examplesPerSecond: number;
  /** Seconds to the end at this speed. */
  readonly remainingSeconds: number;
}

/** How a training is run; none of it changes the result. */
export interface RunOptions {
  /** `onnx` traces the step and runs it in onnxruntime; `tfjs` runs it eagerly. */
  readonly engine?: 'onnx' | 'tfjs';
  /** Backend of the engine `tfjs`: `tensorflow` (default), `wasm`, `cpu`, … */
  readonly backend?: string;
  /** Threads of the engine `onnx`; by default all cores. */
  readonly threads?: number;
  /** Called after every step. */
  readonly onProgress?: (progress: Progress) => void;
  /** Called at the end of every epoch, and when stopped, with what resumes the training from there. */
  readonly onState?: (state: TrainingState) => Promise<void>;
  /** Stops after the step that runs; `train` then throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** Goes on from here instead of starting. */
  readonly resume?: TrainingState;
}

/** Makes the engine that the options name. */
export function engineOf({ engine = 'onnx', backend = 'tensorflow', threads }: RunOptions): Engine {
  if (engine === 'tfjs') return tfjsEngine(backend);
  if (engine === 'onnx') return onnxEngine(threads === undefined ? {} : { threads });
  throw new UserError(`unknown engine '${String(engine)}'; expected onnx or tfjs`);
}

/**
 * Learns how probable +1 is for every weight of a network.
 *
 * The same model, data, options and number of threads or any other give the same bits.
 *
 * @throws UserError for options that do not fit, data that do not fit the model, and a loss that is not a number
 */
export async function train(
  definition: Model,
  data: Dataset,
  {
    engine,
    backend,
    threads,
    onProgress,
    onState,
    signal,
    resume,
    ...settings
  }: TrainingSettings & RunOptions = {},
): Promise<Posterior> {
  const model = defineModel(definition);
  const options = checkOptions(trainingOptionsSchema, settings, 'train');
  checkFit(model, data, options);
  const step = stepOf(model, options);
  const plan = { options, data, stepsPerEpoch: Math.floor(data.count / options.batchSize) };
  const start = resume ?? startingState(model, data, options);
  const chosen = engineOf({
    ...(engine && { engine }),
    ...(backend && { backend }),
    ...(threads && { threads }),
  });
  const prepared = await chosen.prepare(step, start.tensors, reportsOf(options));
  try {
    const loop = new Loop(plan, step, prepared, start);
    await loop.run({
      ...(onProgress && { onProgress }),
      ...(onState && { onState }),
      ...(signal && { signal }),
    });
    return {
      family: 'bernoulli',
      model,
      learned: pick(await prepared.state(), Object.keys(learnedShapes(model))),
      classNames: data.classNames,
    };
  } finally {
    await prepared.close();
  }
}

/** The training step that a model and options make. */
export function stepOf(model: Model, options: TrainingOptions): StepFunction {
  return buildStep({
    model,
    batchSize: options.batchSize,
    estimator: importanceWeighted({ mix: options.mix }),
    adam: options.adam,
    divergence: !isZero(options.divergenceWeight),
    penalty: options.penalty,
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
  const learned = initialPosterior(model, {
    spread: options.initialSpread,
    biasRho: options.initialBiasRho,
    inputPower: meanSquare(data),
    seed: options.seed,
  });
  return { step: 0, noise: Random.fromSeed(options.seed, 'noise').save(), tensors: initialState(learned) };
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

interface Plan {
  readonly options: TrainingOptions;
  readonly data: Dataset;
  readonly stepsPerEpoch: number;
}

/** Steps through the epochs, feeding a prepared step. */
class Loop {
  readonly #plan: Plan;
  readonly #prepared: PreparedStep;
  readonly #noise: Random;
  readonly #noises: readonly Float32Array[];
  readonly #started = performance.now();
  readonly #first: number;
  #step: number;

  constructor(plan: Plan, step: StepFunction, prepared: PreparedStep, start: TrainingState) {
    this.#plan = plan;
    this.#prepared = prepared;
    this.#noise = Random.restore(start.noise);
    this.#noises = step.noises.map((name) => this.#buffer(name));
    this.#first = start.step;
    this.#step = start.step;
  }

  async run({
    onProgress,
    onState,
    signal,
  }: Pick<RunOptions, 'onProgress' | 'onState' | 'signal'>): Promise<void> {
    const { options, data, stepsPerEpoch } = this.#plan;
    const steps = options.epochs * stepsPerEpoch;
    while (this.#step < steps) {
      const epoch = Math.floor(this.#step / stepsPerEpoch);
      // The order is drawn anew from the epoch's own stream, so that resuming needs no memory of it.
      const order = shuffledOrder(data.count, Random.fromSeed(options.seed, `order ${epoch}`));
      const shifts = randomShifts(data.count, options.shift, Random.fromSeed(options.seed, `shift ${epoch}`));
      const totals: Record<string, number> = {};
      const begun = this.#step;
      while (this.#step < (epoch + 1) * stepsPerEpoch) {
        if (signal?.aborted) {
          await onState?.(await this.#state());
          throw signal.reason;
        }
        const reports = await this.#runStep(
          order,
          shifts,
          (this.#step - epoch * stepsPerEpoch) * options.batchSize,
        );
        this.#step++;
        for (const [name, value] of Object.entries(reports)) totals[name] = (totals[name] ?? 0) + value;
        onProgress?.(this.#progress(epoch, steps, totals, this.#step - begun));
      }
      await onState?.(await this.#state());
    }
  }

  async #runStep(
    order: Uint32Array,
    shifts: Shifts,
    start: number,
  ): Promise<Readonly<Record<string, number>>> {
    const { options, data } = this.#plan;
    fillBatch(data, order, start, options.batchSize, this.#buffer('inputs'), this.#buffer('targets'));
    if (options.shift > 0) shiftBatch(this.#buffer('inputs'), data.shape, shifts.subarray(2 * start));
    for (const noise of this.#noises) this.#noise.fillGaussian(noise);
    for (const [name, value] of Object.entries(this.#scalars())) this.#buffer(name)[0] = value;
    const reports = await this.#prepared.run();
    this.#checkFinite(reports);
    return reports;
  }

  #scalars(): Scalars {
    const { options, data, stepsPerEpoch } = this.#plan;
    const progress = this.#step / (options.epochs * stepsPerEpoch);
    const { rateFactor, epsilon } = adamScalars(options.adam, this.#step + 1);
    const rate = scheduled(options.learningRate, progress) * rateFactor;
    return {
      'rate.weights': rate,
      'rate.others': rate * options.otherRates,
      epsilon,
      divergenceWeight: scheduled(options.divergenceWeight, progress) / data.count,
      penaltyWeight: scheduled(options.penaltyWeight, progress),
    };
  }

  #buffer(name: string): Float32Array {
    const buffer = this.#prepared.feeds[name];
    if (!buffer) throw new Error(`the engine has no buffer for ${name}`);
    return buffer;
  }

  #checkFinite(reports: Readonly<Record<string, number>>): void {
    const bad = Object.entries(reports).find(([, value]) => !Number.isFinite(value));
    if (!bad) return;
    const epoch = Math.floor(this.#step / this.#plan.stepsPerEpoch);
    throw new UserError(
      `train: the ${bad[0]} became ${bad[1]} at step ${this.#step + 1} (epoch ${epoch + 1}); lower the learning rate`,
    );
  }

  async #state(): Promise<TrainingState> {
    return { step: this.#step, noise: this.#noise.save(), tensors: await this.#prepared.state() };
  }

  #progress(
    epoch: number,
    steps: number,
    totals: Readonly<Record<string, number>>,
    counted: number,
  ): Progress {
    const { options, stepsPerEpoch } = this.#plan;
    const stepsPerSecond = ((this.#step - this.#first) / (performance.now() - this.#started)) * 1000;
    return {
      epoch,
      epochs: options.epochs,
      step: this.#step,
      steps,
      stepsPerEpoch,
      reports: Object.fromEntries(Object.entries(totals).map(([name, total]) => [name, total / counted])),
      examplesPerSecond: stepsPerSecond * options.batchSize,
      remainingSeconds: (steps - this.#step) / stepsPerSecond,
    };
  }
}
