import type { LearnedTensor } from '../../schemas/posterior.ts';
import type { Shapes, StepFunction, Tensors } from '../step.ts';

/** Computes training steps and what is judged between them. */
export interface Engine {
  readonly name: string;
  /** Makes a step ready to run. `report` names the reports that are wanted; others may not be computed. */
  prepare(step: StepFunction, state: State, report: readonly string[]): Promise<PreparedStep>;
  /** Makes a function without state ready to run. */
  prepareForward(forward: ForwardFunction): Promise<PreparedForward>;
}

/** The tensors of a step's state, outside any engine. */
export type State = Readonly<Record<string, LearnedTensor>>;

export interface PreparedStep {
  /** Buffers to fill before each step, by the name of the feed; row-major. */
  readonly feeds: Readonly<Record<string, Float32Array>>;
  /**
   * Runs one step on what the buffers hold and returns its reports. Where one of them is no finite number, the state
   * stays as it was: who looks for the cause finds what the step started from.
   */
  run(): Promise<Readonly<Record<string, number>>>;
  /** A copy of the state as it is now. */
  state(): Promise<State>;
  close(): Promise<void>;
}

/** Whether all reports of a step are numbers. */
export const isFinite = (reports: Readonly<Record<string, number>>): boolean =>
  Object.values(reports).every(Number.isFinite);

/** A pure function of named tensors. */
export interface ForwardFunction {
  readonly feeds: Shapes;
  readonly outputs: Shapes;
  readonly run: (fed: Tensors) => Tensors;
}

export interface PreparedForward {
  /** Buffers to fill before each run, by the name of the feed; row-major. */
  readonly feeds: Readonly<Record<string, Float32Array>>;
  /** Runs on what the buffers hold. The next run may write into the arrays that this one returned. */
  run(): Promise<Readonly<Record<string, Float32Array>>>;
  close(): Promise<void>;
}
