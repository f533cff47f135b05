import * as tf from '@tensorflow/tfjs-core';
import { removeUnused } from '../../../../schemas/onnx/index.ts';
import { type Product, SCAN, SCAN_GRADIENT, type ScanAttributes } from '../../scan.ts';
import { fuseProducts } from '../fuse.ts';
import { as, type Recorder, splat, splatOf, type Traced, tracedValue } from '../recorder.ts';
import type { BodyKernel, Operands, Tracing } from './kernel.ts';

/** The operands of a kernel whose inputs are a list. */
const listed = (operands: Operands): Traced[] => Object.keys(operands).map((_, index) => operands[index]!);

const told = (attributes: unknown): ScanAttributes => attributes as ScanAttributes;

/** The tensor without a number carried along, which would be multiplied by at every step. */
const settled = (recorder: Recorder, x: Traced): Traced =>
  splatOf(x) === undefined ? tracedValue(recorder.value(x), x.shape, x.type) : x;

/** The body of a Scan while it is written. */
class Body {
  readonly recorder: Recorder;
  readonly #outer: Recorder;
  readonly #scanned: { readonly inner: string; readonly outer: Traced }[] = [];
  readonly #carried: string[] = [];
  readonly #initial: Traced[] = [];

  constructor(outer: Recorder) {
    this.#outer = outer;
    this.recorder = outer.body();
  }

  /** A slice of a sequence at every step; of one number everywhere, that number. */
  scanned(sequence: Traced): Traced {
    const shape = sequence.shape.slice(1);
    if (splatOf(sequence) !== undefined) return as(sequence, shape);
    const slice = this.recorder.input(shape);
    this.#scanned.push({ inner: this.recorder.value(slice), outer: sequence });
    return slice;
  }

  /** What a step finds of what the one before left. */
  carried(initial: Traced): Traced {
    const found = this.recorder.input(initial.shape);
    this.#carried.push(this.recorder.value(found));
    this.#initial.push(initial);
    return found;
  }

  /** The whole sequence of which that is a slice, if it is one. */
  sequenceOf(slice: Traced): Traced | undefined {
    if (splatOf(slice) !== undefined) return undefined;
    const value = this.recorder.value(slice);
    return this.#scanned.find(({ inner }) => inner === value)?.outer;
  }

  /**
   * Makes it a node of the graph around.
   *
   * @param next what each carried tensor becomes
   * @returns `outputs` of all steps, and what the carried ones have become in the end
   */
  close(times: number, next: readonly Traced[], outputs: readonly Traced[], backwards: boolean) {
    const { recorder } = this;
    const { graph } = recorder;
    for (const result of [...next, ...outputs]) {
      const output = graph.node('Identity', [recorder.value(result)]);
      graph.output(output, 'float32', [...result.shape]);
    }
    const inputs = [...this.#carried, ...this.#scanned.map(({ inner }) => inner)];
    const infos = new Map(graph.inputs.map((info) => [String(info.name), info]));
    graph.replace({ inputs: inputs.map((name) => infos.get(name)!) });
    removeUnused(graph);
    fuseProducts(graph, recorder);

    const directions = (count: number) => new Array<number>(count).fill(1);
    const values = [...this.#initial, ...this.#scanned.map(({ outer }) => outer)];
    const found = this.#outer.nodes(
      'Scan',
      values.map((value) => this.#outer.value(value)),
      {
        num_scan_inputs: this.#scanned.length,
        body: graph,
        ...(backwards && {
          scan_input_directions: directions(this.#scanned.length),
          scan_output_directions: directions(outputs.length),
        }),
      },
      [...next.map(({ shape }) => shape), ...outputs.map(({ shape }) => [times, ...shape])],
    );
    return { final: found.slice(0, next.length), outputs: found.slice(next.length) };
  }
}

const forward: BodyKernel = (recorder, operands, attributes, tracing) => {
  const { body, constants, states } = told(attributes);
  const all = listed(operands);
  const fixed = all.slice(0, constants).map((constant) => settled(recorder, constant));
  const sequences = all.slice(constants + states);
  const times = sequences[0]?.shape[0] as number;

  const written = new Body(recorder);
  const state = all.slice(constants, constants + states).map((initial) => written.carried(initial));
  const inputs = sequences.map((sequence) => written.scanned(sequence));
  const result = tracing.within(written.recorder, () => {
    const tensors = (list: readonly Traced[]) => list.map((traced) => tracing.tensor(traced));
    const made = body({
      constants: tensors(fixed),
      state: tensors(state),
      inputs: tensors(inputs),
      product: (x, constant) => tf.matMul(x as tf.Tensor2D, constant as tf.Tensor2D),
    });
    const traced = (list: readonly tf.Tensor[]) => list.map((tensor) => tracing.traced(tensor));
    return { state: traced(made.state), outputs: traced(made.outputs) };
  });
  return written.close(times, result.state, [...state, ...result.outputs], false).outputs;
};

/** A product in the body, whose gradient by its constant is taken outside. */
interface Captured {
  readonly constant: number;
  readonly x: Traced;
  readonly gradient: Traced;
}

/**
 * The scan that goes back in time: from the gradients of the outputs and of the state after each step to those of
 * the state before, the inputs and the constants. Each step runs forward again on the state that it found.
 */
const backward: BodyKernel = (recorder, operands, attributes, tracing) => {
  const { body, constants, states } = told(attributes);
  const all = listed(operands);
  const fixed = all.slice(0, constants).map((constant) => settled(recorder, constant));
  const before = all.slice(constants, constants + states);
  // The body has as many inputs as it was told of; what is left are gradients of its outputs.
  const rest = all.slice(constants + states);
  const times = (before[0] ?? rest[0])?.shape[0] as number;

  const written = new Body(recorder);
  const ofState = before.map(({ shape }) => written.carried(splat(0, shape.slice(1), 'float32')));
  const state = before.map((sequence) => written.scanned(sequence));
  const slices = rest.map((sequence) => written.scanned(sequence));
  const captured: Captured[] = [];

  const { gradients, inputs } = tracing.within(written.recorder, () => {
    const tensor = (traced: Traced) => tracing.tensor(traced);
    const fixedTensors = fixed.map(tensor);
    const stateTensors = state.map(tensor);
    const restTensors = slices.map(tensor);
    const product = capturing(tracing, fixedTensors, captured);
    let inputCount = 0;
    const loss = (): tf.Tensor => {
      const terms: tf.Tensor[] = [];
      const weigh = (value: tf.Tensor, gradient: Traced): void => {
        if (splatOf(gradient) !== 0) terms.push(tf.sum(tf.mul(value, tensor(gradient))));
      };
      const made = body({ constants: fixedTensors, state: stateTensors, inputs: restTensors, product });
      inputCount = slices.length - made.outputs.length;
      made.outputs.forEach((output, index) => weigh(output, slices[inputCount + index]!));
      made.state.forEach((left, index) => weigh(left, ofState[index]!));
      return tf.addN(terms);
    };
    const { grads } = onTapeOfItsOwn(() =>
      tf.engine().gradients(loss, [...fixedTensors, ...stateTensors, ...restTensors], null as never, true),
    );
    const found = grads.map((gradient: tf.Tensor | null | undefined) =>
      gradient ? tracing.traced(gradient) : undefined,
    );
    return { gradients: found, inputs: inputCount };
  });

  const orZero = (gradient: Traced | undefined, like: Traced): Traced =>
    gradient ?? splat(0, like.shape, 'float32');
  // Constants are used at every step, so their gradients add up.
  const summed = new Map<number, Traced>();
  const sums: Traced[] = [];
  for (const [index, gradient] of gradients.slice(0, constants).entries()) {
    if (!gradient || splatOf(gradient) === 0) continue;
    const sum = written.carried(splat(0, gradient.shape, 'float32'));
    summed.set(index, sum);
    const { recorder: inner } = written;
    sums.push(inner.traced('Add', [inner.value(sum), inner.value(gradient)], {}, gradient.shape, 'float32'));
  }
  const nextState = state.map((like, index) => orZero(gradients[constants + index], like));
  const ofInputs = slices
    .slice(0, inputs)
    .map((like, index) => orZero(gradients[constants + states + index], like));
  const wanted = ofInputs.filter((gradient) => splatOf(gradient) === undefined);
  const sequences = captured.map(({ x }) => written.sequenceOf(x));
  const copied = captured.flatMap(({ x, gradient }, index) => [...(sequences[index] ? [] : [x]), gradient]);

  const { final, outputs } = written.close(times, [...nextState, ...sums], [...wanted, ...copied], true);
  const queue = [...outputs];
  const inputGradients = ofInputs.map((gradient) =>
    splatOf(gradient) === undefined ? (queue.shift() as Traced) : as(gradient, [times, ...gradient.shape]),
  );
  const constantGradients = fixed.map(({ shape }, index) =>
    summed.has(index)
      ? (final[states + [...summed.keys()].indexOf(index)] as Traced)
      : splat(0, shape, 'float32'),
  );
  for (const [index, { constant }] of captured.entries()) {
    const x = sequences[index] ?? (queue.shift() as Traced);
    const gradient = queue.shift() as Traced;
    constantGradients[constant] = addProduct(tracing, constantGradients[constant]!, x, gradient);
  }
  return [...constantGradients, ...inputGradients];
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

/** Gradients inside a kernel: tfjs keeps one tape, and inside kernels records nothing. */
function onTapeOfItsOwn<T>(run: () => T): T {
  const { state } = tf.engine();
  const { activeTape, gradientDepth, kernelDepth } = state;
  Object.assign(state, { activeTape: null, gradientDepth: 0, kernelDepth: 0 });
  try {
    return run();
  } finally {
    Object.assign(state, { activeTape, gradientDepth, kernelDepth });
  }
}

export const scans: Readonly<Record<string, BodyKernel>> = { [SCAN]: forward, [SCAN_GRADIENT]: backward };
