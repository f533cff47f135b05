import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { sizeOf } from '../schemas/layer.ts';
import { Random } from '../schemas/random.ts';
import { SCAN, SCAN_GRADIENT } from '../train/engine/scan.ts';
import { SEGMENTS, SEGMENTS_GRADIENT } from '../train/engine/segments.ts';
import { kernels } from '../train/engine/trace/kernels/index.ts';
import type { Shapes, Tensors } from '../train/step.ts';
import { gaussians, relativeDifference } from './support/numbers.ts';
import { runEagerly, runTraced, stepOfFunction } from './support/training.ts';

/** What the kernels are given: numbers that differ, except where a case asks for known ones. */
const feeds: Shapes = {
  scalar: [],
  row: [3],
  column: [2, 1],
  matrix: [2, 3],
  other: [2, 3],
  flipped: [3, 2],
  one: [1, 3, 1],
  stack: [2, 3, 4],
  right: [2, 4, 2],
  left: [4, 2, 3],
  single: [1, 4, 2],
  deep: [2, 2, 2, 3],
  plane: [2, 5, 4, 3],
  filter: [3, 2, 3, 4],
  point: [1, 1, 3, 2],
  deepPlane: [2, 4, 5, 9],
  broadFilter: [3, 2, 9, 33],
  deepFilter: [2, 3, 9, 12],
  broadPoint: [1, 1, 9, 33],
};

type Named = Readonly<Record<string, tf.Tensor>>;
type Case = (x: Named) => tf.Tensor;

const run = (
  kernel: string,
  inputs: tf.Tensor[] | Named,
  attributes: Record<string, unknown> = {},
): tf.Tensor => tf.engine().runKernel(kernel, inputs as tf.NamedTensorMap, attributes as tf.NamedAttrMap);

const positive = (x: tf.Tensor): tf.Tensor => tf.add(tf.abs(x), 0.5);
const known = (number: number, shape: number[] = []): tf.Tensor => tf.fill(shape, number);

/** An operator of one operand, on numbers unknown and known. */
const unary = (kernel: string, of: (x: tf.Tensor) => tf.Tensor = (x) => x): Case[] => [
  ({ matrix }) => run(kernel, { x: of(matrix!) }),
  ({ scalar }) => run(kernel, { x: of(scalar!) }),
  ({ deep }) => run(kernel, { x: of(deep!) }),
  () => run(kernel, { x: of(known(0.75, [2, 2])) }),
  ({ row }) => tf.add(row!, run(kernel, { x: of(known(-1.5)) })),
];

const pairs: readonly (readonly [string, string])[] = [
  ['matrix', 'other'],
  ['matrix', 'row'],
  ['row', 'matrix'],
  ['column', 'row'],
  ['scalar', 'matrix'],
  ['one', 'row'],
  ['deep', 'column'],
];

/** An operator of two operands: broadcast every way, and with numbers known on either side or both. */
const binary = (kernel: string, of: (x: tf.Tensor) => tf.Tensor = (x) => x): Case[] => [
  ...pairs.map(
    ([a, b]): Case =>
      (x) =>
        run(kernel, { a: of(x[a]!), b: of(x[b]!) }),
  ),
  ...[0, 1, -2.5].flatMap((number): Case[] => [
    ({ matrix }) => run(kernel, { a: of(matrix!), b: of(known(number)) }),
    ({ matrix }) => run(kernel, { a: of(known(number)), b: of(matrix!) }),
    ({ matrix }) => run(kernel, { a: of(matrix!), b: of(known(number, [2, 3])) }),
    ({ row }) => run(kernel, { a: of(row!), b: of(known(number, [2, 3])) }),
    ({ row }) => run(kernel, { a: of(known(number, [2, 1])), b: of(row!) }),
    ({ row }) =>
      tf.add(
        tf.cast(row!, 'float32'),
        tf.cast(run(kernel, { a: of(known(number)), b: of(known(0.5, [2, 3])) }), 'float32'),
      ),
  ]),
];

/** Numbers of which many are equal. */
const rounded = (x: tf.Tensor): tf.Tensor => tf.cast(tf.cast(x, 'int32'), 'float32');

const reduction = (kernel: string, axisName: 'axis' | 'reductionIndices'): Case[] => {
  const over =
    (axes: number[], keepDims: boolean): Case =>
    ({ deep }) =>
      run(kernel, { x: deep! }, { [axisName]: axes, keepDims });
  return [
    over([0], true),
    over([3], true),
    over([1, 3], true),
    over([1], false),
    over([2, 3], false),
    over([0, 1, 2, 3], false),
    ({ one }) => run(kernel, { x: one! }, { [axisName]: [0, 2], keepDims: false }),
    ({ one }) => run(kernel, { x: one! }, { [axisName]: 2, keepDims: true }),
    ({ scalar }) => run(kernel, { x: scalar! }, { [axisName]: [], keepDims: false }),
    ({ matrix }) =>
      tf.add(matrix!, run(kernel, { x: known(0.5, [3, 3]) }, { [axisName]: [0], keepDims: false })),
    () => run(kernel, { x: known(0.5, [1, 3]) }, { [axisName]: [0], keepDims: false }),
  ];
};

const turn = (x: tf.Tensor, turned: boolean): tf.Tensor => {
  const rank = x.shape.length;
  return turned ? tf.transpose(x, [...Array(rank - 2).keys(), rank - 1, rank - 2]) : x;
};

const products = (transposeA: boolean, transposeB: boolean): Case[] => {
  const product = (a: tf.Tensor, b: tf.Tensor): tf.Tensor =>
    run('BatchMatMul', { a: turn(a, transposeA), b: turn(b, transposeB) }, { transposeA, transposeB });
  return [
    ({ matrix, flipped }) => product(matrix!, flipped!),
    ({ flipped, matrix }) => product(flipped!, matrix!),
    ({ stack, right }) => product(stack!, right!),
    ({ stack, single }) => product(stack!, single!),
    ({ flipped }) => product(known(0.5, [4, 3]), flipped!),
    ({ matrix, flipped, row }) => tf.add(tf.mul(product(flipped!, matrix!), 3), row!),
    ({ matrix, flipped }) =>
      tf.neg(tf.add(product(flipped!, matrix!), tf.matMul(flipped as tf.Tensor2D, matrix as tf.Tensor2D))),
  ];
};

const windows = [
  { strides: [1, 1], pad: 'same' },
  { strides: [2, 2], pad: 'same' },
  { strides: [1, 2], pad: 'valid' },
  { strides: [3, 1], pad: 'same' },
] as const;

/** A convolution, or a gradient of one, of a 3 × 2 filter at every kind of stride, and of one that sees a point. */
const convolutions = (
  of: (
    x: tf.Tensor4D,
    filter: tf.Tensor4D,
    how: { strides: [number, number]; pad: 'same' | 'valid' },
  ) => tf.Tensor,
): Case[] => [
  ...windows.flatMap(({ strides, pad }) =>
    ['filter', 'point'].map(
      (name): Case =>
        (x) =>
          of(x.plane as tf.Tensor4D, x[name] as tf.Tensor4D, { strides: [...strides], pad }),
    ),
  ),
  // Filters and channels so many that another form of the product is the fastest.
  ...windows.flatMap(({ strides, pad }) =>
    ['broadFilter', 'deepFilter', 'broadPoint'].map(
      (name): Case =>
        (x) =>
          of(x.deepPlane as tf.Tensor4D, x[name] as tf.Tensor4D, { strides: [...strides], pad }),
    ),
  ),
  ({ deepPlane, broadFilter }) =>
    of(tf.mul(deepPlane!, -3) as tf.Tensor4D, tf.mul(broadFilter!, 2) as tf.Tensor4D, {
      strides: [1, 1],
      pad: 'same',
    }),
  ({ plane, filter }) =>
    of(tf.mul(plane!, -3) as tf.Tensor4D, tf.mul(filter!, 2) as tf.Tensor4D, {
      strides: [1, 1],
      pad: 'same',
    }),
  ({ plane }) =>
    of(plane as tf.Tensor4D, known(0.5, [3, 2, 3, 1]) as tf.Tensor4D, { strides: [2, 1], pad: 'same' }),
];

/** The gradient of a convolution: any numbers of the shape of its output will do. */
const gradientOf = (
  x: tf.Tensor4D,
  filter: tf.Tensor4D,
  how: { strides: [number, number]; pad: 'same' | 'valid' },
) => tf.conv2d(x, filter, how.strides, how.pad);

const pools = [
  { filterSize: [2, 2], strides: [2, 2], pad: 'valid' },
  { filterSize: [3, 2], strides: [1, 1], pad: 'valid' },
  { filterSize: [2, 3], strides: [3, 2], pad: 'valid' },
  { filterSize: [5, 4], strides: [1, 1], pad: 'valid' },
];

/** Pools of numbers that differ, that are carried along with a negative one, and of which many are equal. */
const pooling = (of: (x: tf.Tensor, attributes: (typeof pools)[number]) => tf.Tensor): Case[] =>
  pools.flatMap((attributes): Case[] => [
    ({ plane }) => of(plane!, attributes),
    ({ plane }) => of(tf.mul(plane!, -3), attributes),
    ({ plane }) => of(rounded(plane!), attributes),
  ]);

const cases: Record<string, Case[]> = {
  Add: binary('Add'),
  Sub: binary('Sub'),
  Multiply: binary('Multiply'),
  RealDiv: binary('RealDiv', positive),
  Maximum: binary('Maximum'),
  Minimum: binary('Minimum'),
  Greater: binary('Greater', rounded),
  GreaterEqual: binary('GreaterEqual', rounded),
  Less: binary('Less', rounded),
  LessEqual: binary('LessEqual', rounded),
  Equal: binary('Equal', rounded),
  Neg: unary('Neg'),
  Abs: unary('Abs'),
  Exp: unary('Exp'),
  Log: unary('Log', positive),
  Sqrt: unary('Sqrt', positive),
  Square: unary('Square'),
  Tanh: unary('Tanh'),
  Sigmoid: unary('Sigmoid'),
  Softplus: unary('Softplus'),
  Erf: unary('Erf'),
  Identity: unary('Identity'),
  ZerosLike: unary('ZerosLike'),
  OnesLike: unary('OnesLike'),
  AddN: [
    ({ matrix, other }) => run('AddN', [matrix!, other!, matrix!]),
    ({ matrix }) => run('AddN', [matrix!]),
    ({ matrix }) => run('AddN', [matrix!, known(2, [2, 3])]),
    () => run('AddN', [known(1, [2]), known(2, [2])]),
  ],
  Cast: (['float32', 'int32', 'bool'] as const).flatMap((dtype): Case[] => [
    ({ matrix }) => run('Cast', { x: tf.mul(matrix!, 3) }, { dtype }),
    ({ matrix }) => run('Cast', { x: tf.cast(tf.mul(matrix!, 3), 'int32') }, { dtype }),
    ({ matrix }) => run('Cast', { x: tf.greater(matrix!, 0) }, { dtype }),
    () => run('Cast', { x: known(0, [2]) }, { dtype }),
    () => run('Cast', { x: known(0.5, [2]) }, { dtype }),
    () => run('Cast', { x: known(-2.75, [2]) }, { dtype }),
  ]),
  Fill: [
    () => run('Fill', {}, { shape: [2, 3], value: 1.5, dtype: 'float32' }),
    () => run('Fill', {}, { shape: [], value: 3, dtype: 'int32' }),
    ({ row }) => tf.mul(row!, run('Fill', {}, { shape: [2, 3], value: 0.1, dtype: 'float32' })),
  ],
  Reshape: [
    ({ stack }) => run('Reshape', { x: stack! }, { shape: [4, 6] }),
    ({ stack }) => run('Reshape', { x: stack! }, { shape: [3, -1] }),
    ({ scalar }) => run('Reshape', { x: scalar! }, { shape: [1, 1] }),
    ({ one }) => run('Reshape', { x: one! }, { shape: [3] }),
    () => run('Reshape', { x: known(2, [2, 3]) }, { shape: [6] }),
  ],
  Slice: [
    ({ matrix }) => run('Slice', { x: matrix! }, { begin: [0, 1], size: [2, 2] }),
    ({ stack }) => run('Slice', { x: stack! }, { begin: [1, 0, 1], size: [-1, 2, 2] }),
    ({ matrix }) => run('Slice', { x: tf.mul(matrix!, -3) }, { begin: [1, 0], size: [1, 3] }),
    () => run('Slice', { x: known(2, [2, 3]) }, { begin: [0, 1], size: [2, 2] }),
  ],
  Pack: [
    ({ matrix, other }) => tf.stack([matrix!, other!]),
    ({ matrix, other }) => tf.stack([matrix!, tf.mul(other!, 2), matrix!], 1),
    ({ row }) => tf.stack([row!, row!], -1),
    ({ matrix }) => tf.stack([matrix!, tf.onesLike(matrix!)], 2),
    () => tf.stack([known(3, [2]), known(3, [2])]),
  ],
  Unpack: [
    ({ matrix }) => tf.sub(...(tf.unstack(matrix!).slice(0, 2) as [tf.Tensor, tf.Tensor])),
    ({ stack }) => tf.unstack(stack!, 1)[1]!,
    ({ stack }) => tf.addN(tf.unstack(stack!, 2)),
    () => tf.unstack(known(-2, [3, 2]))[2]!,
  ],
  PadV2: [
    ({ matrix }) =>
      run(
        'PadV2',
        { x: matrix! },
        {
          paddings: [
            [1, 0],
            [0, 2],
          ],
          constantValue: 0,
        },
      ),
    ({ row }) => run('PadV2', { x: tf.mul(row!, 2) }, { paddings: [[2, 1]], constantValue: -1.5 }),
    () =>
      run(
        'PadV2',
        { x: known(2, [2, 3]) },
        {
          paddings: [
            [1, 0],
            [0, 0],
          ],
          constantValue: 2,
        },
      ),
    () => run('PadV2', { x: known(2, [3]) }, { paddings: [[1, 0]], constantValue: 0 }),
  ],
  Transpose: [
    ({ matrix }) => run('Transpose', { x: matrix! }, { perm: [1, 0] }),
    ({ stack }) => run('Transpose', { x: stack! }, { perm: [2, 0, 1] }),
    ({ deep }) => run('Transpose', { x: deep! }, { perm: [3, 1, 0, 2] }),
    () => run('Transpose', { x: known(2, [2, 3]) }, { perm: [1, 0] }),
  ],
  Sum: reduction('Sum', 'axis'),
  Mean: reduction('Mean', 'axis'),
  Min: reduction('Min', 'axis'),
  Max: reduction('Max', 'reductionIndices'),
  BatchMatMul: [
    ...products(false, false),
    ...products(true, false),
    ...products(false, true),
    ...products(true, true),
  ],
  Conv2D: convolutions((x, filter, how) =>
    run('Conv2D', { x, filter }, { ...how, dataFormat: 'NHWC', dilations: 1 }),
  ),
  Conv2DBackpropInput: convolutions((x, filter, how) =>
    run(
      'Conv2DBackpropInput',
      { dy: gradientOf(x, filter, how), filter },
      { ...how, dataFormat: 'NHWC', inputShape: x.shape },
    ),
  ),
  Conv2DBackpropFilter: convolutions((x, filter, how) =>
    run(
      'Conv2DBackpropFilter',
      { x, dy: gradientOf(x, filter, how) },
      { ...how, dataFormat: 'NHWC', filterShape: filter.shape },
    ),
  ),
  AvgPool: pooling((x, attributes) => run('AvgPool', { x }, attributes)),
  AvgPoolGrad: pooling((x, attributes) =>
    run('AvgPoolGrad', { dy: tf.mul(run('MaxPool', { x }, attributes), 2), input: x }, attributes),
  ),
  MaxPool: pooling((x, attributes) => run('MaxPool', { x }, attributes)),
  MaxPoolGrad: pooling((x, attributes) => {
    const output = run('MaxPool', { x }, attributes);
    const dy = tf.mul(run('AvgPool', { x }, attributes), 2);
    return run('MaxPoolGrad', { dy, input: x, output }, attributes);
  }),
};

test('every kernel of the table has cases', () => {
  // Those with a body have files of their own: scan.test.ts, checkpointing.test.ts.
  const bodies = [SCAN, SCAN_GRADIENT, SEGMENTS, SEGMENTS_GRADIENT];
  expect([...Object.keys(cases), ...bodies].sort()).toEqual(Object.keys(kernels).sort());
});

describe('a traced kernel computes what tfjs computes', () => {
  const random = Random.fromSeed(2, 'kernels');
  const data = Object.fromEntries(
    Object.entries(feeds).map(([name, shape]) => [name, gaussians(sizeOf(shape), random)]),
  );

  test.each(Object.entries(cases))('%s', async (_kernel, list) => {
    const shapes = new Map<string, string>();
    const step = stepOfFunction(feeds, (fed) => {
      const results: Tensors = Object.fromEntries(list.map((each, index) => [`case ${index}`, each(fed)]));
      for (const [name, { shape, dtype }] of Object.entries(results)) {
        // Traced after it ran eagerly, each result must have the shape and type it had then.
        const told = `${dtype} [${shape}]`;
        expect(told).toBe(shapes.get(name) ?? told);
        shapes.set(name, told);
      }
      return results;
    });
    const expected = await runEagerly(step, {}, data);
    const reports = list.map((_, index) => `case ${index}`);
    const actual = await runTraced(step, {}, data, { reports });
    const differing = reports.filter(
      (name) => !(relativeDifference(actual.reports[name]!, expected.reports[name]!) < 2e-6),
    );
    expect(differing.map((name) => [name, actual.reports[name], expected.reports[name]])).toEqual([]);
  });
});
