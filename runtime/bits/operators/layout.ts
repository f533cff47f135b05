import {
  asInteger,
  compare,
  type Expression,
  load,
  number,
  type Rows,
  select,
  vector,
} from '../expression.ts';
import type { Builder } from '../builder.ts';
import { intOf, intsOf } from '../flat-graph.ts';
import { plain, referenceOf, reshapedDims, sizeOf } from '../reference/index.ts';
import { featuresOf, type RowsValue, rowsOf, Unfit, type Value } from '../values.ts';
import type { Inputs, Operator } from './operator.ts';

function rowsInput(inputs: Inputs): RowsValue {
  const [x] = inputs;
  if (x?.kind !== 'rows') throw new Unfit('no rows');
  return x;
}

function constantIntegers(value: Value | undefined): number[] {
  if (value?.kind !== 'constant') throw new Unfit('a shape that is not known');
  return Array.from(plain(value.numbers()));
}

/** Numbers of the same type in other rows. */
const viewOf = (
  { type }: RowsValue,
  dims: readonly number[],
  axis: number,
  expression: Expression,
): Value => ({
  kind: 'rows',
  type,
  dims,
  axis,
  expression,
});

/** The same rows under other dims. */
const seen = (x: RowsValue, dims: readonly number[], axis: number): readonly Value[] => [
  { ...x, dims, axis },
];

/** Axes may move, as long as those besides the features keep their order. */
const transpose: Operator = (_builder, node, inputs) => {
  const x = rowsInput(inputs);
  const order = intsOf(node, 'perm') ?? [...x.dims.keys()].toReversed();
  if (order.toSorted((a, b) => a - b).join() !== [...x.dims.keys()].join())
    throw new Unfit('axes that it does not have');
  // An axis of size 1 is in order wherever it is.
  const others = order.filter((axis) => axis !== x.axis && x.dims[axis] !== 1);
  if (others.some((axis, index) => index > 0 && axis < (others[index - 1] as number)))
    throw new Unfit('axes change their order');
  return seen(
    x,
    order.map((axis) => x.dims[axis] as number),
    order.indexOf(x.axis),
  );
};

function reshaped(builder: Builder, x: RowsValue, dims: readonly number[]): readonly Value[] {
  if (sizeOf(dims) !== sizeOf(x.dims)) throw new Unfit('another size');
  const axis = folded(x, dims);
  if (axis !== undefined) return seen(x, dims, axis);
  const last = dims.length - 1;
  const features = featuresOf(x);
  const inOrder = x.dims.slice(x.axis + 1).every((size) => size === 1);
  const wide = dims[last] as number;
  if (!inOrder || features === 0 || wide % features !== 0) throw new Unfit('features that are taken apart');
  if (wide === features) return seen(x, dims, last);
  return [joined(builder, x, dims, wide / features)];
}

/** Where the axis of the features goes if the leading axes alone are merged or split. */
function folded({ dims: before, axis }: RowsValue, after: readonly number[]): number | undefined {
  let same = 0;
  while (
    same < Math.min(before.length, after.length) &&
    before[before.length - 1 - same] === after[after.length - 1 - same]
  )
    same++;
  const fromEnd = before.length - axis;
  return fromEnd <= same ? after.length - fromEnd : undefined;
}

/** Rows one behind another as one row. */
function joined(builder: Builder, x: RowsValue, dims: readonly number[], parts: number): RowsValue {
  const axis = dims.length - 1;
  const settled = builder.settle({ ...x });
  const from = settled.expression.rows as Rows;
  const { form } = from;
  const bits = featuresOf(x) * (form === 'bits' ? 1 : form === 'u8' ? 8 : 32);
  const value: RowsValue = { kind: 'rows', type: x.type, dims, axis, expression: settled.expression };
  const count = rowsOf(value);
  const to = builder.room(form, { rows: count, features: featuresOf(value) });
  const { kernels } = builder.engine;
  if (builder.inLoop) throw new Unfit('a loop that joins rows');
  builder.steps.push(() => kernels.joinRows(from.at, to.at, count, parts, bits, from.stride, to.stride));
  value.expression = reloaded(settled.expression, to);
  return value;
}

/** The same numbers in other rows. */
const reloaded = ({ low, high, whole, amount }: Expression, rows: Rows): Expression =>
  load(rows, { low, high, whole }, amount);

/** Zeros behind the features. */
const pad: Operator = (builder, _node, inputs) => {
  const x = rowsInput(inputs);
  const pads = constantIntegers(inputs[1]);
  const [, , amount, axes] = inputs;
  const zero = amount === undefined || (amount.kind === 'constant' && Number(amount.numbers().data[0]) === 0);
  const rank = x.dims.length;
  const more = pads[rank + x.axis] ?? 0;
  const only = pads.every((size, index) => index === rank + x.axis || size === 0);
  if (!zero || axes || pads.length !== 2 * rank || !only || more < 0 || builder.inLoop)
    throw new Unfit('a padding of other axes');
  const dims = x.dims.map((size, axis) => (axis === x.axis ? size + more : size));
  const settled = builder.settle({ ...x });
  const { form } = settled.expression.rows as Rows;
  const value = form === 'bits' ? settled : { ...settled, expression: withZerosBehind(settled) };
  const rows = builder.place(value, form, featuresOf(x) + more);
  const { low, high } = settled.expression;
  const expression = reloaded(
    { ...settled.expression, low: Math.min(0, low), high: Math.max(0, high) },
    rows,
  );
  return [{ kind: 'rows', type: x.type, dims, axis: x.axis, expression }];
};

/** Kernels compute whole blocks, and what is behind the features of a row may be anything: here it is zeros. */
function withZerosBehind(x: RowsValue): Expression {
  // Behind the end of a vector there are zeros.
  const own = compare('greater', vector(new Float32Array(featuresOf(x)).fill(1)), number(0));
  const kept = select(own, x.expression, number(0));
  const found = x.expression.lane === 'i32' ? asInteger(kept) : kept;
  if (!found) throw new Unfit('a padding of large numbers');
  return found;
}

/** Parts along the first axis: the same memory from other places on. */
const split: Operator = (builder, node, inputs) => {
  const x = rowsInput(inputs);
  const count = node.outputs.length;
  const [length = 0, ...rest] = x.dims;
  const given = inputs[1] ? constantIntegers(inputs[1]) : undefined;
  const sizes = given ?? Array.from({ length: count }, () => length / count);
  const whole = sizes.every((size) => Number.isInteger(size) && size > 0) && sizes.length === count;
  if (intOf(node, 'axis', 0) !== 0 || x.axis === 0 || !whole)
    throw new Unfit('not along the first axis of rows');
  const settled = builder.settle({ ...x });
  const rows = settled.expression.rows as Rows;
  const each = rowsOf(x) / length;
  let first = 0;
  return sizes.map((size): Value => {
    const view: Rows = { ...rows, at: rows.at + first * each * rows.stride };
    first += size;
    return viewOf(x, [size, ...rest], x.axis, reloaded(settled.expression, view));
  });
};

/** Rows one behind another. */
const concat: Operator = (builder, node, inputs) => {
  const x = rowsInput(inputs);
  const parts = inputs.map((_, index) => rowsInput(inputs.slice(index)));
  const [, ...rest] = x.dims;
  const { lane, amount } = x.expression;
  const alike = parts.every(
    ({ dims, axis, type, expression }) =>
      axis === x.axis &&
      type === x.type &&
      dims.slice(1).join() === rest.join() &&
      expression.lane === lane &&
      expression.amount === amount,
  );
  if (intOf(node, 'axis', 0) !== 0 || x.axis === 0 || builder.inLoop || !alike)
    throw new Unfit('not along the first axis of rows');
  const form = lane === 'mask' ? 'bits' : lane === 'f32' ? 'f32' : 'i32';
  const dims = [parts.reduce((sum, part) => sum + (part.dims[0] as number), 0), ...rest];
  const value = { kind: 'rows' as const, type: x.type, dims, axis: x.axis };
  const to = builder.room(form, { rows: rowsOf(value), features: featuresOf(value) });
  let first = 0;
  for (const part of parts) {
    const rows: Rows = { ...to, at: to.at + first * to.stride };
    const walk = { rows: rowsOf(part), features: featuresOf(part) };
    builder.run([{ form, value: part.expression, rows }], walk);
    first += walk.rows;
  }
  const range = {
    low: Math.min(...parts.map(({ expression }) => expression.low)),
    high: Math.max(...parts.map(({ expression }) => expression.high)),
    whole: parts.every(({ expression }) => expression.whole),
  };
  return [{ ...value, expression: load(to, range, amount) }];
};

/** Other dims for the same numbers, as the definition of the operator says them. */
const redimensioned: Operator = (builder, node, inputs) => {
  const x = rowsInput(inputs);
  const shape = { type: 'bool' as const, dims: x.dims, data: new Uint8Array(sizeOf(x.dims)) };
  const others = inputs.slice(1).map((input) => (input?.kind === 'constant' ? input.numbers() : undefined));
  const [found] = referenceOf(node)?.(node, [shape, ...others]) ?? [];
  if (!found) throw new Unfit('a shape that is not known');
  return reshaped(builder, x, found.dims);
};

/** Operators that leave the numbers as they are. */
export const layout: Readonly<Record<string, Operator>> = {
  Transpose: transpose,
  Pad: pad,
  Split: split,
  Concat: concat,
  Squeeze: redimensioned,
  Unsqueeze: redimensioned,
  Identity: (_builder, _node, inputs) => [rowsInput(inputs)],
  Reshape: (builder, node, inputs) => {
    const x = rowsInput(inputs);
    return reshaped(builder, x, reshapedDims(node, x.dims, constantIntegers(inputs[1])));
  },
  Flatten: (builder, node, inputs) => {
    const x = rowsInput(inputs);
    const axis = intOf(node, 'axis', 1);
    const first = axis < 0 ? axis + x.dims.length : axis;
    return reshaped(builder, x, [sizeOf(x.dims.slice(0, first)), sizeOf(x.dims.slice(first))]);
  },
};
