import { type Expression, type Form, load, type Range, type Rows } from '../expression.ts';
import type { Builder, Target } from '../builder.ts';
import { isZero, spikesOf, toRows } from '../exchange.ts';
import { type FlatGraph, type FlatNode, intOf } from '../flat-graph.ts';
import { sizeOf } from '../reference/index.ts';
import {
  type ConstantValue,
  featuresOf,
  type RowsValue,
  rangeOfType,
  rowsOf,
  Unfit,
  type Value,
} from '../values.ts';
import { atTimes } from './over-time.ts';
import type { Inputs } from './operator.ts';

/** Computes the outputs of a graph from its inputs. */
export type Walker = (builder: Builder, graph: FlatGraph, inputs: readonly Value[]) => readonly Value[];

/** What is carried from step to step: its numbers at the start, and where they are now. */
interface State {
  readonly start: Value;
  readonly value: RowsValue;
  readonly rows: Rows;
}

/** What is known of the numbers of a state: spikes are a bit each. */
type Kind = { readonly form: 'f32' } | { readonly form: 'bits'; readonly amount: number };

/**
 * A loop over time whose body computes rows from rows of the same shape: one kernel computes all states and outputs
 * of a step, and walks through all steps in one call where nothing in the body needs sums of the step before.
 */
export function scan(builder: Builder, node: FlatNode, inputs: Inputs, walk: Walker): readonly Value[] {
  const body = node.bodies.get('body');
  const fed = intOf(node, 'num_scan_inputs', 0);
  const extra = ['scan_input_directions', 'scan_output_directions', 'scan_input_axes', 'scan_output_axes'];
  if (!body || fed < 1 || extra.some((name) => node.attributes.has(name)) || builder.inLoop)
    throw new Unfit('a loop of another kind');
  const starts = inputs.slice(0, inputs.length - fed).map(present);
  const given = inputs.slice(inputs.length - fed).map(present);
  const first = rowsOver(given[0] as Value);
  const sequences = given.map((value) =>
    value.kind === 'constant' ? tableOver(builder, value, first) : rowsOver(value),
  );
  const [times = 0, ...dims] = first.dims;
  if (times === 0 || sequences.some(({ dims: each }) => each[0] !== times))
    throw new Unfit('no time to walk through');
  const slices = sequences.map((sequence): Value => {
    const { type, axis } = sequence;
    const shape = { dims: sequence.dims.slice(1), axis: axis - 1 };
    const expression = atTimes(builder, sequence.expression, rowsOf(shape));
    return { kind: 'rows', type, dims: shape.dims, axis: shape.axis, expression };
  });
  const shape = { dims, axis: first.axis - 1 };

  // What a state can be is found by computing a step from states that can be anything: what comes out as spikes
  // whatever went in has been spikes before, for it starts as zeros or as the spikes of an earlier call.
  let kinds: readonly Kind[] = starts.map(() => ({ form: 'f32' }));
  let states = starts.map((start, index) => stateOf(builder, start, kinds[index] as Kind, shape));
  const probe = walk(builder.loop(), body, [...states.map(({ value }) => value), ...slices]);
  kinds = starts.map((_, index) => kindOf(probe[index]));
  states = starts.map((start, index) => stateOf(builder, start, kinds[index] as Kind, shape));

  const inner = builder.loop();
  const results = walk(inner, body, [...states.map(({ value }) => value), ...slices]).map(rowsResult);
  const nexts = results.slice(0, states.length);
  const made = results.slice(states.length);
  if (results.some(({ dims: each, axis }) => axis !== shape.axis || each.join() !== dims.join()))
    throw new Unfit('a step of several shapes');
  const size = { rows: rowsOf(first) / times, features: featuresOf(first) };
  const targets: Target[] = nexts.map(({ expression }, index) => {
    const { rows } = states[index] as State;
    if (rows.form === 'bits' && expression.lane !== 'mask')
      throw new Unfit('a state that is spikes but once');
    return { form: rows.form, value: expression, rows };
  });
  const outputs = made.map(({ expression, type }): Target => {
    const form: Form =
      expression.lane === 'mask' ? 'bits' : type === 'uint8' || type === 'bool' ? 'u8' : 'f32';
    const rows = builder.room(form, size, times);
    return { form, value: expression, rows };
  });
  startStates(builder, states, body);
  for (const { expression } of results) inner.complete(expression);
  if (inner.steps.length === 0) builder.steps.push(builder.kernel([...targets, ...outputs], size, times));
  else {
    const kernel = inner.kernel([...targets, ...outputs], size, 1);
    const steps = [...inner.steps, kernel];
    builder.steps.push(() => {
      for (let time = 0; time < times; time++) for (const step of steps) step(time);
    });
  }
  const finals = nexts.map((next, index): Value => {
    const { rows } = states[index] as State;
    const { type, expression } = next;
    return { kind: 'rows', type, dims, axis: shape.axis, expression: reloaded(expression, rows) };
  });
  const all = outputs.map(({ rows, value }, index): Value => {
    const { type } = made[index] as RowsValue;
    const whole: Rows = { ...rows, time: 0 };
    const expression = reloaded(value, whole);
    return { kind: 'rows', type, dims: [times, ...dims], axis: shape.axis + 1, expression };
  });
  return [...finals, ...all];
}

const present = (value: Value | undefined): Value => {
  if (!value) throw new Unfit('an input that is left out');
  return value;
};

function rowsOver(value: Value): RowsValue {
  if (value.kind !== 'rows' || value.axis === 0) throw new Unfit('a sequence that is no rows over time');
  return value;
}

/** A constant that the loop goes through: a row for every time, whatever the example and the place. */
function tableOver(builder: Builder, value: ConstantValue, { axis, dims: [times] }: RowsValue): RowsValue {
  const { type, dims, data } = value.numbers();
  const features = dims[axis] as number;
  if (type !== 'float32' || dims[0] !== times || sizeOf(dims) !== features * (times as number))
    throw new Unfit('a sequence that is no rows over time');
  return { kind: 'rows', type, dims, axis, expression: builder.table(data as Float32Array, features) };
}

function rowsResult(value: Value): RowsValue {
  if (value.kind !== 'rows') throw new Unfit('a step that gives no rows');
  return value;
}

const reloaded = ({ low, high, whole, amount }: Expression, rows: Rows): Expression =>
  load(rows, { low, high, whole }, amount);

/** Spikes of 0 and 1 are kept as bits. */
function kindOf(value: Value | undefined): Kind {
  if (value?.kind !== 'rows') throw new Unfit('a state that is no rows');
  const { lane, amount } = value.expression;
  return lane === 'mask' && amount === 1 ? { form: 'bits', amount } : { form: 'f32' };
}

function stateOf(
  builder: Builder,
  start: Value,
  kind: Kind,
  shape: { dims: readonly number[]; axis: number },
): State {
  const dims = start.kind === 'constant' ? start.numbers().dims : start.dims;
  const type = start.kind === 'constant' ? start.numbers().type : start.type;
  if (dims.join() !== shape.dims.join() || (type !== 'float32' && type !== 'uint8'))
    throw new Unfit('a state of another shape');
  const value = { kind: 'rows' as const, type, ...shape };
  const rows = builder.room(kind.form, { rows: rowsOf(shape), features: featuresOf(shape) });
  const range: Range = kind.form === 'bits' ? rangeOfType.bool : rangeOfType[type];
  const expression = load(rows, range, kind.form === 'bits' ? kind.amount : undefined);
  return { start, value: { ...value, expression }, rows };
}

/** Steps that set the states before the first time. */
function startStates(builder: Builder, states: readonly State[], body: FlatGraph): void {
  const { heap } = builder.engine;
  states.forEach(({ start, value, rows }, index) => {
    const bytes = rows.stride * rowsOf(value);
    if (isZero(start)) {
      builder.steps.push(() => heap.bytes.fill(0, rows.at, rows.at + bytes));
      return;
    }
    const given = start.kind === 'host' ? toRows(builder, start, value.axis) : start;
    if (given.kind !== 'rows' || given.axis !== value.axis) throw new Unfit('a state that starts elsewhere');
    if (rows.form === 'bits') spikesOf(builder, given, rows, body.inputs[index]?.name ?? 'a state');
    else {
      const size = { rows: rowsOf(value), features: featuresOf(value) };
      builder.run([{ form: 'f32', value: given.expression, rows }], size);
    }
  });
}
