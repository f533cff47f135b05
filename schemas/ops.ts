import type { Shape } from './layer.ts';
import type { Padding, Pair, Window } from './window.ts';

/** How what happened over a sequence becomes one answer. */
export type OverTime = 'mean' | 'maximum' | 'last';

/** What a spike leaves of a membrane: itself less the threshold, or nothing. */
export type Reset = 'subtract' | 'zero';

/** How a convolution moves over its input. */
export interface Convolution {
  readonly stride: Pair;
  readonly padding: Padding;
  /** Parts that the channels are split into, in order; each part of the filters sees its own part. */
  readonly groups: number;
}

/** What a window of a pool becomes. */
export type PoolKind = 'average' | 'maximum';

/**
 * The arithmetic that every layer is written in.
 *
 * `V` is a pair of moments while training, a value of an ONNX graph while exporting, and a plain array in
 * the reference interpreter, so one equation serves all three. A new operation is one member here; the
 * compiler then names every interpreter that lacks it.
 *
 * Activations have shape [time × batch, …features], time outermost; inside a scan [batch, …features]. Parameters
 * have no such axis and broadcast over it. Features of a plane are [height, width, channels].
 */
export interface Ops<V> {
  /** `x · weight`: activations [batch, in] by a weight [in, out] → [batch, out]. */
  linear(x: V, weight: V): V;

  /**
   * Weighted sums of windows: activations [batch, height, width, channels] by a weight
   * [height, width, channels / groups, filters] of the window's size → [batch, …plane, filters]. What lies beyond the
   * edge is zero. The filter is not turned around (a cross-correlation, as in every framework).
   */
  conv2d(x: V, weight: V, how: Convolution): V;

  /**
   * What windows of a signal hold, channel by channel: [batch, height, width, channels] → [batch, …plane, channels].
   * Windows lie inside the plane; what fills none is left out. Without a window, the whole plane is one.
   */
  pool(x: V, kind: PoolKind, window?: Window): V;

  /** A signal with all its features in one axis: [batch, …features] → [batch, size], the last axis counting fastest. */
  flatten(x: V): V;

  /** A signal with that many channels of zeros after its own: [batch, …plane, channels] → [batch, …plane, channels + count]. */
  padChannels(x: V, count: number): V;

  /** `(x − mean) / deviation`, the numbers of each channel known before training: [channels], as for `multiply`. */
  normalise(x: V, mean: readonly number[], deviation: readonly number[]): V;

  /** `x ⊙ factor`, the factor a number or [channels], broadcast over all axes before the last. */
  multiply(x: V, factor: V | number): V;

  /** `x + term`: another current or signal of the same shape, or [channels] as for `multiply`. */
  add(x: V, term: V): V;

  /**
   * 1 where `membrane > threshold`, else 0. A membrane at exactly the threshold does not fire.
   *
   * @param current what came in at this step, where the membrane holds more than that
   */
  spike(membrane: V, threshold: V | number, current?: V): V;

  /** What is left of a membrane after one step without input: `decay ⊙ membrane`. */
  leak(membrane: V, decay: V | number): V;

  /** What is left of a membrane after it fired: it loses `threshold` (subtract), or all it has (zero). */
  reset(membrane: V, spikes: V, threshold: V | number, to: Reset): V;

  /** The same value, through which no gradient flows. */
  detach(x: V): V;

  /** What a readout reports of a current: a draw of it while it is uncertain, itself once it is frozen. */
  read(current: V): V;

  /** [time × batch, …] → [batch, …]. Only where no scan runs. */
  overTime(x: V, how: OverTime): V;

  /** Runs a step for every time, each on the state that the one before left: the outputs, [time × batch, …]. */
  scan(scan: Scan<V>): V;
}

/** A layer with a state, on the way through time. */
export interface Scan<V> {
  /** [time × batch, …] */
  readonly input: V;
  readonly parameters: Readonly<Record<string, V>>;
  /** Shapes of what is carried from one step to the next, without the batch; all start at zero. */
  readonly state: Readonly<Record<string, Shape>>;
  /** One step, in an arithmetic that may be another than the one outside. */
  readonly step: (
    ops: Ops<V>,
    parameters: Readonly<Record<string, V>>,
    state: Readonly<Record<string, V>>,
    input: V,
  ) => readonly [output: V, state: Readonly<Record<string, V>>];
}
