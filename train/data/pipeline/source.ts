import type { Shape } from '../../../schemas/layer.ts';

/** The batches of a training, made as it goes. */
export interface BatchSource {
  readonly steps: number;
  /** Of one example at one step. */
  readonly shape: Shape;
  /** Width of a row of targets. */
  readonly classes: number;
  /** Number of examples. */
  readonly count: number;
  /** Number of batches of an epoch. */
  readonly batches: number;

  /** How many examples batch `index` of an epoch holds, in its first rows: the last one may hold fewer than the others. */
  examplesIn(index: number): number;

  /**
   * Fills one batch. Whoever asks for them in order finds them made ahead, where there are workers; any other
   * order gives the same numbers, slower. Await each before asking for the next. A batch of fewer examples is filled
   * up with copies of them.
   *
   * @param epoch from 0, and @param index of the batch in it, from 0
   * @param inputs [steps, rows, …shape], with rows = batchSize × copies
   * @param targets [rows, classes]
   * @throws RangeError where there is no such batch or an array has another length; the one error of a worker that
   *   failed, from then on; an Error once closed
   */
  fill(epoch: number, index: number, inputs: Float32Array, targets: Float32Array): Promise<void>;

  /** Ends the workers; one that waits for a batch gets an error. */
  close(): Promise<void>;
}
