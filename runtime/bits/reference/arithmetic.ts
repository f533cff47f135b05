import { UserError } from '../../../schemas/errors.ts';
import { type FlatNode, floatOf, intOf, intsOf } from '../flat-graph.ts';
import { roundToEven } from '../expression.ts';
import {
  arrayOf,
  axisOf,
  broadcast,
  broadcastIndices,
  fitting,
  needed,
  type Numbers,
  type NumberType,
  plain,
  type Reference,
  sizeOf,
  tensorOf,
  typeOfCode,
} from './tensors.ts';

const pairwise =
  (how: (a: number, b: number) => number, gives?: NumberType): Reference =>
  (node, inputs) => {
    let found = needed(node, inputs, 0);
    // Max and Min take any number of inputs.
    for (let index = 1; index < inputs.length; index++)
      found = combined(node, found, needed(node, inputs, index), how, gives);
    return [found];
  };

function combined(
  node: FlatNode,
  a: Numbers,
  b: Numbers,
  how: (a: number, b: number) => number,
  gives: NumberType = a.type,
): Numbers {
  const dims = broadcast(node, a.dims, b.dims);
  const [first, second] = [plain(a), plain(b)];
  const [ofFirst, ofSecond] = [broadcastIndices(a.dims, dims), broadcastIndices(b.dims, dims)];
  const values = new Float64Array(fitting(sizeOf(dims)));
  for (let index = 0; index < values.length; index++)
    values[index] = how(first[ofFirst(index)] as number, second[ofSecond(index)] as number);
  return tensorOf(gives, dims, values);
}

const each =
  (how: (x: number) => number): Reference =>
  (node, inputs) => {
    const x = needed(node, inputs, 0);
    return [tensorOf(x.type, x.dims, Float64Array.from(plain(x), how))];
  };

/** Of the axes that are left out of the result. */
const reduced =
  (
    start: number,
    how: (sum: number, x: number) => number,
    finish = (sum: number, _count: number) => sum,
  ): Reference =>
  (node, inputs) => {
    const x = needed(node, inputs, 0);
    const given = intsOf(node, 'axes') ?? (inputs[1] && Array.from(plain(inputs[1])));
    const axes = new Set(given?.map((axis) => axisOf(node, axis, x.dims.length)) ?? x.dims.keys());
    const kept = x.dims.map((size, axis) => (axes.has(axis) ? 1 : size));
    const values = new Float64Array(sizeOf(kept)).fill(start);
    const place = broadcastIndices(kept, x.dims);
    const numbers = plain(x);
    for (let index = 0; index < numbers.length; index++) {
      const at = place(index);
      values[at] = how(values[at] as number, numbers[index] as number);
    }
    const count = numbers.length / values.length;
    const dims = intOf(node, 'keepdims', 1) === 1 ? kept : x.dims.filter((_, axis) => !axes.has(axis));
    return [
      tensorOf(
        x.type,
        dims,
        values.map((value) => finish(value, count)),
      ),
    ];
  };

/** exp(x − max) / Σ exp, or its logarithm, along one axis. */
const softmax =
  (logarithm: boolean): Reference =>
  (node, inputs) => {
    const x = needed(node, inputs, 0);
    const axis = axisOf(node, intOf(node, 'axis', -1), x.dims.length);
    const length = x.dims[axis] as number;
    const inner = sizeOf(x.dims.slice(axis + 1));
    const numbers = plain(x);
    const found = new Float64Array(numbers.length);
    for (let block = 0; block < numbers.length; block += length * inner) {
      for (let offset = block; offset < block + inner; offset++) {
        let most = Number.NEGATIVE_INFINITY;
        for (let index = 0; index < length; index++)
          most = Math.max(most, numbers[offset + index * inner] as number);
        let total = 0;
        for (let index = 0; index < length; index++)
          total += Math.exp((numbers[offset + index * inner] as number) - most);
        for (let index = 0; index < length; index++) {
          const at = offset + index * inner;
          const gap = (numbers[at] as number) - most;
          found[at] = logarithm ? gap - Math.log(total) : Math.exp(gap) / total;
        }
      }
    }
    return [tensorOf(x.type, x.dims, found)];
  };

const cast: Reference = (node, inputs) => {
  const x = needed(node, inputs, 0);
  const type = typeOfCode(intOf(node, 'to', 0), node.name);
  const numbers = plain(x);
  const data = arrayOf(type, numbers.length);
  for (let index = 0; index < numbers.length; index++) {
    const value = numbers[index] as number;
    if (data instanceof BigInt64Array) data[index] = BigInt(Math.trunc(value));
    else data[index] = type === 'bool' ? Number(value !== 0) : type === 'float32' ? value : Math.trunc(value);
  }
  return [{ type, dims: x.dims, data }];
};

/** A scale per tensor alone: networks of this toolkit have no other. */
function scaleOf(node: FlatNode, inputs: readonly (Numbers | undefined)[]): { scale: number; zero: number } {
  const scale = needed(node, inputs, 1);
  if (scale.data.length !== 1) {
    throw new UserError(
      `${node.op} '${node.name}' has a scale per channel, which device bits does not know; open the model on device cpu`,
    );
  }
  return { scale: Number(scale.data[0]), zero: Number(inputs[2]?.data[0] ?? 0) };
}

const dequantize: Reference = (node, inputs) => {
  const x = needed(node, inputs, 0);
  const { scale, zero } = scaleOf(node, inputs);
  const data = new Float32Array(plain(x));
  if (scale !== 1 || zero !== 0)
    for (let index = 0; index < data.length; index++) data[index] = ((data[index] as number) - zero) * scale;
  return [{ type: 'float32', dims: x.dims, data }];
};

const quantize: Reference = (node, inputs) => {
  const x = needed(node, inputs, 0);
  const { scale, zero } = scaleOf(node, inputs);
  const type = inputs[2]?.type ?? 'uint8';
  const [low, high] = type === 'int8' ? [-128, 127] : [0, 255];
  const values = Float64Array.from(plain(x), (value) =>
    Math.min(high, Math.max(low, roundToEven(Math.fround(value / scale)) + zero)),
  );
  return [tensorOf(type, x.dims, values)];
};

const where: Reference = (node, inputs) => {
  const [mask, a, b] = [0, 1, 2].map((index) => needed(node, inputs, index)) as [Numbers, Numbers, Numbers];
  const dims = broadcast(node, mask.dims, broadcast(node, a.dims, b.dims));
  const [ofMask, ofA, ofB] = [mask, a, b].map((tensor) => broadcastIndices(tensor.dims, dims));
  const values = Float64Array.from({ length: fitting(sizeOf(dims)) }, (_, index) =>
    Number(mask.data[ofMask?.(index) as number])
      ? Number(a.data[ofA?.(index) as number])
      : Number(b.data[ofB?.(index) as number]),
  );
  return [tensorOf(a.type, dims, values)];
};

const truth = (value: boolean): number => Number(value);

/** Operators on numbers one by one, and on all of an axis. */
export const arithmetic: Readonly<Record<string, Reference>> = {
  Add: pairwise((a, b) => a + b),
  Sub: pairwise((a, b) => a - b),
  Mul: pairwise((a, b) => a * b),
  Div: (node, inputs) =>
    inputs[0]?.type === 'float32'
      ? pairwise((a, b) => a / b)(node, inputs)
      : pairwise((a, b) => Math.trunc(a / b))(node, inputs),
  Max: pairwise(Math.max),
  Min: pairwise(Math.min),
  Pow: pairwise((a, b) => a ** b),
  Greater: pairwise((a, b) => truth(a > b), 'bool'),
  GreaterOrEqual: pairwise((a, b) => truth(a >= b), 'bool'),
  Less: pairwise((a, b) => truth(a < b), 'bool'),
  LessOrEqual: pairwise((a, b) => truth(a <= b), 'bool'),
  Equal: pairwise((a, b) => truth(a === b), 'bool'),
  And: pairwise((a, b) => a & b),
  Or: pairwise((a, b) => a | b),
  Xor: pairwise((a, b) => a ^ b),
  Not: each((x) => truth(x === 0)),
  Abs: each(Math.abs),
  Neg: each((x) => -x),
  Sqrt: each(Math.sqrt),
  Exp: each(Math.exp),
  Log: each(Math.log),
  Floor: each(Math.floor),
  Ceil: each(Math.ceil),
  Round: each(roundToEven),
  Sign: each(Math.sign),
  Relu: each((x) => Math.max(0, x)),
  Reciprocal: each((x) => 1 / x),
  Sigmoid: each((x) => 1 / (1 + Math.exp(-x))),
  Tanh: each(Math.tanh),
  Clip: (node, inputs) => {
    const low = Number(inputs[1]?.data[0] ?? floatOf(node, 'min', Number.NEGATIVE_INFINITY));
    const high = Number(inputs[2]?.data[0] ?? floatOf(node, 'max', Number.POSITIVE_INFINITY));
    return each((x) => Math.min(high, Math.max(low, x)))(node, inputs);
  },
  ReduceSum: reduced(0, (sum, x) => sum + x),
  ReduceMean: reduced(
    0,
    (sum, x) => sum + x,
    (sum, count) => sum / count,
  ),
  ReduceMax: reduced(Number.NEGATIVE_INFINITY, Math.max),
  ReduceMin: reduced(Number.POSITIVE_INFINITY, Math.min),
  Softmax: softmax(false),
  LogSoftmax: softmax(true),
  Cast: cast,
  DequantizeLinear: dequantize,
  QuantizeLinear: quantize,
  Where: where,
};
