import * as tf from '@tensorflow/tfjs-core';
import { type Product, SCAN, SCAN_GRADIENT, type ScanAttributes } from '../../scan.ts';
import { gradientsOf } from '../../tape.ts';
import { type Recorder } from '../recorder.ts';
import { as, splat, splatOf, type Traced } from '../traced.ts';
import type { BodyKernel, Operands, Tracing } from './kernel.ts';
import { ScanBody } from './scan-body.ts';

/** The operands of a kernel whose inputs are a list. */
export const listed = (operands: Operands): Traced[] =>
  Object.keys(operands).map((_, index) => operands[index]!);

const told = (attributes: unknown): ScanAttributes => attributes as ScanAttributes;

/** The tensor without a number carried along, which would be multiplied by at every step. */
export const settled = (recorder: Recorder, x: Traced): Traced =>
  x.content.kind === 'splat'
    ? x
    : { ...x, content: { ...x.content, value: recorder.broadcastable(x), factor: 1 } };

/** A scan that went forward, and what its body was given. */
interface Written {
  readonly body: ScanBody;
  readonly times: number;
  readonly constants: readonly Traced[];
  readonly state: readonly Traced[];
  readonly inputs: readonly Traced[];
}

/** Scans by what their kernel was told, which their gradient is told too. */
const scansOf = new WeakMap<ScanAttributes, Written>();

const forward: BodyKernel = (recorder, operands, attributes, tracing) => {
  const { body, constants, states } = told(attributes);
  const all = listed(operands);
  const fixed = all.slice(0, constants).map((constant) => settled(recorder, constant));
  const sequences = all.slice(constants + states);
  const times = sequences[0]?.shape[0] as number;

  const written = new ScanBody(recorder);
  const state = all.slice(constants, constants + states).map((initial) => written.carried(initial));
  const inputs = sequences.map((sequence) => written.scanned(sequence));
  const result = tracing.within(written.recorder, () => {
    const made = body({
      constants: fixed.map(tracing.tensor),
      state: state.map(tracing.tensor),
      inputs: inputs.map(tracing.tensor),
      product: (x, constant) => tf.matMul(x as tf.Tensor2D, constant as tf.Tensor2D),
    });
    return { state: made.state.map(tracing.traced), outputs: made.outputs.map(tracing.traced) };
  });
  scansOf.set(told(attributes), { body: written, times, constants: fixed, state, inputs });
  const { outputs, final } = written.close(times, result.state, result.outputs);
  return [...outputs, ...final];
};

/** A product in the body, whose gradient by its constant is taken outside. */
interface Captured {
  readonly constant: number;
  readonly x: Traced;
  readonly gradient: Traced;
}

/**
 * The scan that goes back in time: from the gradients of the outputs and of the state after each step to those of
 * the state before, the inputs and the constants.
 */
const backward: BodyKernel = (recorder, operands, attributes, tracing) => {
  const scan = scansOf.get(told(attributes));
  if (!scan) throw new Error('the gradient of a scan is traced without the scan');
  const { times, constants, state, inputs } = scan;
  const given = [...constants, ...state, ...inputs];

  const written = new ScanBody(recorder, { forward: scan.body });
  const arriving = listed(operands);
  const results = arriving.length - state.length;
  const ofState = arriving.slice(results).map((gradient) => written.carried(gradient));
  const ofOutputs = arriving.slice(0, results).map((sequence) => written.scanned(sequence));
  const captured: Captured[] = [];

  const gradients = tracing.within(written.recorder, () => {
    const tensor = (traced: Traced) => tracing.tensor(traced);
    const tensors = given.map(tensor);
    const fixed = tensors.slice(0, constants.length);
    const carried = tensors.slice(constants.length, constants.length + state.length);
    const slices = tensors.slice(constants.length + state.length);
    const product = capturing(tracing, fixed, captured);
    const weighing = (value: tf.Tensor, gradient: Traced) => ({
      value,
      gradient: splatOf(gradient) === 0 ? undefined : tensor(gradient),
    });
    const found = gradientsOf(() => {
      const made = told(attributes).body({ constants: fixed, state: carried, inputs: slices, product });
      return [
        ...made.outputs.map((output, index) => weighing(output, ofOutputs[index]!)),
        ...made.state.map((left, index) => weighing(left, ofState[index]!)),
      ];
    }, tensors);
    return found.map((gradient, index) =>
      gradient ? tracing.traced(gradient) : splat(0, given[index]!.shape, 'float32'),
    );
  });

  const [ofConstants, nextState, ofInputs] = [
    gradients.slice(0, constants.length),
    gradients.slice(constants.length, constants.length + state.length),
    gradients.slice(constants.length + state.length),
  ];
  // Constants are used at every step, so their gradients add up.
  const used = ofConstants.filter((gradient) => splatOf(gradient) !== 0);
  const sums = used.map((gradient) => {
    const sum = written.carried(splat(0, gradient.shape, 'float32'));
    return tracing.within(written.recorder, () =>
      tracing.traced(tf.add(tracing.tensor(sum), tracing.tensor(gradient))),
    );
  });
  const wanted = ofInputs.filter((gradient) => splatOf(gradient) === undefined);
  // What a product had on its left has been computed going forward.
  const lefts = captured.map(({ x }) => scan.body.sequenceOf(written.recorder.value(x)));
  const rights = captured.map(({ gradient }) => gradient);

  const { final, outputs } = written.close(times, [...nextState, ...sums], [...wanted, ...rights]);
  const ofAllTimes = outputs.values();
  const inputGradients = ofInputs.map((gradient) =>
    splatOf(gradient) === undefined
      ? (ofAllTimes.next().value as Traced)
      : as(gradient, [times, ...gradient.shape]),
  );
  const summed = final.slice(state.length).values();
  const constantGradients = ofConstants.map((gradient) =>
    splatOf(gradient) === 0 ? gradient : (summed.next().value as Traced),
  );
  for (const [index, { constant }] of captured.entries()) {
    const [left, right] = [lefts[index]!, ofAllTimes.next().value as Traced];
    constantGradients[constant] = addProduct(tracing, constantGradients[constant]!, left, right);
  }
  return [...constantGradients, ...final.slice(0, state.length), ...inputGradients];
};

/** Adds Σ_t x_tᵀ g_t: one product of matrices that have all times below one another. */
function addProduct(tracing: Tracing, to: Traced, x: Traced, gradient: Traced): Traced {
  const rows = (traced: Traced) => {
    const columns = traced.shape.at(-1) as number;
    return tf.reshape(tracing.tensor(traced), [-1, columns]) as tf.Tensor2D;
  };
  // What is recorded outlives the tensor that stood for it.
  return tracing.traced(tf.add(tracing.tensor(to), tf.matMul(rows(x), rows(gradient), true, false)));
}

/** Products that note what their gradient by the constant is made of. */
const capturing =
  (tracing: Tracing, constants: readonly tf.Tensor[], captured: Captured[]): Product =>
  (x, constant, options) => {
    const index = constants.indexOf(constant);
    if (index < 0) throw new Error('a product inside a scan is not by one of its constants');
    return tf.customGrad((given) => {
      const left = given as tf.Tensor2D;
      const seen = tracing.traced(left);
      return {
        value: tf.matMul(left, constant as tf.Tensor2D),
        gradFunc: (gradient: tf.Tensor) => {
          captured.push({ constant: index, x: seen, gradient: tracing.traced(gradient) });
          return options?.detached
            ? tf.zeros(left.shape)
            : tf.matMul(gradient as tf.Tensor2D, constant as tf.Tensor2D, false, true);
        },
      };
    })(x);
  };

export const scans: Readonly<Record<string, BodyKernel>> = { [SCAN]: forward, [SCAN_GRADIENT]: backward };
