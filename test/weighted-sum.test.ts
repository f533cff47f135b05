import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import type { Moments } from '../train/moments.ts';
import { weightedSum } from '../train/weighted-sum.ts';
import { relativeDifference } from './support/numbers.ts';
import { registerGradients } from '../train/engine/gradients.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
  registerGradients();
});

const x = () => tf.tensor2d([1, 2, -1, 0.5, 3, -2], [3, 2]);
const weights = [0.5, -1, 2, 0.25];
const gains = [1.5, -0.5];

/** A sum of rows, and how often it was computed. */
function counted(weight: Moments, outputs: number) {
  let count = 0;
  const sum = weightedSum(weight, outputs, ({ mean, variance }) => {
    count++;
    return {
      mean: tf.matMul(x(), mean as tf.Tensor2D),
      ...(variance && { variance: tf.matMul(tf.square(x()), variance as tf.Tensor2D) }),
    };
  });
  return { sum, count: () => count };
}

const moments = (mean: tf.Tensor, variance?: tf.Tensor): Moments => ({ mean, ...(variance && { variance }) });

test('a gain on the weights is a gain on the sums, gradients included', () => {
  for (const scalesMeanOnly of [false, true]) {
    const of = (isGained: boolean) => (weight: tf.Tensor, gain: tf.Tensor) => {
      const { sum } = counted(moments(weight, tf.square(weight)), 6);
      const factor: Moments = { mean: gain, ...(scalesMeanOnly && { scalesMeanOnly: true }) };
      const found: Moments = isGained
        ? sum.gained!(factor)
        : {
            mean: tf.mul(sum.mean, gain),
            variance: scalesMeanOnly ? sum.variance! : tf.mul(sum.variance!, tf.square(gain)),
          };
      return tf.sum(tf.add(tf.square(found.mean), tf.mul(found.variance!, found.variance!)));
    };
    const given = [tf.tensor2d(weights, [2, 2]), tf.tensor1d(gains)];
    const [gained, multiplied] = [of(true), of(false)].map((compute) => {
      const { value, grads } = tf.valueAndGrads(compute as unknown as (...all: tf.Tensor[]) => tf.Scalar)(
        given,
      );
      return [value, ...grads].flatMap((each) => Array.from(each.dataSync()));
    });
    expect(relativeDifference(gained!, multiplied!)).toBeLessThan(1e-6);
  }
});

test('the sum without a gain is computed only where it is read, and once', () => {
  const { sum, count } = counted(moments(tf.tensor2d(weights, [2, 2]), tf.ones([2, 2])), 6);
  sum.gained!(moments(tf.tensor1d(gains)));
  expect(count()).toBe(1);
  expect(Array.from(sum.variance!.dataSync())).toEqual([5, 5, 1.25, 1.25, 13, 13]);
  expect(Array.from(sum.mean.dataSync())).toEqual([4.5, -0.5, 0.5, 1.125, -2.5, -3.5]);
  expect(count()).toBe(2);
});

test('where there are as many weights as sums, a gain is left to who multiplies', () => {
  const { sum, count } = counted(moments(tf.tensor2d(weights, [2, 2])), 4);
  expect(count()).toBe(1);
  expect(sum.gained).toBeUndefined();
  expect(sum.variance).toBeUndefined();
});
