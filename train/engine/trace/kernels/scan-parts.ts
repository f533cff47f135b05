/** What a scan and a run through segments have in common. */
import * as tf from '@tensorflow/tfjs-core';
import type { Product, ScanAttributes, ScanResult } from '../../scan.ts';
import { gradientsOf } from '../../tape.ts';
import type { Recorder } from '../recorder.ts';
import { as, splat, splatOf, type Traced } from '../traced.ts';
import type { Operands, Tracing } from './kernel.ts';
import type { ScanBody } from './scan-body.ts';

/** The operands of a kernel whose inputs are a list. */
export const listed = (operands: Operands): Traced[] =>
  Object.keys(operands).map((_, index) => operands[index]!);

/** The tensor without a number carried along, which would be multiplied by at every step. */
const settled = (recorder: Recorder, x: Traced): Traced =>
  x.content.kind === 'splat'
    ? x
    : { ...x, content: { ...x.content, value: recorder.broadcastable(x), factor: 1 } };

/** Writes the way forward into a body. */
export function goForward(
  recorder: Recorder,
  operands: Operands,
  { body, constants, states }: ScanAttributes,
  tracing: Tracing,
  written: ScanBody,
  product: Product,
) {
  const all = listed(operands);
  const fixed = all.slice(0, constants).map((constant) => settled(recorder, constant));
  const sequences = all.slice(constants + states);
  const times = sequences[0]?.shape[0] as number;
  const state = all.slice(constants, constants + states).map((initial) => written.carried(initial));
  const inputs = sequences.map((sequence) => written.scanned(sequence));
  const left = tracing.within(written.recorder, () => {
    const made = body({
      constants: fixed.map(tracing.tensor),
      state: state.map(tracing.tensor),
      inputs: inputs.map(tracing.tensor),
      product,
    });
    return { state: made.state.map(tracing.traced), outputs: made.outputs.map(tracing.traced) };
  });
  return { constants: fixed, sequences, times, state, inputs, left };
}

/**
 * The gradients of a step by some of what it was given, zeros where nothing flows.
 *
 * @param arriving those of its outputs and of the state that it left
 */
export function gradientsOfStep(
  tracing: Tracing,
  step: () => ScanResult,
  arriving: { readonly outputs: readonly Traced[]; readonly state: readonly Traced[] },
  by: readonly tf.Tensor[],
): Traced[] {
  const weighing = (value: tf.Tensor, gradient: Traced) => ({
    value,
    gradient: splatOf(gradient) === 0 ? undefined : tracing.tensor(gradient),
  });
  const found = gradientsOf(() => {
    const made = step();
    return [
      ...made.outputs.map((output, index) => weighing(output, arriving.outputs[index]!)),
      ...made.state.map((left, index) => weighing(left, arriving.state[index]!)),
    ];
  }, by);
  return found.map((gradient, index) =>
    gradient ? tracing.traced(gradient) : splat(0, by[index]!.shape, 'float32'),
  );
}

/** What the gradients of a step become when all steps are gone through. */
interface Closing {
  /** Of constants, of the state before and of slices, in this order. */
  readonly gradients: readonly Traced[];
  readonly constants: number;
  readonly states: number;
  readonly times: number;
}

/**
 * Closes the body that goes back: the gradients of constants, which are used at every step, add up; those of slices
 * become sequences.
 *
 * @param kept what else is wanted of every step
 */
export function closeBack(
  tracing: Tracing,
  written: ScanBody,
  { gradients, constants, states, times }: Closing,
  kept: readonly Traced[] = [],
) {
  const ofConstants = gradients.slice(0, constants);
  const nextState = gradients.slice(constants, constants + states);
  const ofInputs = gradients.slice(constants + states);
  const used = ofConstants.filter((gradient) => splatOf(gradient) !== 0);
  const sums = used.map((gradient) => {
    const sum = written.carried(splat(0, gradient.shape, 'float32'));
    return tracing.within(written.recorder, () =>
      tracing.traced(tf.add(tracing.tensor(sum), tracing.tensor(gradient))),
    );
  });
  const wanted = ofInputs.filter((gradient) => splatOf(gradient) === undefined);
  const { final, outputs } = written.close(times, [...nextState, ...sums], [...wanted, ...kept]);
  const summed = final.slice(states).values();
  const ofAllTimes = outputs.values();
  return {
    constants: ofConstants.map((gradient) =>
      splatOf(gradient) === 0 ? gradient : (summed.next().value as Traced),
    ),
    state: final.slice(0, states),
    inputs: ofInputs.map((gradient) =>
      splatOf(gradient) === undefined
        ? (ofAllTimes.next().value as Traced)
        : as(gradient, [times, ...gradient.shape]),
    ),
    kept: outputs.slice(wanted.length),
  };
}
