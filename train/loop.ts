import { setImmediate } from 'node:timers/promises';
import { UserError } from '../schemas/errors.ts';
import { Random } from '../schemas/random.ts';
import type { BatchSource, TrainingData } from './data/index.ts';
import type { PreparedStep, State } from './engine/engine.ts';
import { fillLogistic } from './noise/logistic.ts';
import { type NoiseState, NoiseSource } from './noise/noise-source.ts';
import { optimiserOf } from './optimisers/index.ts';
import { isSound, type Monitor, type MonitorFigures } from './monitor.ts';
import { warningsOf } from './monitor-warnings.ts';
import type { TrainingOptions } from './options.ts';
import { learningRates } from './rates.ts';
import { scheduled } from './schedule.ts';
import type { Scalars, StepFunction } from './step.ts';
import {
  type Standing,
  standingOf,
  validate,
  type Validation,
  type ValidationFigures,
} from './validation.ts';

/** Where a training stands: everything that it needs to go on to the same bits. */
export interface TrainingState {
  /** Steps done. */
  readonly step: number;
  readonly noise: NoiseState;
  readonly tensors: State;
  /** What the network was judged to be after each epoch, where it is judged. */
  readonly history?: readonly ValidationFigures[];
  /** What was seen of the last step of each epoch, where it was looked at. */
  readonly monitored?: readonly MonitorFigures[];
  /** Learned tensors after the best epoch of the history, where the training stops early. */
  readonly best?: State;
}

/** What is known after an epoch, of the examples that are not learned from. */
export interface ValidationProgress extends ValidationFigures {
  /** Epoch that ended, from 0. */
  readonly epoch: number;
  readonly epochs: number;
  /** Whether it is the best up to now, by the rule of early stopping; without such a rule there is no best. */
  readonly best?: boolean;
}

/** What was seen of a step: its spikes and gradients, layer by layer. */
export interface MonitorProgress extends MonitorFigures {
  /** Epoch of the step, from 0. */
  readonly epoch: number;
  readonly epochs: number;
  /** What is wrong with a layer and what to do, in words; once for each layer since the training began or resumed. */
  readonly warnings: readonly string[];
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
  /** Means over the steps of this epoch since it began or was resumed: `loss`, `crossEntropy`, … in nats. */
  readonly reports: Readonly<Record<string, number>>;
  /** Examples per second since the training began or resumed. */
  readonly examplesPerSecond: number;
  /** Seconds to the end at this speed. */
  readonly remainingSeconds: number;
}

/** Who hears of a training while it runs, and who stops it. */
export interface LoopHooks {
  /** Called after every step. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Called at the end of every epoch, where the network is judged. */
  readonly onValidation?: ((figures: ValidationProgress) => void) | undefined;
  /** Called after every step that was looked at: the last of every epoch, and what `monitor` asks for. */
  readonly onMonitor?: ((figures: MonitorProgress) => void) | undefined;
  /** Called at the end of every epoch, and when stopped, with what resumes the training from there. */
  readonly onState?: ((state: TrainingState) => Promise<void>) | undefined;
  /** Stops after the step that runs; the loop then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A training that is ready to run. */
export interface Plan {
  readonly options: TrainingOptions;
  readonly data: TrainingData;
  readonly batches: BatchSource;
  readonly step: StepFunction;
  readonly prepared: PreparedStep;
  readonly start: TrainingState;
  readonly validation?: Validation | undefined;
  /** Looks at the last step of every epoch, and at every step whose number `every` divides. */
  readonly monitor?: { readonly monitor: Monitor; readonly every?: number | undefined } | undefined;
}

/** Steps through the epochs, feeding a prepared step. */
export class Loop {
  readonly #plan: Plan;
  readonly #stepsPerEpoch: number;
  readonly #noise: NoiseSource;
  readonly #noises: readonly Float32Array[];
  readonly #logisticNoises: readonly Float32Array[];
  readonly #started = performance.now();
  readonly #history: ValidationFigures[];
  readonly #monitored: MonitorFigures[];
  readonly #warned = new Set<string>();
  #best: State | undefined;
  #step: number;

  constructor(plan: Plan) {
    this.#plan = plan;
    // Examples that fill no batch are left out; the order is another in every epoch, and so are they.
    this.#stepsPerEpoch = plan.batches.batches;
    this.#noise = NoiseSource.restore(plan.start.noise);
    this.#noises = plan.step.noises.map((name) => this.#buffer(name));
    this.#logisticNoises = plan.step.logisticNoises.map((name) => this.#buffer(name));
    this.#step = plan.start.step;
    this.#history = [...(plan.start.history ?? [])];
    this.#monitored = [...(plan.start.monitored ?? [])];
    this.#best = plan.start.best;
  }

  async run({ onProgress, onValidation, onMonitor, onState, signal }: LoopHooks): Promise<void> {
    const { options } = this.#plan;
    const stepsPerEpoch = this.#stepsPerEpoch;
    const steps = options.epochs * stepsPerEpoch;
    while (this.#step < steps && !this.#standing()?.stop) {
      const epoch = Math.floor(this.#step / stepsPerEpoch);
      const totals: Record<string, number> = {};
      const begun = this.#step;
      while (this.#step < (epoch + 1) * stepsPerEpoch) {
        if (signal?.aborted) {
          await onState?.(await this.#state());
          throw signal.reason;
        }
        await this.#feedStep(epoch, this.#step - epoch * stepsPerEpoch);
        const seen = await this.#look();
        const reports = await this.#plan.prepared.run();
        this.#checkFinite(reports);
        this.#step++;
        for (const [name, value] of Object.entries(reports)) totals[name] = (totals[name] ?? 0) + value;
        // Steps may resolve without a turn of the event loop; signals and timers need one.
        await setImmediate();
        onProgress?.(this.#progress(epoch, steps, totals, this.#step - begun));
        if (seen) onMonitor?.({ ...seen, epoch, epochs: options.epochs, warnings: this.#warningsOf(seen) });
      }
      await this.#validate(epoch, onValidation);
      await onState?.(await this.#state());
    }
  }

  /** What the training ends with: where it stops early, its best epoch, otherwise its last. */
  async result(): Promise<{ learned: State; progress: number }> {
    const standing = this.#standing();
    if (standing && this.#best) {
      return { learned: this.#best, progress: (standing.best + 1) / this.#plan.options.epochs };
    }
    return { learned: await this.#learned(), progress: 1 };
  }

  #standing(): Standing | undefined {
    const rule = this.#plan.options.earlyStopping;
    return rule && this.#history.length > 0 ? standingOf(this.#history, rule) : undefined;
  }

  async #validate(epoch: number, tell: LoopHooks['onValidation']): Promise<void> {
    const { options, validation } = this.#plan;
    if (!validation) return;
    const learned = await this.#learned();
    const progress = (epoch + 1) / options.epochs;
    const figures = await validate(validation, options, { learned, epoch, progress });
    this.#history.push(figures);
    const standing = this.#standing();
    const best = standing && { best: standing.best === epoch };
    if (best?.best) this.#best = learned;
    tell?.({ ...figures, epoch, epochs: options.epochs, ...best });
  }

  async #learned(): Promise<State> {
    const { prepared, step } = this.#plan;
    const state = await prepared.state();
    return Object.fromEntries(Object.keys(step.learned).map((name) => [name, state[name]!]));
  }

  /** What the step that is fed is about to do, if it is to be looked at. */
  async #look(): Promise<MonitorFigures | undefined> {
    const { monitor: plan, prepared } = this.#plan;
    const step = this.#step + 1;
    const last = step % this.#stepsPerEpoch === 0;
    if (!plan || !(last || (plan.every && step % plan.every === 0))) return undefined;
    const figures = await plan.monitor.look(step, await this.#learned(), prepared.feeds);
    if (last && isSound(figures)) this.#monitored.push(figures);
    return figures;
  }

  #warningsOf({ layers }: MonitorFigures): string[] {
    const fresh = warningsOf(layers).filter(({ key }) => !this.#warned.has(key));
    for (const { key } of fresh) this.#warned.add(key);
    return fresh.map(({ text }) => text);
  }

  /** @param index of the batch in its epoch */
  async #feedStep(epoch: number, index: number): Promise<void> {
    const { options, batches } = this.#plan;
    await batches.fill(epoch, index, this.#buffer('inputs'), this.#buffer('targets'));
    const drawScale = scheduled(options.drawScale, this.#progressOf(this.#step));
    for (const noise of this.#noises) {
      this.#noise.fillGaussian(noise);
      scale(noise, drawScale);
    }
    if (this.#logisticNoises.length > 0) {
      // From the step's own stream, so that resuming needs no memory of it.
      const random = Random.fromSeed(options.seed, `logistic noise ${this.#step}`);
      for (const noise of this.#logisticNoises) {
        fillLogistic(noise, random);
        scale(noise, drawScale);
      }
    }
    for (const [name, value] of Object.entries(this.#scalars())) this.#buffer(name)[0] = value;
  }

  /** How far the training is at a step, 0 … 1. */
  #progressOf(step: number): number {
    return step / (this.#plan.options.epochs * this.#stepsPerEpoch);
  }

  #scalars(): Scalars {
    const { options, data } = this.#plan;
    const progress = this.#progressOf(this.#step);
    const { rateFactor, scalars } = optimiserOf(options.optimiser).numbersAt(this.#step + 1);
    const rates = learningRates(options, progress);
    return {
      'rate.weights': rates.weights * rateFactor,
      'rate.scales': rates.scales * rateFactor,
      'rate.gains': rates.gains * rateFactor,
      'rate.biases': rates.biases * rateFactor,
      'rate.neurons': rates.neurons * rateFactor,
      ...scalars,
      divergenceWeight: scheduled(options.divergenceWeight, progress) / data.count,
      penaltyWeight: scheduled(options.penaltyWeight, progress),
      temperature: scheduled(options.temperature, progress),
      noiseScale: scheduled(options.noiseScale, progress),
    };
  }

  #buffer(name: string): Float32Array {
    const buffer = this.#plan.prepared.feeds[name];
    if (!buffer) throw new Error(`the engine has no buffer for ${name}`);
    return buffer;
  }

  #checkFinite(reports: Readonly<Record<string, number>>): void {
    const bad = Object.entries(reports).find(([, value]) => !Number.isFinite(value));
    if (!bad) return;
    const epoch = Math.floor(this.#step / this.#stepsPerEpoch);
    throw new UserError(
      `train: the ${bad[0]} became ${bad[1]} at step ${this.#step + 1} (epoch ${epoch + 1}); lower the learning rate`,
    );
  }

  async #state(): Promise<TrainingState> {
    return {
      step: this.#step,
      noise: this.#noise.save(),
      tensors: await this.#plan.prepared.state(),
      ...(this.#plan.validation && { history: [...this.#history] }),
      ...(this.#monitored.length > 0 && { monitored: [...this.#monitored] }),
      ...(this.#best && { best: this.#best }),
    };
  }

  #progress(
    epoch: number,
    steps: number,
    totals: Readonly<Record<string, number>>,
    counted: number,
  ): Progress {
    const { options, start } = this.#plan;
    const stepsPerEpoch = this.#stepsPerEpoch;
    const stepsPerSecond = ((this.#step - start.step) / (performance.now() - this.#started)) * 1000;
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

function scale(noise: Float32Array, factor: number): void {
  if (factor === 1) return;
  for (let index = 0; index < noise.length; index++) noise[index] = noise[index]! * factor;
}
