/** What is known of a training while it runs, and who hears of it. */
import type { State } from './engine/engine.ts';
import type { MonitorFigures } from './monitor.ts';
import type { NoiseState } from './noise/noise-source.ts';
import type { ValidationFigures } from './validation.ts';

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
  /** Inside an epoch: its steps up to now, and the sums of their reports. */
  readonly totals?: EpochTotals;
}

/** What the steps of an epoch have reported up to now. */
export interface EpochTotals {
  /** How many, a smaller batch counting as the part of a whole one that it is. */
  readonly steps: number;
  readonly sums: Readonly<Record<string, number>>;
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
  /** Means over the examples of this epoch: `crossEntropy`, … in nats, `accuracy` of the noisy network, 0 … 1. */
  readonly reports: Readonly<Record<string, number>>;
  /** Examples per second since the training began or resumed. */
  readonly examplesPerSecond: number;
  /** Seconds to the end at this speed. */
  readonly remainingSeconds: number;
}

export const nothing: EpochTotals = { steps: 0, sums: {} };

/** The totals with those of one more step. @param part of a whole batch that its examples are */
export const added = (
  { steps, sums }: EpochTotals,
  reports: EpochTotals['sums'],
  part: number,
): EpochTotals => ({
  steps: steps + part,
  sums: Object.fromEntries(
    Object.entries(reports).map(([name, value]) => [name, (sums[name] ?? 0) + value * part]),
  ),
});

/** What a step of the epoch reported on average. */
export const meansOf = ({ steps, sums }: EpochTotals): Record<string, number> =>
  Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / steps]));

/** What is known after an epoch. */
export interface EpochFigures {
  /** Epoch that ended, from 0. */
  readonly epoch: number;
  readonly epochs: number;
  /** Steps done. */
  readonly step: number;
  /** Means over the examples of the epoch, as in `Progress`. */
  readonly reports: Readonly<Record<string, number>>;
  /** What schedules gave the last step: `learningRate`, `temperature`, `noiseScale`, … */
  readonly schedules: Readonly<Record<string, number>>;
  /** How the network was judged, where it is. */
  readonly validation?: ValidationFigures;
  /** What was seen of the last step, layer by layer, where it was looked at. */
  readonly layers?: MonitorFigures['layers'];
}

/** Who hears of a training while it runs, and who stops it. */
export interface LoopHooks {
  /** Called after every step. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Called at the end of every epoch, where the network is judged. */
  readonly onValidation?: ((figures: ValidationProgress) => void) | undefined;
  /** Called after every step that was looked at: the last of every epoch, and what `monitor` asks for. */
  readonly onMonitor?: ((figures: MonitorProgress) => void) | undefined;
  /** Called at the end of every epoch, before its state is handed out; the training waits for it. */
  readonly onEpoch?: ((figures: EpochFigures, learned: State) => Promise<void>) | undefined;
  /** Called at the end of every epoch, and when stopped, with what resumes the training from there. */
  readonly onState?: ((state: TrainingState) => Promise<void>) | undefined;
  /** Stops after the step that runs; the loop then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}
