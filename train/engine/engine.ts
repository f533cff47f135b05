import type { LearnedTensor } from '../../schemas/posterior.ts';
import type { StepFunction } from '../step.ts';

/** Runs a training step over and over, keeping its state. */
export interface Engine {
  readonly name: string;
  /** Makes a step ready to run. `report` names the reports that are wanted; others may not be computed. */
  prepare(step: StepFunction, state: State, report: readonly string[]): Promise<PreparedStep>;
}

/** The tensors of a step's state, outside any engine. */
export type State = Readonly<Record<string, LearnedTensor>>;

export interface PreparedStep {
  /** Buffers to fill before each step, by the name of the feed; row-major. */
  readonly feeds: Readonly<Record<string, Float32Array>>;
  /** Runs one step on what the buffers hold and returns its reports. */
  run(): Promise<Readonly<Record<string, number>>>;
  /** A copy of the state as it is now. */
  state(): Promise<State>;
  close(): Promise<void>;
}
