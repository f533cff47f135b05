import { setImmediate } from 'node:timers/promises';
import { UserError } from '../schemas/errors.ts';
import { Random } from '../schemas/random.ts';
import {
  type Dataset,
  fillBatch,
  randomShifts,
  type Shifts,
  shiftBatch,
  shuffledOrder,
} from './data/index.ts';
import type { PreparedStep, State } from './engine/engine.ts';
import { fillLogistic } from './noise/logistic.ts';
import { type NoiseState, NoiseSource } from './noise/noise-source.ts';
import { adamScalars } from './optimiser.ts';
import type { TrainingOptions } from './options.ts';
import { scheduled } from './schedule.ts';
import type { Scalars, StepFunction } from './step.ts';

/** Where a training stands: everything that it needs to go on to the same bits. */
export interface TrainingState {
  /** Steps done. */
  readonly step: number;
  readonly noise: NoiseState;
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
  /** Called at the end of every epoch, and when stopped, with what resumes the training from there. */
  readonly onState?: ((state: TrainingState) => Promise<void>) | undefined;
  /** Stops after the step that runs; the loop then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A training that is ready to run. */
export interface Plan {
  readonly options: TrainingOptions;
  readonly data: Dataset;
  readonly step: StepFunction;
  readonly prepared: PreparedStep;
  readonly start: TrainingState;
}

/** Steps through the epochs, feeding a prepared step. */
export class Loop {
  readonly #plan: Plan;
  readonly #stepsPerEpoch: number;
  readonly #noise: NoiseSource;
  readonly #noises: readonly Float32Array[];
  readonly #logisticNoises: readonly Float32Array[];
  readonly #started = performance.now();
  #step: number;

  constructor(plan: Plan) {
    this.#plan = plan;
    // Examples that fill no batch are left out; the order is another in every epoch, and so are they.
    this.#stepsPerEpoch = Math.floor(plan.data.count / plan.options.batchSize);
    this.#noise = NoiseSource.restore(plan.start.noise);
    this.#noises = plan.step.noises.map((name) => this.#buffer(name));
    this.#logisticNoises = plan.step.logisticNoises.map((name) => this.#buffer(name));
    this.#step = plan.start.step;
  }

  async run({ onProgress, onState, signal }: LoopHooks): Promise<void> {
    const { options, data } = this.#plan;
    const stepsPerEpoch = this.#stepsPerEpoch;
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
        // Steps may resolve without a turn of the event loop; signals and timers need one.
        await setImmediate();
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
    if (this.#logisticNoises.length > 0) {
      // As the order of examples: from the step's own stream, so that resuming needs no memory of it.
      const random = Random.fromSeed(options.seed, `logistic noise ${this.#step}`);
      for (const noise of this.#logisticNoises) fillLogistic(noise, random);
    }
    for (const [name, value] of Object.entries(this.#scalars())) this.#buffer(name)[0] = value;
    const reports = await this.#plan.prepared.run();
    this.#checkFinite(reports);
    return reports;
  }

  #scalars(): Scalars {
    const { options, data } = this.#plan;
    const stepsPerEpoch = this.#stepsPerEpoch;
    const progress = this.#step / (options.epochs * stepsPerEpoch);
    const { rateFactor, epsilon } = adamScalars(options.adam, this.#step + 1);
    const rate = scheduled(options.learningRate, progress) * rateFactor;
    return {
      'rate.weights': rate,
      'rate.scales': rate * (options.scaleRates ?? options.otherRates),
      'rate.others': rate * options.otherRates,
      epsilon,
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
    return { step: this.#step, noise: this.#noise.save(), tensors: await this.#plan.prepared.state() };
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
