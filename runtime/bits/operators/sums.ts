import { asInteger, binary, type Expression, load, number, type Rows, type Sums } from '../expression.ts';
import type { Builder } from '../builder.ts';
import { type FlatNode, floatOf, intOf } from '../flat-graph.ts';
import { type Numbers, picked, plain, sizeOf, windowsOf } from '../reference/index.ts';
import {
  type ConstantValue,
  constantOf,
  featuresOf,
  type RowsValue,
  rowsOf,
  Unfit,
  type Value,
} from '../values.ts';
import type { Weights } from '../weights.ts';
import { operand } from './elementwise.ts';
import type { Inputs, Operator } from './operator.ts';
import { type Source, sourceOf } from './sources.ts';
import { denseSums, windowSums } from './sum-steps.ts';

function rowsInput(inputs: Inputs, index = 0): RowsValue {
  const x = inputs[index];
  if (x?.kind !== 'rows') throw new Unfit('no rows');
  return x;
}

function constantInput(inputs: Inputs, index: number): ConstantValue {
  const found = inputs[index];
  if (found?.kind !== 'constant') throw new Unfit('weights that are no constants');
  return found;
}

let unnamed = 0;

/** Packed weights of a constant. @param arrange brings them into the order [groups, taps, inputs, outputs] */
function packedWeights(
  builder: Builder,
  value: ConstantValue,
  how: string,
  arrange: (numbers: Numbers) => Numbers,
): Weights {
  const key = `${value.name ?? `unnamed ${unnamed++}`}: ${how}`;
  return builder.engine.weights(key, () => arrange(value.numbers()));
}

/** Sums as a value: whole where the inputs are, which the kernels then return as integers. */
function valueOf(
  source: Source,
  weights: Weights,
  sums: Sums,
  dims: readonly number[],
  axis: number,
): RowsValue {
  const form = source.kind === 'bits' ? 'i32' : 'f32';
  const rows: Rows = { form, at: 0, stride: sums.stride, time: 0, sums };
  const type = 'float32';
  if (source.kind === 'floats') {
    const any = load(rows, { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, whole: false });
    return { kind: 'rows', type, dims, axis, expression: scaled(any, weights.magnitude ?? 1) };
  }
  const most = weights.taps * weights.inputs * source.most;
  const whole = load(rows, { low: -most, high: most, whole: true });
  const factor = source.amount * (weights.magnitude as number);
  return { kind: 'rows', type, dims, axis, expression: scaled(whole, factor) };
}

const scaled = (sums: Expression, factor: number): Expression =>
  factor === 1 ? sums : binary('multiply', sums, number(factor));

/** Bits have no sums under real weights: floats have. */
function fitting(builder: Builder, x: RowsValue, weights: Weights): Source {
  if (weights.magnitude !== undefined) return sourceOf(builder, x);
  const { at, stride } = builder.place(x, 'f32');
  return { kind: 'floats', at, bytes: stride };
}

function product(builder: Builder, x: RowsValue, value: ConstantValue, turned: boolean): RowsValue {
  const dims = value.dims();
  const [inputs = 0, outputs = 0] = turned ? dims.toReversed() : dims;
  const last = x.dims.length - 1;
  if (dims.length !== 2 || x.axis !== last || featuresOf(x) !== inputs || inputs === 0)
    throw new Unfit('a matrix of another shape');
  const weights = packedWeights(builder, value, turned ? 'transposed matrix' : 'matrix', (numbers) => {
    const pick = (index: number) => (index % outputs) * inputs + Math.floor(index / outputs);
    const dims = [1, 1, inputs, outputs];
    return turned ? picked(numbers, dims, pick) : { ...numbers, dims };
  });
  const source = fitting(builder, x, weights);
  const sums = denseSums(builder, source, weights, rowsOf(x));
  return valueOf(source, weights, sums, [...x.dims.slice(0, -1), outputs], last);
}

/** Sums and an offset per feature. */
function shifted(
  builder: Builder,
  x: RowsValue,
  offset: Value | undefined,
  shape?: readonly number[],
): RowsValue {
  if (!offset) return x;
  if (offset.kind !== 'constant') throw new Unfit('an offset that is no constant');
  const shaped = shape ? constantOf({ ...offset.numbers(), dims: shape }) : offset;
  return { ...x, expression: binary('add', x.expression, operand(builder, x, shaped)) };
}

const gemm: Operator = (builder, node, inputs) => {
  const plainly = floatOf(node, 'alpha', 1) === 1 && floatOf(node, 'beta', 1) === 1;
  if (!plainly || intOf(node, 'transA', 0) !== 0) throw new Unfit('a scaled or transposed product');
  const sums = product(builder, rowsInput(inputs), constantInput(inputs, 1), intOf(node, 'transB', 0) === 1);
  return [shifted(builder, sums, inputs[2])];
};

/** Filters [filters, channels, height, width] as [groups, taps, channels, filters of a group]. */
function filtersOf(builder: Builder, value: ConstantValue, groups: number, zero: number): Weights {
  return packedWeights(builder, value, `filters in ${groups} groups about ${zero}`, (numbers) => {
    const [filters = 0, channels = 0, tall = 0, wide = 0] = numbers.dims;
    const [taps, each] = [tall * wide, filters / groups];
    const arranged = picked(numbers, [groups, taps, channels, each], (index) => {
      const filter = index % each;
      const channel = Math.floor(index / each) % channels;
      const tap = Math.floor(index / (each * channels)) % taps;
      const group = Math.floor(index / (each * channels * taps));
      return ((group * each + filter) * channels + channel) * taps + tap;
    });
    if (zero === 0) return arranged;
    const data = Int32Array.from(plain(arranged), (weight) => weight - zero);
    return { type: 'int32', dims: arranged.dims, data };
  });
}

function convolution(
  builder: Builder,
  node: FlatNode,
  x: RowsValue,
  value: ConstantValue,
  zero: number,
): RowsValue {
  const [filters = 0, channels = 0, tall = 0, wide = 0] = value.dims();
  const groups = intOf(node, 'group', 1);
  if (x.dims.length !== 4 || x.axis !== 1 || channels * groups !== featuresOf(x) || filters % groups !== 0)
    throw new Unfit('a plane of another shape');
  const windows = windowsOf(node, x.dims, [tall, wide]);
  const weights = filtersOf(builder, value, groups, zero);
  const source = fitting(builder, x, weights);
  const [batch = 0, , height = 0, width = 0] = x.dims;
  const sums = windowSums(builder, source, weights, { ...windows, batch, height, width });
  return valueOf(source, weights, sums, [batch, filters, windows.down, windows.across], 1);
}

const zeroOf = (value: Value | undefined): number => {
  if (!value) return 0;
  if (value.kind !== 'constant' || sizeOf(value.dims()) !== 1) throw new Unfit('a zero point that varies');
  return Number(value.numbers().data[0]);
};

const convInteger: Operator = (builder, node, inputs) => {
  const x = rowsInput(inputs);
  if (zeroOf(inputs[2]) !== 0 || !asInteger(x.expression)) throw new Unfit('inputs with a zero point');
  return [{ ...convolution(builder, node, x, constantInput(inputs, 1), zeroOf(inputs[3])), type: 'int32' }];
};

const conv: Operator = (builder, node, inputs) => {
  const sums = convolution(builder, node, rowsInput(inputs), constantInput(inputs, 1), 0);
  const bias = inputs[2];
  return [shifted(builder, sums, bias, bias && [featuresOf(sums), 1, 1])];
};

/** Operators that add products up. */
export const sums: Readonly<Record<string, Operator>> = {
  MatMul: (builder, _node, inputs) => [product(builder, rowsInput(inputs), constantInput(inputs, 1), false)],
  Gemm: gemm,
  Conv: conv,
  ConvInteger: convInteger,
};
