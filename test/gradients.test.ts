import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../schemas/random.ts';
import { registerGradients } from '../train/engine/gradients.ts';
import { averagePool } from '../train/engine/planes.ts';
import { gaussians, numberOf, numbersOf, relativeDifference, slopesOf } from './support/numbers.ts';

type Operands = tf.Tensor[];

interface Case {
  readonly shapes: readonly (readonly number[])[];
  readonly compute: (...operands: Operands) => tf.Tensor;
  /** Where the operands may lie; by default everywhere. */
  readonly domain?: (x: number) => number;
}

const positive = (x: number): number => 0.5 + Math.abs(x);

const binaryShapes = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3]],
  [
    [2, 1],
    [1, 3],
  ],
  [[], [2, 3]],
];

const everywhere = (x: number): number => x;

const binary = (compute: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor, domain = everywhere): Case[] =>
  binaryShapes.map((shapes) => ({ shapes, compute: (a, b) => compute(a!, b!), domain }));

const unary = (compute: (x: tf.Tensor) => tf.Tensor, domain = everywhere): Case[] => [
  { shapes: [[2, 3]], compute: (x) => compute(x!), domain },
];

/** 1, 2, 3, … in an order that is not that of places. */
const ladder = (shape: number[]): tf.Tensor => {
  const size = tf.util.sizeFromShape(shape);
  return tf.tensor(
    Array.from({ length: size }, (_, index) => 1 + ((index * 7) % size)),
    shape,
  );
};

/** By the kernel whose gradient is used. */
const cases: Record<string, Case[]> = {
  Add: binary(tf.add),
  AddN: [
    {
      shapes: [
        [2, 2],
        [2, 2],
        [2, 2],
      ],
      compute: (...terms) => tf.addN(terms),
    },
  ],
  Sub: binary(tf.sub),
  Multiply: binary(tf.mul),
  RealDiv: binary(tf.div, positive),
  Log: unary(tf.log, positive),
  Neg: unary(tf.neg),
  Square: unary(tf.square),
  Sqrt: unary(tf.sqrt, positive),
  Tanh: unary(tf.tanh),
  Softplus: unary(tf.softplus),
  BatchMatMul: [
    {
      shapes: [
        [2, 3],
        [3, 4],
      ],
      compute: (a, b) => tf.matMul(a!, b!),
    },
    {
      shapes: [
        [2, 2, 3],
        [2, 3, 2],
      ],
      compute: (a, b) => tf.matMul(a!, b!),
    },
  ],
  Exp: unary(tf.exp),
  Slice: [
    ...unary((x) => tf.slice(x, [0, 1], [2, 1])),
    { shapes: [[3, 2, 2]], compute: (x) => tf.slice(x!, [1, 0, 0], [-1, 2, 1]) },
  ],
  Pack: [
    {
      shapes: [
        [2, 3],
        [2, 3],
      ],
      compute: (...list) => tf.stack(list),
    },
  ],
  Unpack: unary((x) => {
    const [first, second] = tf.unstack(x);
    return tf.add(tf.mul(first!, 2), second!);
  }),
  Max: [...unary((x) => tf.max(x)), ...unary((x) => tf.max(x, 0)), ...unary((x) => tf.max(x, 1, true))],
  Mean: [...unary((x) => tf.mean(x)), ...unary((x) => tf.mean(x, 0))],
  PadV2: unary((x) =>
    tf.pad(x, [
      [1, 0],
      [0, 2],
    ]),
  ),
  Conv2D: (['same', 'valid'] as const).map((pad) => ({
    shapes: [
      [2, 4, 3, 2],
      [3, 2, 2, 3],
    ],
    compute: (x, filter) => tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, [1, 2], pad),
  })),
  AvgPool: [{ shapes: [[2, 4, 3, 2]], compute: (x) => averagePool(x!, { size: [2, 2], stride: [2, 1] }) }],
  // Numbers that differ by less than the distance of the differences would change places.
  MaxPool: [
    {
      shapes: [[1, 4, 3, 2]],
      compute: (x) =>
        tf.maxPool(tf.mul(x as tf.Tensor4D, ladder(x!.shape)) as tf.Tensor4D, [2, 2], [2, 1], 'valid'),
      domain: (x) => 1 + 0.1 * Math.tanh(x),
    },
  ],
  Reshape: unary((x) => tf.reshape(x, [3, 2])),
  Sum: [
    ...unary((x) => tf.sum(x)),
    ...unary((x) => tf.sum(x, 0)),
    ...unary((x) => tf.sum(x, -1, true)),
    { shapes: [[2, 3, 2]], compute: (x) => tf.sum(x!, [0, 2]) },
  ],
};

/** What tfjs knows of gradients. */
function registered(): string[] {
  const { _tfGlobals } = globalThis as unknown as { _tfGlobals: Map<string, Map<string, unknown>> };
  return [...(_tfGlobals.get('gradRegistry') as Map<string, unknown>).keys()];
}

beforeAll(async () => {
  await tf.setBackend('cpu');
  registerGradients();
});

test('every rule has a case', () => {
  expect(Object.keys(cases).sort()).toEqual(registered().sort());
});

test('rules are registered once', () => {
  const before = tf.getGradient('Add');
  registerGradients();
  expect(tf.getGradient('Add')).toBe(before);
});

const all = Object.entries(cases).flatMap(([kernel, list]) =>
  list.map((one) => ({ kernel, of: JSON.stringify(one.shapes), ...one })),
);

describe('each gradient is that of finite differences', () => {
  test.each(all)('$kernel of $of', ({ kernel, shapes, compute, domain = everywhere }) => {
    const random = Random.fromSeed(1, kernel);
    const values = shapes.map((shape) =>
      gaussians(tf.util.sizeFromShape([...shape]), random).map((value) => domain(value)),
    );
    const tensors = (data: readonly Float32Array[]): Operands =>
      data.map((each, index) => tf.tensor(each, [...shapes[index]!]));
    const size = numbersOf(() => compute(...tensors(values))).length;
    const weights = gaussians(size, random);
    /** A different weight for each number of the result, so that none is mistaken for another. */
    const total = (...operands: Operands): tf.Tensor =>
      tf.sum(tf.mul(tf.reshape(compute(...operands), [size]), tf.tensor(weights)));

    const gradients = tf.tidy(() =>
      tf
        .grads(total)(tensors(values))
        .map((gradient) => Array.from(gradient.dataSync())),
    );
    gradients.forEach((gradient, place) => {
      const at = (moved: Float32Array): number =>
        numberOf(() => total(...tensors(values.map((each, index) => (index === place ? moved : each)))));
      expect(relativeDifference(gradient, slopesOf(at, values[place]!, 2e-2))).toBeLessThan(1e-3);
    });
  });
});

test('the gradient of a transposed product is refused, not wrong', () => {
  const square = tf.ones([2, 2]);
  const transposed = tf.grad((x) => tf.matMul(x as tf.Tensor2D, square as tf.Tensor2D, true));
  expect(() => transposed(square)).toThrow('the gradient of a transposed matMul is not defined');
});
