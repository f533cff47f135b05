import { setImmediate } from 'node:timers/promises';
import type { BatchSource, TrainingData } from './data/index.ts';
import { isFinite, type PreparedStep, type State } from './engine/engine.ts';
import { Feeder } from './feeder.ts';
import { isSound, type Monitor, type MonitorFigures } from './monitor.ts';
import { warningsOf } from './monitor-warnings.ts';
import { unsoundStep } from './not-finite.ts';
import type { TrainingOptions } from './options.ts';
import {
  added,
  type EpochFigures,
  type EpochTotals,
  type LoopHooks,
  meansOf,
  nothing,
  type Progress,
  type TrainingState,
} from './progress.ts';
import { learningRates, schedulesAt } from './rates.ts';
import type { StepFunction } from './step.ts';
import {
  type Standing,
  standingOf,
  validate,
  type Validation,
  type ValidationFigures,
} from './validation.ts';

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
  /** Opens a monitor for a step that came to nothing, where there is none yet. */
  readonly openMonitor: () => Promise<Monitor>;
}

/** Steps through the epochs, feeding a prepared step. */
export class Loop {
  readonly #plan: Plan;
  readonly #stepsPerEpoch: number;
  readonly #feeder: Feeder;
  readonly #started = performance.now();
  readonly #history: ValidationFigures[];
  readonly #monitored: MonitorFigures[];
  readonly #warned = new Set<string>();
  #best: State | undefined;
  #step: number;
  #totals: EpochTotals;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#stepsPerEpoch = plan.batches.batches;
    this.#feeder = new Feeder(plan, plan.prepared.feeds, plan.start.noise);
    this.#step = plan.start.step;
    this.#history = [...(plan.start.history ?? [])];
    this.#monitored = [...(plan.start.monitored ?? [])];
    this.#best = plan.start.best;
    this.#totals = plan.start.totals ?? nothing;
  }

  async run({ onProgress, onValidation, onMonitor, onEpoch, onState, signal }: LoopHooks): Promise<void> {
    const { options } = this.#plan;
    const stepsPerEpoch = this.#stepsPerEpoch;
    const steps = options.epochs * stepsPerEpoch;
    while (this.#step < steps && !this.#standing()?.stop) {
      const epoch = Math.floor(this.#step / stepsPerEpoch);
      while (this.#step < (epoch + 1) * stepsPerEpoch) {
        if (signal?.aborted) {
          await onState?.(await this.#state());
          throw signal.reason;
        }
        await this.#feeder.feed(this.#step);
        const seen = await this.#look();
        const reports = await this.#plan.prepared.run();
        if (!isFinite(reports)) throw await this.#explain(reports);
        const examples = this.#plan.batches.examplesIn(this.#step++ % stepsPerEpoch);
        this.#totals = added(this.#totals, reports, examples / options.batchSize);
        // Steps may resolve without a turn of the event loop; signals and timers need one.
        await setImmediate();
        onProgress?.(this.#progress(epoch, steps));
        if (seen) onMonitor?.({ ...seen, epoch, epochs: options.epochs, warnings: this.#warningsOf(seen) });
      }
      await this.#validate(epoch, onValidation);
      if (onEpoch) await onEpoch(this.#epochFigures(epoch), await this.#learned());
      this.#totals = nothing;
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

  /** What became of a step that has no finite loss: the engine left its state and feeds as they were before it. */
  async #explain(reports: Readonly<Record<string, number>>): Promise<Error> {
    const { options, prepared, monitor, openMonitor } = this.#plan;
    const learned = await this.#learned();
    const looking = monitor?.monitor ?? (await openMonitor());
    const { layers } = await looking.look(this.#step + 1, learned, prepared.feeds);
    const { weights: rate } = learningRates(options, this.#progressOf(this.#step));
    const epoch = Math.floor(this.#step / this.#stepsPerEpoch);
    return unsoundStep({
      reports,
      step: this.#step + 1,
      epoch,
      learned,
      inputs: prepared.feeds['inputs']!,
      layers,
      rate,
    });
  }

  #epochFigures(epoch: number): EpochFigures {
    const { options, validation } = this.#plan;
    const judged = validation && this.#history.at(-1);
    const seen = this.#monitored.at(-1);
    return {
      epoch,
      epochs: options.epochs,
      step: this.#step,
      reports: meansOf(this.#totals),
      schedules: schedulesAt(options, this.#progressOf(this.#step - 1)),
      ...(judged && { validation: judged }),
      ...(seen?.step === this.#step && { layers: seen.layers }),
    };
  }

  /** How far the training is at a step, 0 … 1. */
  #progressOf(step: number): number {
    return step / (this.#plan.options.epochs * this.#stepsPerEpoch);
  }

  async #state(): Promise<TrainingState> {
    return {
      step: this.#step,
      noise: this.#feeder.noiseState(),
      tensors: await this.#plan.prepared.state(),
      ...(this.#plan.validation && { history: [...this.#history] }),
      ...(this.#monitored.length > 0 && { monitored: [...this.#monitored] }),
      ...(this.#best && { best: this.#best }),
      ...(this.#totals.steps > 0 && { totals: this.#totals }),
    };
  }

  #progress(epoch: number, steps: number): Progress {
    const { options, start } = this.#plan;
    const stepsPerEpoch = this.#stepsPerEpoch;
    const seconds = (performance.now() - this.#started) / 1000;
    const stepsPerSecond = (this.#step - start.step) / seconds;
    return {
      epoch,
      epochs: options.epochs,
      step: this.#step,
      steps,
      stepsPerEpoch,
      reports: meansOf(this.#totals),
      examplesPerSecond: (this.#examplesBefore(this.#step) - this.#examplesBefore(start.step)) / seconds,
      remainingSeconds: (steps - this.#step) / stepsPerSecond,
    };
  }

  /** How many examples the first so many steps are of. */
  #examplesBefore(step: number): number {
    const { batches, options } = this.#plan;
    const last = batches.batches - 1;
    const ofEpoch = last * options.batchSize + batches.examplesIn(last);
    return Math.floor(step / batches.batches) * ofEpoch + (step % batches.batches) * options.batchSize;
  }
}
