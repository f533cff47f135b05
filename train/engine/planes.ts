import * as tf from '@tensorflow/tfjs-core';
import type { Convolution } from '../../schemas/ops.ts';
import type { Shape } from '../../schemas/layer.ts';
import type { Window } from '../../schemas/window.ts';
import { constantTensor } from './constants.ts';

type How = Pick<Convolution, 'stride' | 'padding'>;

const run = (kernel: string, inputs: Record<string, tf.Tensor>, attributes: object): tf.Tensor =>
  tf.engine().runKernel(kernel, inputs, attributes as tf.NamedAttrMap);

/** `x` [batch, height, width, channels] by a filter [height, width, channels, filters]. */
export const convolve = (x: tf.Tensor, filter: tf.Tensor, { stride, padding }: How): tf.Tensor =>
  tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, [...stride], padding);

/** The same, through which no gradient flows to `x`. */
export const convolveDetached = (x: tf.Tensor, filter: tf.Tensor, how: How): tf.Tensor =>
  tf.customGrad((given, save) => {
    (save as tf.GradSaveFunc)([x]);
    const { shape } = given as tf.Tensor;
    return {
      value: convolve(x, given as tf.Tensor, how),
      gradFunc: (gradient: tf.Tensor, [saved]: tf.Tensor[]) =>
        filterGradient(saved as tf.Tensor, gradient, shape, { strides: how.stride, pad: how.padding }),
    };
  })(filter);

/** Attributes that the kernels of a convolution and of its gradients have in common. */
export interface ConvolutionAttributes {
  readonly strides: readonly number[];
  readonly pad: unknown;
}

/** The gradient of a convolution by its filter. */
export const filterGradient = (
  x: tf.Tensor,
  dy: tf.Tensor,
  filterShape: Shape,
  { strides, pad }: ConvolutionAttributes,
): tf.Tensor => run('Conv2DBackpropFilter', { x, dy }, { strides, pad, dataFormat: 'NHWC', filterShape });

/** The gradient of a convolution by its input. */
export const inputGradient = (
  dy: tf.Tensor,
  filter: tf.Tensor,
  inputShape: Shape,
  { strides, pad }: ConvolutionAttributes,
): tf.Tensor => run('Conv2DBackpropInput', { dy, filter }, { strides, pad, dataFormat: 'NHWC', inputShape });

/** The mean of each window: the kernel itself, for `tf.avgPool` adds a cast, which has no gradient here. */
export const averagePool = (x: tf.Tensor, { size, stride }: Window): tf.Tensor =>
  run('AvgPool', { x }, { filterSize: size, strides: stride, pad: 'valid' });

/** The gradients of pools by their input. */
export const averagePoolGradient = (
  dy: tf.Tensor,
  input: tf.Tensor,
  attributes: tf.NamedAttrMap,
): tf.Tensor => run('AvgPoolGrad', { dy, input }, attributes);

export const maximumPoolGradient = (
  dy: tf.Tensor,
  input: tf.Tensor,
  output: tf.Tensor,
  attributes: tf.NamedAttrMap,
): tf.Tensor => run('MaxPoolGrad', { dy, input, output }, attributes);

/**
 * The filter over all channels that does what one over groups of them does, with zeros where a filter does not see:
 * [height, width, channels / groups, filters] → [height, width, channels, filters]. tfjs has no grouped convolution;
 * this one costs as much as a whole one.
 */
export function ungrouped(filter: tf.Tensor, groups: number): tf.Tensor {
  if (groups === 1) return filter;
  const [height, width, seen, filters] = filter.shape as [number, number, number, number];
  const sees = Float32Array.from({ length: groups * filters }, (_, index) =>
    Math.floor(((index % filters) * groups) / filters) === Math.floor(index / filters) ? 1 : 0,
  );
  const everywhere = tf.mul(
    tf.reshape(filter, [height * width, 1, seen, filters]),
    constantTensor(sees, [groups, 1, filters]),
  );
  return tf.reshape(everywhere, [height, width, groups * seen, filters]);
}
