import * as tf from '@tensorflow/tfjs-core';
import { plainProduct, type Product, withoutGradient } from './engine/scan.ts';
import { byTime, type DrawNoise, type Moments, type MomentsOptions, signOf } from './moments.ts';
import { weightedSum } from './weighted-sum.ts';

/** Sums of inputs whose weights are uncertain. */
export function linearMoments(x: Moments, weight: Moments, options: MomentsOptions): Moments {
  const { steps = 1, noise, span = 'step', product } = options;
  const sumOf = ({ mean, variance }: Moments): Moments => ({
    mean: (product ?? plainProduct)(x.mean, mean),
    ...(variance && { variance: varianceOfSum(product ?? plainProduct, x, variance) }),
  });
  if (weight.variance && span === 'sequence') {
    return { ...sumOf(weight), deviation: deviationOfSum(x, weight, weight.variance, steps, noise) };
  }
  // The products of a scan are by weights as they are.
  if (product) return sumOf(weight);
  return weightedSum(weight, (x.mean.shape[0] as number) * (weight.mean.shape[1] as number), sumOf);
}

/**
 * x² · variance. Inputs that enter a variance carry no gradient (docs/method.md).
 *
 * @param variance [in, out]; or [1, out], [1, 1] where all inputs, or all weights, share it: Σ x² then takes the
 *   place of a matrix product
 */
function varianceOfSum(product: Product, { mean, binary }: Moments, variance: tf.Tensor): tf.Tensor {
  const squares = binary ? mean : tf.square(mean);
  const squared = variance.shape[0] === 1 ? tf.sum(squares, -1, true) : squares;
  return product(squared, variance, { detached: true });
}

/**
 * What one draw of the weights, σ ⊙ ε, adds to a sum at every time. All examples share ε, and signs of their own for
 * every input and output make their draws uncorrelated (flipout: Wen et al. 2018, arXiv 1803.04386).
 */
function deviationOfSum(
  x: Moments,
  weight: Moments,
  variance: tf.Tensor,
  steps: number,
  noise: DrawNoise,
): tf.Tensor {
  const [inputs, outputs] = weight.mean.shape as [number, number];
  const batch = (x.mean.shape[0] as number) / steps;
  const [draw, ofInputs, ofOutputs] = [
    noise([inputs, outputs], 'weight'),
    noise([batch, inputs], 'sign'),
    noise([batch, outputs], 'sign'),
  ];
  const flat = (tensor: tf.Tensor) => tf.reshape(tensor, [steps * batch, -1]) as tf.Tensor2D;
  return withoutGradient(
    (values, weightVariance) => {
      const weights = tf.mul(draw, tf.sqrt(weightVariance)) as tf.Tensor2D;
      const flipped = flat(tf.mul(byTime(values, steps), signOf(ofInputs)));
      return flat(tf.mul(byTime(tf.matMul(flipped, weights), steps), signOf(ofOutputs)));
    },
    x.mean,
    variance,
  );
}
