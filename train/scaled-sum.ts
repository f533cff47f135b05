import * as tf from '@tensorflow/tfjs-core';
import { plainProduct, type Product } from './engine/scan.ts';
import type { Moments } from './moments.ts';

interface Operands {
  readonly rows: tf.Tensor;
  readonly weight: tf.Tensor;
}

/** What sums were made of, for whoever scales them. */
const operandsOf = new WeakMap<object, Operands>();

/**
 * The moments of x · weight with their mean, which is computed when somebody reads it: a gain that scales it reads the
 * operands instead.
 *
 * @param spread the other fields
 */
export function sumOf(
  rows: tf.Tensor,
  weight: tf.Tensor,
  product: Product,
  spread: Partial<Moments>,
): Moments {
  let mean: tf.Tensor | undefined;
  const made = Object.defineProperty({ ...spread }, 'mean', {
    enumerable: true,
    get: () => {
      mean ??= product(rows, weight);
      return mean;
    },
  }) as Moments;
  // A product inside a scan is by a constant of it: a scaled weight is none.
  if (product === plainProduct) operandsOf.set(made, { rows, weight });
  return made;
}

/** The mean times a factor per unit. It scales the weight where that is smaller than the sums: (x W) g = x (W g). */
export function scaledMean(x: Moments, by: tf.Tensor): tf.Tensor {
  const operands = operandsOf.get(x);
  const [rows = 0, inputs = 0] = operands?.rows.shape ?? [];
  return operands && rows > inputs
    ? plainProduct(operands.rows, tf.mul(operands.weight, by))
    : tf.mul(x.mean, by);
}
