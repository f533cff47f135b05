import * as tf from '@tensorflow/tfjs-core';
import type { Convolution, PoolKind } from '../schemas/ops.ts';
import { stopsOver, type Window } from '../schemas/window.ts';
import { constantTensor } from './engine/constants.ts';
import { averagePool, convolve, convolveDetached, ungrouped } from './engine/planes.ts';
import { withoutGradient } from './engine/scan.ts';
import { byTime, type DrawNoise, type Moments, type MomentsOptions, signOf } from './moments.ts';
import { weightedSum } from './weighted-sum.ts';

/** A convolution whose filters are uncertain. */
export function convolutionMoments(
  x: Moments,
  weight: Moments,
  how: Convolution,
  { steps = 1, noise, span = 'step' }: MomentsOptions,
): Moments {
  const sumOf = (given: Moments): Moments => ({
    mean: meanOfConvolution(x, given, how),
    ...(given.variance && { variance: varianceOfConvolution(x, given, given.variance, how) }),
  });
  if (weight.variance && span === 'sequence') {
    const deviation = deviationOfConvolution(x, weight, weight.variance, how, { steps, noise });
    return { ...sumOf(weight), deviation };
  }
  const [rows = 1, ...plane] = x.mean.shape;
  const [height = 1, width = 1, , filters = 1] = weight.mean.shape;
  const window = { size: [height, width], stride: how.stride } as const;
  const [down, across] = stopsOver([plane[0] as number, plane[1] as number], window, how.padding);
  return weightedSum(weight, rows * down.stops * across.stops * filters, sumOf);
}

const meanOfConvolution = (x: Moments, weight: Moments, how: Convolution): tf.Tensor =>
  convolve(x.mean, ungrouped(weight.mean, how.groups), how);

/**
 * The variance of a convolution: x² with the variance of the weights, through which no gradient flows to x.
 *
 * @param variance of the weight's shape; or [1, filters], [1, 1] where the weights of all inputs, or all weights, share
 *   it: the sums of x² over windows then take the place of a convolution with it
 */
function varianceOfConvolution(
  { mean, binary }: Moments,
  weight: Moments,
  variance: tf.Tensor,
  how: Convolution,
): tf.Tensor {
  const squares = binary ? mean : tf.square(mean);
  if (variance.rank > 2) return convolveDetached(squares, ungrouped(variance, how.groups), how);
  const [height, width, seen, filters] = weight.mean.shape as [number, number, number, number];
  // Without groups all filters see the same: one sum is enough.
  const ones = [height, width, seen, how.groups === 1 ? 1 : filters];
  const sums = withoutGradient(
    (given) => convolve(given, ungrouped(tf.ones(ones), how.groups), how),
    squares,
  );
  return tf.mul(sums, tf.reshape(variance, [variance.size]));
}

/**
 * What one draw of the filters, σ ⊙ ε, adds to a convolution at every time and place. All examples share ε; signs of
 * their own for every input channel and filter make their draws uncorrelated, as for a dense layer.
 */
function deviationOfConvolution(
  x: Moments,
  weight: Moments,
  variance: tf.Tensor,
  how: Convolution,
  { steps, noise }: { readonly steps: number; readonly noise: DrawNoise },
): tf.Tensor {
  const [rows = 1, , , channels = 1] = x.mean.shape;
  const filters = weight.mean.shape.at(-1) as number;
  const batch = rows / steps;
  const [draw, ofInputs, ofOutputs] = [
    noise(weight.mean.shape, 'weight'),
    noise([batch, channels], 'sign'),
    noise([batch, filters], 'sign'),
  ];
  const flipped = (values: tf.Tensor, signs: tf.Tensor): tf.Tensor => {
    const [examples = 1, many = 1] = signs.shape;
    return tf.reshape(
      tf.mul(byTime(values, steps), tf.reshape(signOf(signs), [examples, 1, 1, many])),
      values.shape,
    );
  };
  return withoutGradient(
    (values, weightVariance) => {
      const weights = ungrouped(tf.mul(draw, tf.sqrt(weightVariance)), how.groups);
      return flipped(convolve(flipped(values, ofInputs), weights, how), ofOutputs);
    },
    x.mean,
    variance,
  );
}

/** What windows of a signal hold. Signals are certain: neurons sampled them. */
export function poolOf(x: Moments, kind: PoolKind, window?: Window): Moments {
  const [, height = 1, width = 1] = x.mean.shape;
  const { size, stride } = window ?? { size: [height, width], stride: [1, 1] };
  if (kind === 'average') return { mean: averagePool(x.mean, { size, stride }) };
  const mean = tf.maxPool(x.mean as tf.Tensor4D, [...size], [...stride], 'valid');
  return x.binary ? { mean, binary: true } : { mean };
}

/** A signal brought to a scale that is known before training. Signals are certain: neurons sampled them. */
export function normalised(x: Moments, mean: readonly number[], deviation: readonly number[]): Moments {
  return { mean: tf.div(tf.sub(x.mean, vector(mean)), vector(deviation)) };
}

const vector = (numbers: readonly number[]): tf.Tensor =>
  constantTensor(Float32Array.from(numbers), [numbers.length]);

/** A signal under another shape or with zeros added: what is known of it stays. */
export const flattened = (x: Moments): Moments => ({
  ...x,
  mean: tf.reshape(x.mean, [x.mean.shape[0] as number, -1]),
});

export const widened = (x: Moments, count: number): Moments => ({
  ...x,
  mean: tf.pad(
    x.mean,
    x.mean.shape.map((_, axis): [number, number] => [0, axis === x.mean.rank - 1 ? count : 0]),
  ),
});
