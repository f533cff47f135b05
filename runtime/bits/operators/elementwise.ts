import {
  binary,
  type Binary,
  compare,
  type Comparison,
  type Expression,
  logic,
  number,
  repeat,
  type Rows,
  select,
  spread,
  unary,
  type Unary,
  vector,
  withAmount,
} from '../expression.ts';
import type { Builder } from '../builder.ts';
import { type FlatNode, intOf } from '../flat-graph.ts';
import { type NumberType, plain, sizeOf, typeOfCode } from '../reference/index.ts';
import { type ConstantValue, type RowsValue, Unfit, type Value } from '../values.ts';
import type { Inputs, Operator } from './operator.ts';

/** Whether a value has one number for every row of another. */
const isNarrow = (value: RowsValue, leader: RowsValue): boolean =>
  value.axis === leader.axis &&
  value.dims.every((size, axis) => size === (axis === leader.axis ? 1 : leader.dims[axis]));

/**
 * How many rows of the leader, one behind another, take the same row of a shape that has all its features: those of a
 * time step where there is a row for every step. Undefined where rows that are behind another take different ones.
 */
function sharing(shape: readonly number[], { dims, axis }: RowsValue): number | undefined {
  const offset = dims.length - shape.length;
  if (offset < 0 || shape[axis - offset] !== dims[axis]) return undefined;
  let count = 1;
  let shares = true;
  for (let place = dims.length - 1; place >= 0; place--) {
    if (place === axis) continue;
    const [size, own] = [dims[place] as number, shape[place - offset] ?? 1];
    shares &&= own === 1;
    if (shares) count *= size;
    else if (own !== size) return undefined;
  }
  return count;
}

/** The rows among the inputs, which all have one shape, one number for each of its rows, or a row for several. */
function leaderOf(inputs: Inputs): RowsValue {
  const rows = inputs.filter((input): input is RowsValue => input?.kind === 'rows');
  const [first, ...others] = rows;
  if (!first) throw new Unfit('no rows');
  const leader = others.reduce((most, each) => (sizeOf(each.dims) > sizeOf(most.dims) ? each : most), first);
  const fits = (each: RowsValue): boolean =>
    isNarrow(each, leader) || (each.axis === leader.axis && sharing(each.dims, leader) !== undefined);
  if (!rows.every(fits)) throw new Unfit('rows of several shapes');
  return leader;
}

/** An operand, as wide as the leader's features or one number. */
export function operand(builder: Builder, leader: RowsValue, input: Value | undefined): Expression {
  if (input?.kind === 'rows') {
    const { expression } = input;
    if (input.dims.join() === leader.dims.join()) return expression;
    if (!isNarrow(input, leader))
      return repeat(builder.place(input, 'f32'), sharing(input.dims, leader) as number, expression);
    const wide = spread(builder.place(input, 'f32'), expression);
    return expression.lane === 'mask' ? withAmount(truthOf(wide), expression.amount as number) : wide;
  }
  if (input?.kind !== 'constant') throw new Unfit('an operand of another place');
  return constantOperand(builder, leader, input);
}

const truthOf = (x: Expression): Expression => logic('not', [compare('equal', x, number(0))]);

/** One number, numbers of the features, or rows of them. */
function constantOperand(builder: Builder, leader: RowsValue, value: ConstantValue): Expression {
  const numbers = value.numbers();
  const data = plain(numbers);
  const { dims, axis } = leader;
  const offset = dims.length - numbers.dims.length;
  const broadcasts = numbers.dims.every((size, index) => size === 1 || size === dims[index + offset]);
  // NaN is not equal to itself, and −0 is to 0.
  const isFilled = data.length > 0 && Array.prototype.every.call(data, (each) => Object.is(each, data[0]));
  if (isFilled && offset >= 0 && broadcasts) return number(data[0] as number);
  const count = sharing(numbers.dims, leader);
  const inner = sizeOf(numbers.dims.slice(axis - offset + 1));
  if (count === undefined || inner !== 1) throw new Unfit('a constant that is no rows of the features');
  if (data.length === dims[axis]) return vector(Float32Array.from(data));
  if (numbers.type !== 'float32') throw new Unfit(`rows of ${numbers.type}`);
  const table = builder.table(numbers.data as Float32Array, dims[axis] as number);
  return count === 1 ? table : repeat(table.rows as Rows, count, table);
}

/** A value of the leader's shape. */
const made = (leader: RowsValue, type: NumberType, expression: Expression): readonly Value[] => [
  { kind: 'rows', type, dims: leader.dims, axis: leader.axis, expression },
];

/** Numbers of other types wrap around or are cut off. */
function onlyFloats(inputs: Inputs): void {
  for (const input of inputs) {
    const type = input?.kind === 'constant' ? input.numbers().type : input?.type;
    if (type !== 'float32') throw new Unfit(`arithmetic of ${type}`);
  }
}

const pairwise =
  (op: Binary): Operator =>
  (builder, _node, inputs) => {
    onlyFloats(inputs);
    const leader = leaderOf(inputs);
    const expressions = inputs.map((input) => operand(builder, leader, input));
    return made(
      leader,
      'float32',
      expressions.reduce((a, b) => binary(op, a, b)),
    );
  };

const compared =
  (op: Comparison, turned = false): Operator =>
  (builder, _node, inputs) => {
    const leader = leaderOf(inputs);
    const [a, b] = inputs.map((input) => operand(builder, leader, input)) as [Expression, Expression];
    return made(leader, 'bool', turned ? compare(op, b, a) : compare(op, a, b));
  };

const one =
  (op: Unary): Operator =>
  (_builder, _node, inputs) => {
    onlyFloats(inputs);
    const leader = leaderOf(inputs);
    return made(leader, 'float32', unary(op, leader.expression));
  };

const truths =
  (op: 'and' | 'or' | 'xor' | 'not'): Operator =>
  (builder, _node, inputs) => {
    const leader = leaderOf(inputs);
    const masks = inputs.map((input) => operand(builder, leader, input));
    if (masks.some(({ lane }) => lane !== 'mask')) throw new Unfit('truths that are no masks');
    return made(leader, 'bool', logic(op, masks));
  };

/** Numbers of uint8 from an expression of whole ones that fit. */
function bytes(expression: Expression): Expression {
  if (expression.whole && expression.low >= 0 && expression.high <= 255) return expression;
  throw new Unfit('numbers that uint8 would cut off');
}

const cast: Operator = (builder, node, inputs) => {
  const leader = leaderOf(inputs);
  const type = typeOfCode(intOf(node, 'to', 0), node.name);
  const { expression } = leader;
  if (type === 'bool') {
    const mask =
      expression.lane === 'mask' && expression.amount !== 0 ? withAmount(expression, 1) : truthOf(expression);
    return made(leader, type, mask);
  }
  if (type === 'float32') return made(leader, type, expression);
  if (type === 'uint8') return settled(builder, leader, bytes(expression));
  if (type === 'int32' && expression.whole && expression.low > -(2 ** 31) && expression.high < 2 ** 31)
    return made(leader, type, expression);
  throw new Unfit(`a cast to ${type}`);
};

/** Spikes and counts are computed where they arise: several layers and outputs may read them. */
function settled(builder: Builder, leader: RowsValue, expression: Expression): readonly Value[] {
  const value: RowsValue = { kind: 'rows', type: 'uint8', dims: leader.dims, axis: leader.axis, expression };
  return [builder.inLoop ? value : builder.settle(value)];
}

/** A scale for the whole tensor, and a zero point of 0. */
function scaleOf(inputs: Inputs): number {
  const [, scale, zero] = inputs;
  if (scale?.kind !== 'constant' || (zero && zero.kind !== 'constant'))
    throw new Unfit('a scale that varies');
  const numbers = scale.numbers();
  const shift = zero ? plain(zero.numbers()) : [0];
  if (sizeOf(numbers.dims) !== 1 || Array.prototype.some.call(shift, (each) => each !== 0))
    throw new Unfit('a scale per channel, or a zero point');
  return numbers.data[0] as number;
}

const dequantize: Operator = (_builder, _node, inputs) => {
  const leader = leaderOf(inputs.slice(0, 1));
  return made(leader, 'float32', binary('multiply', leader.expression, number(scaleOf(inputs))));
};

/** Above this, the smallest whole number fills a byte. */
const FULL = 1 / 255;

const quantize: Operator = (builder, _node, inputs) => {
  const leader = leaderOf(inputs.slice(0, 1));
  const [, , zero] = inputs;
  if (zero?.kind === 'constant' && zero.numbers().type !== 'uint8') throw new Unfit('a quantisation to int8');
  const scale = scaleOf(inputs);
  const { expression } = leader;
  if (expression.whole && scale <= FULL && scale > 0)
    return settled(builder, leader, withAmount(compare('greater', expression, number(0)), 255));
  const nearest = unary('nearest', binary('divide', expression, number(scale)));
  const floored = nearest.low >= 0 ? nearest : binary('maximum', nearest, number(0));
  const capped = floored.high <= 255 ? floored : binary('minimum', floored, number(255));
  // What is cut off at both ends is whole, whatever it was before.
  return settled(builder, leader, { ...capped, whole: true });
};

const where: Operator = (builder, _node, inputs) => {
  const leader = leaderOf(inputs);
  onlyFloats(inputs.slice(1));
  const [mask, a, b] = inputs.map((input) => operand(builder, leader, input)) as [
    Expression,
    Expression,
    Expression,
  ];
  if (mask.lane !== 'mask') throw new Unfit('a condition that is no mask');
  return made(leader, 'float32', select(mask, a, b));
};

/** Operators on numbers one by one. */
export const elementwise: Readonly<Record<string, Operator>> = {
  Add: pairwise('add'),
  Sub: pairwise('subtract'),
  Mul: pairwise('multiply'),
  Div: pairwise('divide'),
  Min: pairwise('minimum'),
  Max: pairwise('maximum'),
  Greater: compared('greater'),
  GreaterOrEqual: compared('greaterOrEqual'),
  Less: compared('greater', true),
  LessOrEqual: compared('greaterOrEqual', true),
  Equal: compared('equal'),
  And: truths('and'),
  Or: truths('or'),
  Xor: truths('xor'),
  Not: truths('not'),
  Round: one('nearest'),
  Floor: one('floor'),
  Ceil: one('ceil'),
  Sqrt: one('sqrt'),
  Neg: one('negate'),
  Abs: one('absolute'),
  Cast: cast,
  DequantizeLinear: dequantize,
  QuantizeLinear: quantize,
  Where: where,
};

/** Whether a node takes its inputs one by one, wherever they are. */
export const isElementwise = ({ op }: FlatNode): boolean => Object.hasOwn(elementwise, op);
