import * as tf from '@tensorflow/tfjs-core';
import { plainProduct as product } from '../../scan.ts';
import { SEGMENTS, SEGMENTS_GRADIENT, type SegmentsAttributes } from '../../segments.ts';
import { gradientsOf } from '../../tape.ts';
import { as, splat, splatOf, type Traced } from '../traced.ts';
import type { BodyKernel } from './kernel.ts';
import { listed, settled } from './scan.ts';
import { ScanBody } from './scan-body.ts';

const told = (attributes: unknown): SegmentsAttributes => attributes as SegmentsAttributes;

/** Segments that were gone through, and what their gradient begins from. */
interface Written {
  readonly times: number;
  readonly constants: readonly Traced[];
  /** The states that the segments began with, [segment, …]. */
  readonly starts: readonly Traced[];
  readonly sequences: readonly Traced[];
}

/** By what their kernel was told, which their gradient is told too. */
const segmentsOf = new WeakMap<SegmentsAttributes, Written>();

const forward: BodyKernel = (recorder, operands, attributes, tracing) => {
  const { body, constants, states } = told(attributes);
  const all = listed(operands);
  const fixed = all.slice(0, constants).map((constant) => settled(recorder, constant));
  const sequences = all.slice(constants + states);
  const times = sequences[0]?.shape[0] as number;

  const written = new ScanBody(recorder, { alone: true });
  const state = all.slice(constants, constants + states).map((initial) => written.carried(initial));
  const inputs = sequences.map((sequence) => written.scanned(sequence));
  const result = tracing.within(written.recorder, () => {
    const made = body({
      constants: fixed.map(tracing.tensor),
      state: state.map(tracing.tensor),
      inputs: inputs.map(tracing.tensor),
      product,
    });
    return { state: made.state.map(tracing.traced), outputs: made.outputs.map(tracing.traced) };
  });
  const { outputs } = written.close(times, result.state, [...result.outputs, ...state]);
  const starts = outputs.slice(result.outputs.length);
  segmentsOf.set(told(attributes), { times, constants: fixed, starts, sequences });
  return outputs.slice(0, result.outputs.length);
};

/** Goes through the segments from the last to the first: each is computed anew, and then its gradient. */
const backward: BodyKernel = (recorder, operands, attributes, tracing) => {
  const known = segmentsOf.get(told(attributes));
  if (!known) throw new Error('the gradient of segments is traced without the segments');
  const { body, learned } = told(attributes);
  const { times, constants, starts, sequences } = known;

  const written = new ScanBody(recorder, { alone: true, backwards: true });
  const ofState = starts.map(({ shape }) => written.carried(splat(0, shape.slice(1), 'float32')));
  const ofOutputs = listed(operands).map((sequence) => written.scanned(sequence));
  const before = starts.map((sequence) => written.scanned(sequence));
  const inputs = sequences.map((sequence) => written.scanned(sequence));
  const by = [...constants, ...before, ...inputs.slice(0, learned)];

  const gradients = tracing.within(written.recorder, () => {
    const fixed = constants.map(tracing.tensor);
    const state = before.map(tracing.tensor);
    const slices = inputs.map(tracing.tensor);
    const weighing = (value: tf.Tensor, gradient: Traced) => ({
      value,
      gradient: splatOf(gradient) === 0 ? undefined : tracing.tensor(gradient),
    });
    const found = gradientsOf(() => {
      const made = body({ constants: fixed, state, inputs: slices, product });
      return [
        ...made.outputs.map((output, index) => weighing(output, ofOutputs[index]!)),
        ...made.state.map((left, index) => weighing(left, ofState[index]!)),
      ];
    }, [...fixed, ...state, ...slices.slice(0, learned)]);
    return found.map((gradient, index) =>
      gradient ? tracing.traced(gradient) : splat(0, by[index]!.shape, 'float32'),
    );
  });

  const ofConstants = gradients.slice(0, constants.length);
  const nextState = gradients.slice(constants.length, constants.length + starts.length);
  const ofInputs = gradients.slice(constants.length + starts.length);
  // Constants are used in every segment, so their gradients add up.
  const used = ofConstants.filter((gradient) => splatOf(gradient) !== 0);
  const sums = used.map((gradient) => {
    const sum = written.carried(splat(0, gradient.shape, 'float32'));
    return tracing.within(written.recorder, () =>
      tracing.traced(tf.add(tracing.tensor(sum), tracing.tensor(gradient))),
    );
  });
  const wanted = ofInputs.filter((gradient) => splatOf(gradient) === undefined);
  const { final, outputs } = written.close(times, [...nextState, ...sums], wanted);
  const [summed, ofAllTimes] = [final.slice(starts.length).values(), outputs.values()];
  return [
    ...ofConstants.map((gradient) => (splatOf(gradient) === 0 ? gradient : (summed.next().value as Traced))),
    ...starts.map(({ shape }) => splat(0, shape.slice(1), 'float32')),
    ...ofInputs.map((gradient) =>
      splatOf(gradient) === undefined
        ? (ofAllTimes.next().value as Traced)
        : as(gradient, [times, ...gradient.shape]),
    ),
    ...sequences.slice(learned).map(({ shape }) => splat(0, shape, 'float32')),
  ];
};

export const segments: Readonly<Record<string, BodyKernel>> = {
  [SEGMENTS]: forward,
  [SEGMENTS_GRADIENT]: backward,
};
