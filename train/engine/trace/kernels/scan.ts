import * as tf from '@tensorflow/tfjs-core';
import { type Product, SCAN, SCAN_GRADIENT, type ScanAttributes } from '../../scan.ts';
import type { Traced } from '../traced.ts';
import type { BodyKernel, Tracing } from './kernel.ts';
import { ScanBody } from './scan-body.ts';
import { closeBack, goForward, gradientsOfStep, listed } from './scan-parts.ts';

const told = (attributes: unknown): ScanAttributes => attributes as ScanAttributes;

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
  const body = new ScanBody(recorder);
  const { times, constants, state, inputs, left } = goForward(
    recorder,
    operands,
    told(attributes),
    tracing,
    body,
    (x, constant) => tf.matMul(x as tf.Tensor2D, constant as tf.Tensor2D),
  );
  scansOf.set(told(attributes), { body, times, constants, state, inputs });
  const { outputs, final } = body.close(times, left.state, left.outputs);
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
  const { times, constants, state } = scan;

  const written = new ScanBody(recorder, { forward: scan.body });
  const arriving = listed(operands);
  const results = arriving.length - state.length;
  const ofState = arriving.slice(results).map((gradient) => written.carried(gradient));
  const ofOutputs = arriving.slice(0, results).map((sequence) => written.scanned(sequence));
  const captured: Captured[] = [];

  const gradients = tracing.within(written.recorder, () => {
    const fixed = constants.map(tracing.tensor);
    const step = {
      constants: fixed,
      state: state.map(tracing.tensor),
      inputs: scan.inputs.map(tracing.tensor),
      product: capturing(tracing, fixed, captured),
    };
    return gradientsOfStep(
      tracing,
      () => told(attributes).body(step),
      { outputs: ofOutputs, state: ofState },
      [...step.constants, ...step.state, ...step.inputs],
    );
  });

  // What a product had on its left has been computed going forward.
  const lefts = captured.map(({ x }) => scan.body.sequenceOf(written.recorder.value(x)));
  const rights = captured.map(({ gradient }) => gradient);
  const closing = { gradients, constants: constants.length, states: state.length, times };
  const found = closeBack(tracing, written, closing, rights);
  for (const [index, { constant }] of captured.entries()) {
    const [left, right] = [lefts[index]!, found.kept[index]!];
    found.constants[constant] = addProduct(tracing, found.constants[constant]!, left, right);
  }
  return [...found.constants, ...found.state, ...found.inputs];
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
