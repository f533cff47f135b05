import {
  arrayOf,
  broadcastDims,
  broadcastPlaces,
  countOf,
  isFloat,
  isNumberType,
  type Numbers,
  type NumberType,
} from './numbers.ts';
import { UserError } from '../../schemas/errors.ts';
import { dataTypes } from '../../schemas/onnx/index.ts';
import { given, type Inputs, type Operator, type OperatorContext, type Operators } from './operator.ts';

/*
 * The four operations and the square root are computed in float64 and rounded to the type. For float32 that is the
 * correctly rounded result: float64 has more than twice its digits (Figueroa 1995, "When is double rounding innocuous?").
 */

type Unary = (value: number) => number;
type Binary = (a: number, b: number) => number;

/** A function of each number. */
function mapped(x: Numbers, of: Unary): Numbers {
  const data = arrayOf(x.type, x.data.length);
  for (let index = 0; index < data.length; index++) data[index] = of(x.data[index] as number);
  return { ...x, data };
}

/** @param exact whether IEEE 754 fixes its result */
const unary =
  (of: Unary, exact = true): Operator =>
  (inputs) => {
    const x = given(inputs, 0);
    return [{ ...mapped(x, of), exact: exact && x.exact }];
  };

/** A function of pairs of numbers, each broadcast to the shape of both. */
export function combined(a: Numbers, b: Numbers, of: Binary, type: NumberType = a.type): Numbers {
  const dims = broadcastDims(a.dims, b.dims);
  const [first, second] = [broadcastPlaces(a.dims, dims), broadcastPlaces(b.dims, dims)];
  const length = first?.length ?? second?.length ?? a.data.length;
  const data = arrayOf(type, length);
  for (let index = 0; index < length; index++) {
    const x = a.data[first ? (first[index] as number) : index] as number;
    data[index] = of(x, b.data[second ? (second[index] as number) : index] as number);
  }
  return { type, dims, data, exact: a.exact && b.exact };
}

const binary =
  (of: Binary, exact = true): Operator =>
  (inputs) => {
    const found = combined(given(inputs, 0), given(inputs, 1), of);
    return [{ ...found, exact: found.exact && exact }];
  };

const compared =
  (of: (a: number, b: number) => boolean): Operator =>
  (inputs) => [combined(given(inputs, 0), given(inputs, 1), (a, b) => Number(of(a, b)), 'bool')];

/** Any number of inputs, folded from the first on. */
const folded =
  (of: Binary): Operator =>
  (inputs) => [inputs.reduce((sum, next) => combined(sum as Numbers, next as Numbers, of)) as Numbers];

/** The nearest whole number, of two as near the even one. */
export function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const over = value - below;
  if (over !== 0.5) return over < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/**
 * Whether rounding to whole numbers takes off what came from an order of summation: where no number stands within a
 * quarter of the middle between two, far beyond what float32 makes of sums that are whole in the end.
 */
export function settledByRounding({ data, exact }: Numbers, scale = 1): boolean {
  if (exact) return true;
  for (let index = 0; index < data.length; index++) {
    const value = (data[index] as number) * scale;
    if (Math.abs(value - Math.round(value)) > 0.25) return false;
  }
  return true;
}

const round: Operator = (inputs) => {
  const x = given(inputs, 0);
  return [{ ...mapped(x, roundHalfEven), exact: settledByRounding(x) }];
};

const cast =
  (typeOf: (inputs: Inputs, context: OperatorContext) => NumberType): Operator =>
  (inputs, context) => {
    const x = given(inputs, 0);
    const type = typeOf(inputs, context);
    const data = arrayOf(type, x.data.length);
    // To bool all but 0 is 1; from float to whole numbers what comes after the point is cut off.
    const convert = castBy(x.type, type);
    for (let index = 0; index < data.length; index++) data[index] = convert(x.data[index] as number);
    return [{ ...x, type, data }];
  };

function castBy(from: NumberType, to: NumberType): Unary {
  if (to === 'bool') return (value) => (value === 0 ? 0 : 1);
  return isFloat(from) && !isFloat(to) ? Math.trunc : (value) => value;
}

export function typeOfCode(code: number): NumberType {
  const [type] = Object.entries(dataTypes).find(([, info]) => info.code === code) ?? [];
  if (!isNumberType(type))
    throw new UserError(`the reference does not compute with ${type ?? `type ${code}`}`);
  return type;
}

const where: Operator = (inputs) => {
  const [condition, a, b] = [given(inputs, 0), given(inputs, 1), given(inputs, 2)];
  const dims = broadcastDims(condition.dims, a.dims, b.dims);
  const [chosen, first, second] = [condition, a, b].map((each) => broadcastPlaces(each.dims, dims));
  const data = arrayOf(a.type, countOf(dims));
  for (let index = 0; index < data.length; index++) {
    const isFirst = condition.data[chosen ? (chosen[index] as number) : index];
    const [from, places] = isFirst ? [a, first] : [b, second];
    data[index] = from.data[places ? (places[index] as number) : index] as number;
  }
  return [{ type: a.type, dims, data, exact: condition.exact && a.exact && b.exact }];
};

const clip: Operator = (inputs, { attributes }) => {
  const x = given(inputs, 0);
  const [low, high] = (['min', 'max'] as const).map((name, index) => {
    const limit = inputs[index + 1]?.data[0] as number | undefined;
    return limit ?? (attributes.has(name) ? attributes.float(name) : index === 0 ? -Infinity : Infinity);
  }) as [number, number];
  return [mapped(x, (value) => Math.min(high, Math.max(low, value)))];
};

const remainder: Operator = (inputs, { attributes }) => {
  const [a, b] = [given(inputs, 0), given(inputs, 1)];
  // As in C where fmod is 1, else with the sign of the divisor.
  if (attributes.int('fmod', 0) === 1) return [combined(a, b, (x, y) => x % y)];
  return [combined(a, b, (x, y) => x - Math.floor(x / y) * y)];
};

const divided: Operator = (inputs) => {
  const [a, b] = [given(inputs, 0), given(inputs, 1)];
  return [combined(a, b, isFloat(a.type) ? (x, y) => x / y : (x, y) => Math.trunc(x / y))];
};

const power: Operator = (inputs) => {
  const found = combined(given(inputs, 0), given(inputs, 1), (x, y) => x ** y);
  return [{ ...found, exact: false }];
};

const shifted: Operator = (inputs, { attributes }) => {
  const isLeft = attributes.string('direction') === 'LEFT';
  return [
    combined(given(inputs, 0), given(inputs, 1), (x, y) => (isLeft ? x * 2 ** y : Math.floor(x / 2 ** y))),
  ];
};

const notExact = false;

export const elementwise: Operators = {
  Identity: (inputs) => [given(inputs, 0)],
  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b),
  Div: divided,
  Mod: remainder,
  Pow: power,
  Max: folded((a, b) => (Number.isNaN(a) || a > b ? a : b)),
  Min: folded((a, b) => (Number.isNaN(a) || a < b ? a : b)),
  Sum: folded((a, b) => a + b),
  Neg: unary((x) => -x),
  Abs: unary(Math.abs),
  Sign: unary(Math.sign),
  Floor: unary(Math.floor),
  Ceil: unary(Math.ceil),
  Round: round,
  Sqrt: unary(Math.sqrt),
  Reciprocal: unary((x) => 1 / x),
  Relu: unary((x) => Math.max(0, x)),
  Exp: unary(Math.exp, notExact),
  Log: unary(Math.log, notExact),
  Tanh: unary(Math.tanh, notExact),
  Sin: unary(Math.sin, notExact),
  Cos: unary(Math.cos, notExact),
  Sigmoid: unary((x) => 1 / (1 + Math.exp(-x)), notExact),
  Softplus: unary((x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), notExact),
  Not: unary((x) => 1 - x),
  And: binary((a, b) => a & b),
  Or: binary((a, b) => a | b),
  Xor: binary((a, b) => a ^ b),
  BitShift: shifted,
  Equal: compared((a, b) => a === b),
  Greater: compared((a, b) => a > b),
  GreaterOrEqual: compared((a, b) => a >= b),
  Less: compared((a, b) => a < b),
  LessOrEqual: compared((a, b) => a <= b),
  Where: where,
  Clip: clip,
  Cast: cast((_, { attributes }) => typeOfCode(attributes.int('to'))),
  CastLike: cast((inputs) => given(inputs, 1).type),
};
