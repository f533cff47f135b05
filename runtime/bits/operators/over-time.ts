import { type Binary, binary, type Expression, load, number, type Rows } from '../expression.ts';
import type { Builder } from '../builder.ts';
import { type FlatNode, intOf, intsOf } from '../flat-graph.ts';
import { UserError } from '../../../schemas/errors.ts';
import { type Numbers, plain, sizeOf } from '../reference/index.ts';
import {
  type ConstantValue,
  featuresOf,
  type HostValue,
  type RowsValue,
  rowsOf,
  Unfit,
  type Value,
} from '../values.ts';
import type { Inputs, Operator } from './operator.ts';

/** What an expression is at each time: what it loads moves on by the rows of one time. */
export function atTimes(builder: Builder, expression: Expression, rows: number): Expression {
  builder.complete(expression);
  const known = new Map<Expression, Expression>();
  const views = new Map<Rows, Rows>();
  const viewOf = (each: Rows): Rows => {
    const found = views.get(each) ?? { ...each, time: each.stride * rows };
    views.set(each, found);
    return found;
  };
  const visit = (each: Expression): Expression => {
    const found = known.get(each) ?? {
      ...each,
      args: each.args.map(visit),
      ...(each.rows && { rows: viewOf(each.rows) }),
    };
    known.set(each, found);
    return found;
  };
  return visit(expression);
}

function sequenceOf(node: FlatNode, inputs: Inputs, builder: Builder): RowsValue {
  const [x, axes] = inputs;
  const given = axes?.kind === 'constant' ? Array.from(plain(axes.numbers())) : intsOf(node, 'axes');
  if (x?.kind !== 'rows' || x.axis === 0 || given?.join() !== '0' || builder.inLoop || x.type !== 'float32')
    throw new Unfit('not over the first axis of rows');
  return x;
}

/** One result of all times: start ∘ x₀ ∘ x₁ ∘ … */
const reduced =
  (op: Binary, start: number, mean = false): Operator =>
  (builder, node, inputs) => {
    const x = sequenceOf(node, inputs, builder);
    const [times = 0, ...rest] = x.dims;
    const one: RowsValue = { ...x, dims: rest, axis: x.axis - 1 };
    const walk = { rows: rowsOf(one), features: featuresOf(one) };
    const slice = atTimes(builder, x.expression, walk.rows);
    const to = builder.room('f32', walk);
    const any = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, whole: false };
    const held = load(to, any);
    const { heap } = builder.engine;
    const room = to.stride * walk.rows;
    builder.steps.push(() => new Float32Array(heap.memory.buffer, to.at, room / 4).fill(start));
    const targets = [{ form: 'f32' as const, value: binary(op, held, slice), rows: to }];
    if (times > 0) builder.steps.push(builder.kernel(targets, walk, times));
    const expression = mean ? binary('divide', held, number(times)) : held;
    const keeps = intOf(node, 'keepdims', 1) === 1;
    return [keeps ? { ...one, dims: [1, ...rest], axis: x.axis, expression } : { ...one, expression }];
  };

/** Rows of a constant table, of whatever rows are asked for at a call: the numbers of each step. */
function ofTable(builder: Builder, node: FlatNode, table: ConstantValue, which: HostValue): RowsValue {
  const [count = 0, ...rest] = table.dims();
  // The features are the one axis of a row that counts, the channels of a plane the first of three.
  const wide = Math.max(
    0,
    rest.findIndex((size) => size !== 1),
  );
  const features = rest[wide] ?? 0;
  const { type, data } = table.numbers();
  if (sizeOf(rest) !== features || type !== 'float32' || intOf(node, 'axis', 0) !== 0 || builder.inLoop)
    throw new Unfit('not rows of a table');
  const axis = which.dims.length + wide;
  const from = builder.table(data as Float32Array, features);
  const { at: source, stride } = from.rows as Rows;
  const size = sizeOf(which.dims);
  const at = builder.allocate(size * stride);
  const { heap, what } = builder.engine;
  builder.steps.push(() => {
    const wanted = (which.slot.numbers as Numbers).data;
    for (let index = 0; index < size; index++) {
      const given = Number(wanted[index]);
      const row = given < 0 ? given + count : given;
      if (!(row >= 0 && row < count))
        throw new UserError(`${what}: Gather '${node.name}' has no element ${given}`);
      heap.bytes.copyWithin(at + index * stride, source + row * stride, source + (row + 1) * stride);
    }
  });
  const expression = load({ form: 'f32', at, stride, time: 0 }, from);
  return { kind: 'rows', type, dims: [...which.dims, ...rest], axis, expression };
}

/** One of all times. */
const gather: Operator = (builder, node, inputs) => {
  const [x, which] = inputs;
  if (x?.kind === 'constant' && which?.kind === 'host') return [ofTable(builder, node, x, which)];
  if (x?.kind !== 'rows' || x.axis === 0 || which?.kind !== 'constant' || intOf(node, 'axis', 0) !== 0)
    throw new Unfit('not one of the first axis of rows');
  const numbers = which.numbers();
  const [times = 0, ...dims] = x.dims;
  const place = Number(numbers.data[0]);
  const index = place < 0 ? place + times : place;
  if (numbers.dims.length > 0 || !(index >= 0 && index < times)) throw new Unfit('not one of the times');
  const one: Value = { ...x, dims, axis: x.axis - 1 };
  const settled = builder.settle({ ...x });
  const { rows, low, high, whole, amount } = settled.expression;
  const { form, at, stride } = rows as Rows;
  const view: Rows = { form, at: at + index * stride * rowsOf(one), stride, time: 0 };
  return [{ ...one, expression: load(view, { low, high, whole }, amount) }];
};

/** Operators that make one step of many. */
export const overTime: Readonly<Record<string, Operator>> = {
  ReduceMean: reduced('add', 0, true),
  ReduceSum: reduced('add', 0),
  ReduceMax: reduced('maximum', Number.NEGATIVE_INFINITY),
  ReduceMin: reduced('minimum', Number.POSITIVE_INFINITY),
  Gather: gather,
};
