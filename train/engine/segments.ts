import * as tf from '@tensorflow/tfjs-core';
import {
  plainProduct,
  registerGradientKernel,
  run,
  type ScanAttributes,
  type ScanBody,
  type ScanOperands,
  type ScanResult,
} from './scan.ts';
import { gradientsOf } from './tape.ts';

/** Kernels that a backend can have for segments; one that has none takes them one by one. */
export const SEGMENTS = 'Segments';
export const SEGMENTS_GRADIENT = 'SegmentsGradient';

/** What the kernels are told besides tensors: one object for a run through segments and its gradient. */
export interface SegmentsAttributes extends ScanAttributes {
  /** How many of the sequences, the first ones, have a gradient. */
  readonly learned: number;
}

export interface SegmentsOperands extends ScanOperands {
  /** Sequences that no gradient is wanted of, [segment, …] each; the body gets their slices after the others. */
  readonly fed: readonly tf.Tensor[];
}

/**
 * Goes through segments of a sequence as `scan` does through its steps, keeping nothing of a segment but the state that
 * it began with: its gradient computes it anew, one segment after the other from the last to the first (gradient
 * checkpointing: Chen et al. 2016, arXiv 1604.06174). What lives at a time is what one segment needs. No gradient flows
 * to the initial state.
 *
 * @returns the outputs of all segments, [segment, …] each
 */
export function throughSegments(body: ScanBody, operands: SegmentsOperands): tf.Tensor[] {
  const { constants, initial, sequences, fed } = operands;
  if (tf.getKernel(SEGMENTS, tf.getBackend()) === undefined) return oneByOne(body, operands);
  registerGradientKernel(SEGMENTS, SEGMENTS_GRADIENT);
  const attributes: SegmentsAttributes = {
    body,
    constants: constants.length,
    states: initial.length,
    learned: sequences.length,
  };
  return run(SEGMENTS, [...constants, ...initial, ...sequences, ...fed], attributes);
}

/** One number after another of several tensors, and back: a function with a gradient of its own has one result. */
const packed = (tensors: readonly tf.Tensor[]): tf.Tensor =>
  tf.concat(tensors.map((each) => tf.reshape(each, [-1])));

function unpacked(flat: tf.Tensor, shapes: readonly (readonly number[])[]): tf.Tensor[] {
  const sizes = shapes.map((shape) => shape.reduce((product, size) => product * size, 1));
  let from = 0;
  return sizes.map((size, index) => {
    const part = tf.slice(flat, [from], [size]);
    from += size;
    return tf.reshape(part, [...shapes[index]!]);
  });
}

/** Segments on a backend that computes at once. */
function oneByOne(body: ScanBody, { constants, initial, sequences, fed }: SegmentsOperands): tf.Tensor[] {
  const times = (sequences[0] ?? fed[0])?.shape[0] ?? 0;
  const counts = { constants: constants.length, states: initial.length, learned: sequences.length };
  const take = (
    fixed: readonly tf.Tensor[],
    state: readonly tf.Tensor[],
    inputs: readonly tf.Tensor[],
  ): ScanResult => body({ constants: fixed, state, inputs, product: plainProduct });
  let shapes: number[][] = [];

  const differentiable = tf.customGrad((...given) => {
    const tensors = given.slice(0, counts.constants + counts.learned) as tf.Tensor[];
    const save = given.at(-1) as tf.GradSaveFunc;
    const fixed = tensors.slice(0, counts.constants);
    const moving = [...tensors.slice(counts.constants), ...fed];
    const starts: (readonly tf.Tensor[])[] = [];
    const outputs: (readonly tf.Tensor[])[] = [];
    let state: readonly tf.Tensor[] = initial;
    for (let time = 0; time < times; time++) {
      starts.push(state);
      const found = tf.tidy(() => {
        const { state: left, outputs: made } = take(
          fixed,
          state,
          moving.map((sequence) => sliceOf(sequence, time)),
        );
        return [...left, ...made];
      });
      state = found.slice(0, counts.states);
      outputs.push(found.slice(counts.states));
    }
    const results = (outputs[0] ?? []).map((_, index) => tf.stack(outputs.map((made) => made[index]!)));
    shapes = results.map(({ shape }) => shape);
    save([...fixed, ...moving, ...starts.flat()]);

    const gradFunc = (gradient: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const [kept, known, before] = [
        saved.slice(0, fixed.length),
        saved.slice(fixed.length, fixed.length + moving.length),
        saved.slice(fixed.length + moving.length),
      ];
      const ofOutputs = unpacked(gradient, shapes);
      let ofConstants: tf.Tensor[] = kept.map(({ shape }) => tf.zeros(shape));
      let ofState: tf.Tensor[] = initial.map(({ shape }) => tf.zeros(shape));
      const ofSequences: tf.Tensor[][] = [];
      for (let time = times - 1; time >= 0; time--) {
        const start = before.slice(time * counts.states, (time + 1) * counts.states);
        const found = tf.tidy(() => {
          const slices = known.map((sequence) => sliceOf(sequence, time));
          const by = [...kept, ...start, ...slices.slice(0, counts.learned)];
          const own = gradientsOf(() => {
            const { state: left, outputs: made } = take(kept, start, slices);
            return [
              ...left.map((value, index) => ({ value, gradient: ofState[index] })),
              ...made.map((value, index) => ({ value, gradient: sliceOf(ofOutputs[index]!, time) })),
            ];
          }, by).map((each, index) => each ?? tf.zeros(by[index]!.shape));
          const sums = ofConstants.map((sum, index) => tf.add(sum, own[index]!));
          return [...sums, ...own.slice(counts.constants)];
        });
        tf.dispose([...ofConstants, ...ofState]);
        ofConstants = found.slice(0, counts.constants);
        ofState = found.slice(counts.constants, counts.constants + counts.states);
        ofSequences.unshift(found.slice(counts.constants + counts.states));
      }
      return [
        ...ofConstants,
        ...sequences.map((_, index) => tf.stack(ofSequences.map((each) => each[index]!))),
      ];
    };
    return { value: packed(results), gradFunc };
  });
  return unpacked(differentiable(...constants, ...sequences), shapes);
}

/** What of a sequence is of one time. */
function sliceOf(sequence: tf.Tensor, time: number): tf.Tensor {
  const [, ...shape] = sequence.shape;
  return tf.reshape(tf.slice(sequence, [time, ...shape.map(() => 0)], [1, ...shape]), shape);
}
