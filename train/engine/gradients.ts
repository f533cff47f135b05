import * as tf from '@tensorflow/tfjs-core';
import {
  averagePoolGradient,
  type ConvolutionAttributes,
  filterGradient,
  inputGradient,
  maximumPoolGradient,
} from './planes.ts';

type Gradient = (
  dy: tf.Tensor,
  saved: tf.Tensor[],
  attributes: tf.NamedAttrMap,
) => Record<string, () => tf.Tensor>;

interface GradientRule {
  readonly kernel: string;
  readonly inputs?: readonly string[];
  readonly output?: boolean;
  readonly gradient: Gradient;
}

/**
 * The gradient of every kernel that a training step differentiates.
 *
 * tfjs-core keeps its own in a file that Node cannot import as it is; what it offers to everyone is
 * `registerGradient`. Kernels inside a `customGrad` (the neurons, log-softmax) need none.
 */
const rules: readonly GradientRule[] = [
  {
    kernel: 'Add',
    inputs: ['a', 'b'],
    gradient: (dy, [a, b]) => ({ a: () => reduceTo(dy, a), b: () => reduceTo(dy, b) }),
  },
  {
    kernel: 'AddN',
    gradient: (dy, saved) => Object.fromEntries(saved.map((_, index) => [index, () => tf.clone(dy)])),
  },
  {
    kernel: 'Sub',
    inputs: ['a', 'b'],
    gradient: (dy, [a, b]) => ({ a: () => reduceTo(dy, a), b: () => reduceTo(tf.neg(dy), b) }),
  },
  {
    kernel: 'Multiply',
    inputs: ['a', 'b'],
    gradient: (dy, [a, b]) => ({
      a: () => reduceTo(tf.mul(dy, b as tf.Tensor), a),
      b: () => reduceTo(tf.mul(dy, a as tf.Tensor), b),
    }),
  },
  {
    kernel: 'RealDiv',
    inputs: ['a', 'b'],
    gradient: (dy, [a, b]) => ({
      a: () => reduceTo(tf.div(dy, b as tf.Tensor), a),
      b: () => reduceTo(tf.neg(tf.div(tf.mul(dy, a as tf.Tensor), tf.square(b as tf.Tensor))), b),
    }),
  },
  {
    kernel: 'Log',
    inputs: ['x'],
    gradient: (dy, [x]) => ({ x: () => tf.div(dy, x as tf.Tensor) }),
  },
  { kernel: 'Neg', gradient: (dy) => ({ x: () => tf.neg(dy) }) },
  {
    kernel: 'Square',
    inputs: ['x'],
    gradient: (dy, [x]) => ({ x: () => tf.mul(tf.mul(dy, 2), x as tf.Tensor) }),
  },
  {
    kernel: 'Sqrt',
    output: true,
    gradient: (dy, [y]) => ({ x: () => tf.div(dy, tf.mul(y as tf.Tensor, 2)) }),
  },
  {
    kernel: 'Tanh',
    output: true,
    gradient: (dy, [y]) => ({ x: () => tf.mul(dy, tf.sub(1, tf.square(y as tf.Tensor))) }),
  },
  {
    kernel: 'Softplus',
    inputs: ['x'],
    gradient: (dy, [x]) => ({ x: () => tf.mul(dy, tf.sigmoid(x as tf.Tensor)) }),
  },
  {
    kernel: 'BatchMatMul',
    inputs: ['a', 'b'],
    gradient: (dy, [a, b], { transposeA, transposeB }) => {
      if (transposeA || transposeB) throw new Error('the gradient of a transposed matMul is not defined');
      return {
        a: () => tf.matMul(dy, b as tf.Tensor, false, true),
        b: () => tf.matMul(a as tf.Tensor, dy, true, false),
      };
    },
  },
  {
    kernel: 'Reshape',
    inputs: ['x'],
    gradient: (dy, [x]) => ({ x: () => tf.reshape(dy, (x as tf.Tensor).shape) }),
  },
  {
    kernel: 'Exp',
    output: true,
    gradient: (dy, [y]) => ({ x: () => tf.mul(dy, y as tf.Tensor) }),
  },
  {
    kernel: 'Slice',
    inputs: ['x'],
    gradient: (dy, [x], { begin, size }) => {
      const { shape } = x as tf.Tensor;
      const starts = begin as number[];
      const paddings = shape.map((length, axis): [number, number] => {
        const taken = (size as number[])[axis] as number;
        const start = starts[axis] as number;
        return [start, taken < 0 ? 0 : length - start - taken];
      });
      return { x: () => tf.pad(dy, paddings) };
    },
  },
  {
    kernel: 'PadV2',
    inputs: ['x'],
    gradient: (dy, [x], { paddings }) => {
      const begin = (paddings as unknown as [number, number][]).map(([before]) => before);
      return { x: () => tf.slice(dy, begin, (x as tf.Tensor).shape) };
    },
  },
  {
    kernel: 'Conv2D',
    inputs: ['x', 'filter'],
    gradient: (dy, [x, filter], attributes) => {
      const how = attributes as unknown as ConvolutionAttributes;
      return {
        x: () => inputGradient(dy, filter as tf.Tensor, (x as tf.Tensor).shape, how),
        filter: () => filterGradient(x as tf.Tensor, dy, (filter as tf.Tensor).shape, how),
      };
    },
  },
  {
    kernel: 'AvgPool',
    inputs: ['x'],
    gradient: (dy, [x], attributes) => ({ x: () => averagePoolGradient(dy, x as tf.Tensor, attributes) }),
  },
  {
    // Where several numbers are the largest, the gradient goes to the first.
    kernel: 'MaxPool',
    inputs: ['x'],
    output: true,
    gradient: (dy, [x, y], attributes) => ({
      x: () => maximumPoolGradient(dy, x as tf.Tensor, y as tf.Tensor, attributes),
    }),
  },
  {
    kernel: 'Pack',
    gradient: (dy, saved, { axis }) => {
      const slices = tf.unstack(dy, axis as number);
      return Object.fromEntries(saved.map((_, index) => [index, () => slices[index] as tf.Tensor]));
    },
  },
  {
    kernel: 'Unpack',
    gradient: (dy, _saved, { axis }) => ({
      value: () => tf.stack(dy as unknown as tf.Tensor[], axis as number),
    }),
  },
  {
    // Where several numbers are the largest, the gradient goes to all of them.
    kernel: 'Max',
    inputs: ['x'],
    output: true,
    gradient: (dy, [x, y], { reductionIndices }) => {
      const { tensor, kept } = unreduced(x as tf.Tensor, reductionIndices as number[]);
      return {
        x: () =>
          tf.mul(tensor(dy), tf.cast(tf.equal(x as tf.Tensor, tf.reshape(y as tf.Tensor, kept)), 'float32')),
      };
    },
  },
  {
    kernel: 'Mean',
    inputs: ['x'],
    gradient: (dy, [x], { axis }) => {
      const { size } = x as tf.Tensor;
      const { tensor } = unreduced(x as tf.Tensor, axis as number[]);
      return { x: () => tf.mul(tensor(dy), dy.size / size) };
    },
  },
  {
    kernel: 'Sum',
    inputs: ['x'],
    gradient: (dy, [x], { axis }) => ({ x: () => unreduced(x as tf.Tensor, axis as number[]).tensor(dy) }),
  },
];

/** Spreads the gradient of a reduction over the axes that were reduced. */
function unreduced({ shape }: tf.Tensor, axis: number[]) {
  const axes = tf.util.parseAxisParam(axis, shape);
  const kept = shape.map((size, index) => (axes.includes(index) ? 1 : size));
  return { kept, tensor: (gradient: tf.Tensor) => tf.mul(tf.reshape(gradient, kept), tf.ones(shape)) };
}

/** Sums a gradient over the axes along which its operand was broadcast. */
function reduceTo(gradient: tf.Tensor, operand: tf.Tensor | undefined): tf.Tensor {
  const { shape } = operand as tf.Tensor;
  const axes = tf.broadcast_util.getReductionAxes(shape, gradient.shape);
  // Where the ranks are equal the sum has the shape already, and nothing is to be reshaped.
  return tf.reshape(
    axes.length > 0 ? tf.sum(gradient, axes, gradient.rank === shape.length) : gradient,
    shape,
  );
}

/** Kernels whose inputs are a list. */
const takesList: ReadonlySet<string> = new Set(['AddN', 'Pack']);

/** Tells tfjs the gradients it does not have yet. */
export function registerGradients(): void {
  for (const { kernel, inputs, output, gradient } of rules) {
    if (tf.getGradient(kernel)) continue;
    tf.registerGradient({
      kernelName: kernel,
      ...(inputs && { inputsToSave: [...inputs] }),
      ...(takesList.has(kernel) && { saveAllInputs: true }),
      ...(output && { outputsToSave: [true] }),
      // A kernel with several results has as many gradients, which its rule expects.
      gradFunc: (dy, saved, attributes) => gradient(dy as tf.Tensor, saved, attributes),
    });
  }
}
