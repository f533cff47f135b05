import { UserError } from '../../schemas/errors.ts';
import { arrayOf, axisOf, countOf, type NumberArray, type Numbers, placesOf, stridesOf } from './numbers.ts';
import { given, listed, type Operator, type OperatorContext, type Operators } from './operator.ts';
import { stopsOf } from './convolutions.ts';
import { sumIsExact } from './sums.ts';

/** Numbers of which each row of `length` is one that is reduced, and the shape of what is left. */
function rowsAlong(x: Numbers, axes: readonly number[], keeps: boolean) {
  const strides = stridesOf(x.dims);
  const kept = x.dims.flatMap((_, axis) => (axes.includes(axis) ? [] : [axis]));
  const dimsOf = (which: readonly number[]) => which.map((axis) => x.dims[axis] as number);
  const stridesAt = (which: readonly number[]) => which.map((axis) => strides[axis] as number);
  return {
    starts: placesOf(dimsOf(kept), stridesAt(kept)),
    places: placesOf(dimsOf(axes), stridesAt(axes)),
    dims: keeps ? x.dims.map((size, axis) => (axes.includes(axis) ? 1 : size)) : dimsOf(kept),
  };
}

type Reduction = (data: NumberArray, start: number, places: Uint32Array) => number;

const sumOf: Reduction = (data, start, places) => {
  let sum = 0;
  for (let index = 0; index < places.length; index++)
    sum += data[start + (places[index] as number)] as number;
  return sum;
};

const folded =
  (of: (a: number, b: number) => number): Reduction =>
  (data, start, places) => {
    let found = data[start] as number;
    for (let index = 1; index < places.length; index++)
      found = of(found, data[start + (places[index] as number)] as number);
    return found;
  };

const reduced =
  (of: Reduction, isExact: (x: Numbers, count: number) => boolean): Operator =>
  (inputs, context) => {
    const x = given(inputs, 0);
    const { attributes } = context;
    const asked = listed(inputs, 1, context, 'axes')?.map((axis) => axisOf(axis, x.dims.length));
    if (!asked?.length && attributes.int('noop_with_empty_axes', 0) === 1) return [x];
    const axes = asked?.length ? asked : [...x.dims.keys()];
    const { starts, places, dims } = rowsAlong(x, axes, attributes.int('keepdims', 1) === 1);
    const data = arrayOf(x.type, starts.length);
    for (let row = 0; row < data.length; row++) data[row] = of(x.data, starts[row] as number, places);
    return [{ type: x.type, dims, data, exact: x.exact && isExact(x, places.length) }];
  };

/** Along one axis: exp(x − max) / Σ exp(x − max), or its logarithm. */
const softmax =
  (logarithm: boolean): Operator =>
  (inputs, { attributes }) => {
    const x = given(inputs, 0);
    const axis = axisOf(attributes.int('axis', -1), x.dims.length);
    const { starts, places } = rowsAlong(x, [axis], true);
    const data = arrayOf(x.type, x.data.length);
    for (const start of starts) {
      const values = Array.from(places, (place) => x.data[start + place] as number);
      const most = Math.max(...values);
      const total = values.reduce((sum, value) => sum + Math.exp(value - most), 0);
      values.forEach((value, index) => {
        const shifted = value - most;
        data[start + (places[index] as number)] = logarithm
          ? shifted - Math.log(total)
          : Math.exp(shifted) / total;
      });
    }
    return [{ ...x, data, exact: false }];
  };

/** The place of the largest along an axis: the first of equal ones, or the last. */
const argMax: Operator = (inputs, { attributes }) => {
  const x = given(inputs, 0);
  const axis = axisOf(attributes.int('axis', 0), x.dims.length);
  const takesLast = attributes.int('select_last_index', 0) === 1;
  const { starts, places, dims } = rowsAlong(x, [axis], attributes.int('keepdims', 1) === 1);
  const data = arrayOf('int64', starts.length);
  starts.forEach((start, row) => {
    let best = 0;
    for (let index = 1; index < places.length; index++) {
      const [value, most] = [index, best].map((at) => x.data[start + (places[at] as number)] as number) as [
        number,
        number,
      ];
      if (value > most || (takesLast && value === most)) best = index;
    }
    data[row] = best;
  });
  return [{ type: 'int64', dims, data, exact: x.exact }];
};

/** Windows of planes [batch, channels, height, width]. */
const pool =
  (kind: 'average' | 'maximum'): Operator =>
  (inputs, context) => {
    const x = given(inputs, 0);
    if (x.dims.length !== 4)
      throw new UserError('the reference pools planes [batch, channels, height, width] only');
    const [batch = 0, channels = 0, height = 0, width = 0] = x.dims;
    const windows = stopsOf(context, [height, width], context.attributes.ints('kernel_shape') ?? []);
    const [down, across] = windows as [(typeof windows)[number], (typeof windows)[number]];
    const countsPadding = context.attributes.int('count_include_pad', 0) === 1;
    const dims = [batch, channels, down.count, across.count];
    const data = arrayOf(x.type, countOf(dims));
    for (let index = 0; index < data.length; index++) {
      const top = (Math.floor(index / across.count) % down.count) * down.stride - down.before;
      const left = (index % across.count) * across.stride - across.before;
      const plane = Math.floor(index / (down.count * across.count)) * height * width;
      let [sum, most, counted] = [0, Number.NEGATIVE_INFINITY, 0];
      for (let tap = 0; tap < down.size * across.size; tap++) {
        const row = top + Math.floor(tap / across.size) * down.dilation;
        const column = left + (tap % across.size) * across.dilation;
        if (row < height + down.after && column < width + across.after && countsPadding) counted++;
        if (row < 0 || row >= height || column < 0 || column >= width) continue;
        if (!countsPadding) counted++;
        const value = x.data[plane + row * width + column] as number;
        sum += value;
        if (value > most) most = value;
      }
      data[index] = kind === 'maximum' ? most : sum / counted;
    }
    return [{ type: x.type, dims, data, exact: kind === 'maximum' && x.exact }];
  };

const globalAverage: Operator = (inputs) => {
  const x = given(inputs, 0);
  const axes = x.dims.flatMap((_, axis) => (axis < 2 ? [] : [axis]));
  const { starts, places, dims } = rowsAlong(x, axes, true);
  const data = arrayOf(x.type, starts.length);
  for (let row = 0; row < data.length; row++)
    data[row] = sumOf(x.data, starts[row] as number, places) / places.length;
  return [{ type: x.type, dims, data, exact: false }];
};

/** Sums of all so far along an axis. */
const running: Operator = (inputs, { attributes }: OperatorContext) => {
  const x = given(inputs, 0);
  const axis = axisOf(given(inputs, 1).data[0] as number, x.dims.length);
  const { starts, places } = rowsAlong(x, [axis], true);
  const order = attributes.int('reverse', 0) === 1 ? places.toReversed() : places;
  const leavesOut = attributes.int('exclusive', 0) === 1;
  const data = arrayOf(x.type, x.data.length);
  for (const start of starts) {
    let sum = 0;
    for (const place of order) {
      const value = x.data[start + place] as number;
      data[start + place] = leavesOut ? sum : sum + value;
      sum += value;
    }
  }
  return [{ ...x, data, exact: x.exact && sumIsExact(x, places.length) }];
};

const never = (): boolean => false;
const always = (): boolean => true;

export const reductions: Operators = {
  ReduceSum: reduced(sumOf, sumIsExact),
  ReduceMean: reduced((data, start, places) => sumOf(data, start, places) / places.length, never),
  ReduceMax: reduced(
    folded((a, b) => Math.max(a, b)),
    always,
  ),
  ReduceMin: reduced(
    folded((a, b) => Math.min(a, b)),
    always,
  ),
  Softmax: softmax(false),
  LogSoftmax: softmax(true),
  ArgMax: argMax,
  MaxPool: pool('maximum'),
  AveragePool: pool('average'),
  GlobalAveragePool: globalAverage,
  CumSum: running,
};
