import * as tf from '@tensorflow/tfjs-core';

/** `x · constant` inside a scan. Its gradient by the constant is one product over all times, outside the scan. */
export type Product = (x: tf.Tensor, constant: tf.Tensor, options?: ProductOptions) => tf.Tensor;

export interface ProductOptions {
  /** No gradient flows to x. */
  readonly detached?: true;
}

/** What one step of a scan is given. */
export interface ScanGiven {
  /** The same at every time. */
  readonly constants: readonly tf.Tensor[];
  /** What the step before left. */
  readonly state: readonly tf.Tensor[];
  /** The slices of this time. */
  readonly inputs: readonly tf.Tensor[];
  readonly product: Product;
}

export interface ScanResult {
  /** Of the shapes of the state that was given. */
  readonly state: readonly tf.Tensor[];
  readonly outputs: readonly tf.Tensor[];
}

/** One step of a scan: a pure function of what it is given. */
export type ScanBody = (given: ScanGiven) => ScanResult;

export interface ScanOperands {
  readonly constants: readonly tf.Tensor[];
  readonly initial: readonly tf.Tensor[];
  /** [time, …] each */
  readonly sequences: readonly tf.Tensor[];
}

/** `x · weight` where no scan runs. */
export const plainProduct: Product = (x, weight, options) => {
  if (!options?.detached) return tf.matMul(x as tf.Tensor2D, weight as tf.Tensor2D);
  return tf.customGrad((given, save) => {
    (save as tf.GradSaveFunc)([x]);
    return {
      value: tf.matMul(x as tf.Tensor2D, given as tf.Tensor2D),
      gradFunc: (gradient: tf.Tensor, [saved]: tf.Tensor[]) =>
        tf.matMul(saved as tf.Tensor2D, gradient as tf.Tensor2D, true, false),
    };
  })(weight);
};

/** Kernels that a backend can have for scans; one that has none takes the steps one by one. */
export const SCAN = 'Scan';
export const SCAN_GRADIENT = 'ScanGradient';

/** What the kernels are told besides tensors: one object for a scan and its gradient, by which they know each other. */
export interface ScanAttributes {
  readonly body: ScanBody;
  readonly constants: number;
  readonly states: number;
}

/**
 * Runs a step for every time, each on the state that the one before left. Gradients flow through all of it.
 *
 * @param unroll whether a backend that has a kernel for loops takes the steps one by one too: then nothing of it is a
 *   loop, which some devices have no kernel for
 * @returns the outputs of all steps, [time, …] each, and the state that the last one left
 */
export function scan(
  body: ScanBody,
  operands: ScanOperands,
  unroll = false,
): { readonly outputs: tf.Tensor[]; readonly final: tf.Tensor[] } {
  if (unroll || tf.getKernel(SCAN, tf.getBackend()) === undefined) return unrolled(body, operands);
  registerGradientKernel(SCAN, SCAN_GRADIENT);
  const { constants, initial, sequences } = operands;
  const attributes: ScanAttributes = { body, constants: constants.length, states: initial.length };
  const found = run(SCAN, [...constants, ...initial, ...sequences], attributes);
  const count = found.length - initial.length;
  return { outputs: found.slice(0, count), final: found.slice(count) };
}

function unrolled(body: ScanBody, { constants, initial, sequences }: ScanOperands) {
  const slices = sequences.map((sequence) => tf.unstack(sequence));
  const times = slices[0]?.length ?? 0;
  const outputs: tf.Tensor[][] = [];
  let state: readonly tf.Tensor[] = initial;
  for (let time = 0; time < times; time++) {
    const inputs = slices.map((slice) => slice[time] as tf.Tensor);
    const result = body({ constants, state, inputs, product: plainProduct });
    state = result.state;
    result.outputs.forEach((output, index) => {
      outputs[index] ??= [];
      outputs[index].push(output);
    });
  }
  return { outputs: outputs.map((list) => tf.stack(list)), final: [...state] };
}

/** Runs a kernel whose inputs are a list. */
export const run = (kernel: string, inputs: readonly tf.Tensor[], attributes: ScanAttributes): tf.Tensor[] =>
  tf
    .engine()
    .runKernel(
      kernel,
      inputs as unknown as tf.NamedTensorMap,
      attributes as unknown as tf.NamedAttrMap,
    ) as tf.Tensor[];

/** Registers the kernel that is the gradient of another; both have lists of inputs and results. */
export function registerGradientKernel(kernel: string, gradientKernel: string): void {
  if (tf.getGradient(kernel)) return;
  tf.registerGradient({
    kernelName: kernel,
    // The kernel that went forward has noted what the gradient reads, so tfjs saves nothing.
    gradFunc(given, _saved, attributes) {
      const gradients = Array.isArray(given) ? (given as tf.Tensor[]) : [given as tf.Tensor];
      const found = run(gradientKernel, gradients, attributes as unknown as ScanAttributes);
      return Object.fromEntries(found.map((tensor, index) => [String(index), () => tensor]));
    },
  });
}

/** A function of tensors through which no gradient flows. */
export const withoutGradient = <Given extends tf.Tensor[]>(
  compute: (...given: Given) => tf.Tensor,
  ...given: Given
): tf.Tensor =>
  tf.customGrad((...inputs) => {
    const tensors = inputs.slice(0, given.length) as Given;
    const shapes = tensors.map(({ shape }) => shape);
    return {
      value: compute(...tensors),
      gradFunc: () => shapes.map((shape) => tf.zeros(shape)),
    };
  })(...given);

/** The same numbers, through which no gradient flows. */
export const stopGradient = (x: tf.Tensor): tf.Tensor => withoutGradient((given) => tf.clone(given), x);
