import { plainProduct as product } from '../../scan.ts';
import { SEGMENTS, SEGMENTS_GRADIENT, type SegmentsAttributes } from '../../segments.ts';
import { splat, type Traced } from '../traced.ts';
import type { BodyKernel } from './kernel.ts';
import { ScanBody } from './scan-body.ts';
import { closeBack, goForward, gradientsOfStep, listed } from './scan-parts.ts';

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
  const body = new ScanBody(recorder, { alone: true });
  const made = goForward(recorder, operands, told(attributes), tracing, body, product);
  const { times, constants, sequences, state, left } = made;
  const { outputs } = body.close(times, left.state, [...left.outputs, ...state]);
  const starts = outputs.slice(left.outputs.length);
  segmentsOf.set(told(attributes), { times, constants, starts, sequences });
  return outputs.slice(0, left.outputs.length);
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

  const gradients = tracing.within(written.recorder, () => {
    const fixed = constants.map(tracing.tensor);
    const state = before.map(tracing.tensor);
    const slices = inputs.map(tracing.tensor);
    return gradientsOfStep(
      tracing,
      () => body({ constants: fixed, state, inputs: slices, product }),
      { outputs: ofOutputs, state: ofState },
      [...fixed, ...state, ...slices.slice(0, learned)],
    );
  });

  const closing = { gradients, constants: constants.length, states: starts.length, times };
  const found = closeBack(tracing, written, closing);
  return [
    ...found.constants,
    ...starts.map(({ shape }) => splat(0, shape.slice(1), 'float32')),
    ...found.inputs,
    ...sequences.slice(learned).map(({ shape }) => splat(0, shape, 'float32')),
  ];
};

export const segments: Readonly<Record<string, BodyKernel>> = {
  [SEGMENTS]: forward,
  [SEGMENTS_GRADIENT]: backward,
};
