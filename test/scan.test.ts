import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { Random } from '../schemas/random.ts';
import { type ProductOptions, scan, type ScanBody } from '../train/engine/scan.ts';
import type { Shapes, Tensors } from '../train/step.ts';
import { gaussians, numberOf, relativeDifference, slopesOf } from './support/numbers.ts';
import { runEagerly, runTraced, stepOfFunction } from './support/training.ts';

const [TIMES, BATCH, INPUTS, UNITS] = [5, 2, 3, 4];

const shapes: Shapes = {
  weight: [UNITS, UNITS],
  scale: [UNITS],
  input: [TIMES, BATCH, UNITS],
  other: [TIMES, BATCH, 1],
  ofFirst: [TIMES, BATCH, UNITS],
  ofSecond: [TIMES, BATCH],
};
const operands = ['weight', 'scale', 'input', 'other'] as const;

/** Two states that feed each other, a product, a constant used twice, two outputs, and an input that is not read. */
const bodyOf =
  (options: ProductOptions): ScanBody =>
  ({ constants, state, inputs, product }) => {
    const [weight, scale] = constants as [tf.Tensor, tf.Tensor];
    const [first, second] = state as [tf.Tensor, tf.Tensor];
    const [input, other] = inputs as [tf.Tensor, tf.Tensor, tf.Tensor];
    const fed = tf.add(product(tf.tanh(first), weight), tf.mul(scale, input));
    const next = tf.tanh(tf.add(fed, second));
    const again = product(first, weight, options);
    const after = tf.add(tf.mul(second, 0.5), tf.mul(tf.add(scale, other), tf.tanh(again)));
    return { state: [next, after], outputs: [tf.square(next), tf.sum(tf.mul(after, scale), -1)] };
  };

const outputsOf = (x: Tensors, options: ProductOptions): tf.Tensor[] =>
  scan(bodyOf(options), {
    constants: [x.weight!, x.scale!],
    initial: [tf.zeros([BATCH, UNITS]), tf.zeros([BATCH, UNITS])],
    sequences: [x.input!, x.other!, tf.mul(tf.ones([TIMES, BATCH, INPUTS]), 0.5)],
  }).outputs;

function weighed(x: Tensors, options: ProductOptions): tf.Tensor {
  const [first, second] = outputsOf(x, options);
  return tf.add(tf.sum(tf.mul(first!, x.ofFirst!)), tf.sum(tf.mul(second!, x.ofSecond!)));
}

const stepOf = (options: ProductOptions) =>
  stepOfFunction(shapes, (x) => {
    const [first, second] = outputsOf(x, options);
    const gradients = tf.grads((...given: tf.Tensor[]) =>
      weighed({ ...x, ...Object.fromEntries(operands.map((name, index) => [name, given[index]!])) }, options),
    )(operands.map((name) => x[name]!));
    return {
      first: first!,
      second: second!,
      ...Object.fromEntries(operands.map((name, index) => [`by.${name}`, gradients[index]!])),
    };
  });

const random = Random.fromSeed(3, 'scan');
const feeds: Readonly<Record<string, Float32Array>> = Object.fromEntries(
  Object.entries(shapes).map(([name, shape]) => [name, gaussians(tf.util.sizeFromShape([...shape]), random)]),
);

describe('a scan', () => {
  test.each([{}, { detached: true }] as const)(
    'is one node of the traced graph, and computes what its steps do one by one: %j',
    async (options) => {
      const eager = (await runEagerly(stepOf(options), {}, feeds)).reports;
      const reports = Object.keys(eager);
      const traced = (await runTraced(stepOf(options), {}, feeds, { reports })).reports;
      for (const name of reports)
        expect(relativeDifference(traced[name]!, eager[name]!), name).toBeLessThan(1e-5);
    },
  );

  test.each(operands)('its gradient by %s is that of finite differences', async (name) => {
    const { reports } = await runEagerly(stepOf({}), {}, feeds);
    const at = (moved: Float32Array): number =>
      numberOf(() =>
        weighed(
          Object.fromEntries(
            Object.entries({ ...feeds, [name]: moved }).map(([key, data]) => [
              key,
              tf.tensor(data, [...shapes[key]!]),
            ]),
          ),
          {},
        ),
      );
    expect(relativeDifference(reports[`by.${name}`]!, slopesOf(at, feeds[name]!, 1e-2))).toBeLessThan(5e-3);
  });

  test('a detached product has no gradient by what it multiplies', async () => {
    const [open, detached] = await Promise.all(
      [{}, { detached: true } as const].map((options) => runEagerly(stepOf(options), {}, feeds)),
    );
    expect(detached!.reports.first).toEqual(open!.reports.first);
    expect(relativeDifference(detached!.reports['by.input']!, open!.reports['by.input']!)).toBeGreaterThan(
      1e-2,
    );
  });
});
