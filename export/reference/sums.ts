import {
  arrayOf,
  axisOf,
  broadcastDims,
  broadcastPlaces,
  countOf,
  type Numbers,
  WHOLE_LIMIT,
  withDims,
} from './numbers.ts';
import { UserError } from '../../schemas/errors.ts';
import { combined } from './elementwise.ts';
import { given, type Operator, type Operators } from './operator.ts';

/** The finest unit that is looked for: 2⁻¹⁶. */
const FINEST = 2 ** -16;

/** Numbers as whole multiples of a unit, a power of two. */
interface Grid {
  readonly unit: number;
  /** The size of the largest number, in units; infinite where there is no such unit. */
  readonly most: number;
}

function gridOf(data: ArrayLike<number>): Grid {
  let unit = 1;
  let most = 0;
  for (let index = 0; index < data.length; index++) {
    const value = Math.abs(data[index] as number);
    while (!Number.isInteger(value / unit)) {
      unit /= 2;
      if (unit < FINEST) return { unit: 1, most: Number.POSITIVE_INFINITY };
    }
    if (value > most) most = value;
  }
  return { unit, most: most / unit };
}

/**
 * Whether sums of so many numbers are the same in any order: all multiples of one unit, and few enough that float32
 * holds every sum on the way.
 */
export function sumIsExact({ data }: Numbers, count: number): boolean {
  return gridOf(data).most * count < WHOLE_LIMIT;
}

/** The same for sums of products. */
export function productsAreExact(
  a: Numbers,
  b: Numbers,
  count: number,
  offset?: Numbers,
  factor = 1,
): boolean {
  if (!a.exact || !b.exact || offset?.exact === false) return false;
  const [first, second, third] = [gridOf(a.data), gridOf(b.data), gridOf(offset?.data ?? [])];
  const unit = Math.min(first.unit * second.unit, third.unit);
  const products = first.most * second.most * count * Math.abs(factor) * first.unit * second.unit;
  return Number.isInteger(factor) && (products + third.most * third.unit) / unit < WHOLE_LIMIT;
}

/** rows × inner by inner × columns, summed in float64. Zeros add nothing and are passed over. */
function multiplied(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  {
    rows,
    inner,
    columns,
    atA = 0,
    atB = 0,
  }: Record<'rows' | 'inner' | 'columns', number> & { atA?: number; atB?: number },
): Float64Array {
  const sums = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const sum = sums.subarray(row * columns, (row + 1) * columns);
    for (let index = 0; index < inner; index++) {
      const value = a[atA + row * inner + index] as number;
      if (value === 0) continue;
      const offset = atB + index * columns;
      for (let column = 0; column < columns; column++)
        sum[column] = (sum[column] as number) + value * (b[offset + column] as number);
    }
  }
  return sums;
}

/** Matrices in the last two axes, the others broadcast, as numpy.matmul does. */
function matrixProduct(a: Numbers, b: Numbers, type: Numbers['type']): Numbers {
  const [left, right] = [
    a.dims.length === 1 ? [1, ...a.dims] : a.dims,
    b.dims.length === 1 ? [...b.dims, 1] : b.dims,
  ];
  const [rows, inner, columns] = [left.at(-2), left.at(-1), right.at(-1)] as [number, number, number];
  if (inner !== right.at(-2))
    throw new UserError(`[${a.dims.join(', ')}] and [${b.dims.join(', ')}] have no matrix product`);
  const [outerA, outerB] = [left.slice(0, -2), right.slice(0, -2)];
  const outer = broadcastDims(outerA, outerB);
  const [placesA, placesB] = [broadcastPlaces(outerA, outer), broadcastPlaces(outerB, outer)];
  const data = arrayOf(type, countOf(outer) * rows * columns);
  for (let index = 0; index < countOf(outer); index++) {
    const atA = (placesA ? (placesA[index] as number) : index) * rows * inner;
    const atB = (placesB ? (placesB[index] as number) : index) * inner * columns;
    data.set(multiplied(a.data, b.data, { rows, inner, columns, atA, atB }), index * rows * columns);
  }
  const dims = [...outer, ...(a.dims.length > 1 ? [rows] : []), ...(b.dims.length > 1 ? [columns] : [])];
  return { type, dims, data, exact: productsAreExact(a, b, inner) };
}

const matMul: Operator = (inputs) => {
  const [a, b] = [given(inputs, 0), given(inputs, 1)];
  return [matrixProduct(a, b, a.type)];
};

const turned = (x: Numbers): Numbers => {
  const [rows = 0, columns = 0] = x.dims;
  const data = arrayOf(x.type, x.data.length);
  for (let index = 0; index < data.length; index++)
    data[(index % columns) * rows + Math.floor(index / columns)] = x.data[index] as number;
  return { ...x, dims: [columns, rows], data };
};

const gemm: Operator = (inputs, { attributes }) => {
  const [a, b] = [0, 1].map((index) => {
    const matrix = given(inputs, index);
    return attributes.int(index === 0 ? 'transA' : 'transB', 0) === 1 ? turned(matrix) : matrix;
  }) as [Numbers, Numbers];
  const [alpha, beta] = [attributes.float('alpha', 1), attributes.float('beta', 1)];
  // In float64, rounded once; where the sums are whole no step of a runtime rounds.
  const wide = matrixProduct(a, b, 'float64');
  const offset = inputs[2];
  const scaled = combined(wide, { ...wide, dims: [], data: Float64Array.of(alpha) }, (x, y) => x * y);
  const found = offset ? combined(scaled, offset, (x, y) => x + beta * y) : scaled;
  const data = arrayOf(a.type, found.data.length);
  data.set(found.data);
  const exact = (beta === 1 || !offset) && productsAreExact(a, b, a.dims[1] as number, offset, alpha);
  return [{ type: a.type, dims: found.dims, data, exact }];
};

/** Whole numbers counted from their zero point: one for all, or one along an axis. */
export function fromZero(x: Numbers, zero: Numbers | undefined, axis: number): Numbers {
  const wide: Numbers = { ...x, type: 'float64', data: Float64Array.from(x.data) };
  if (!zero) return wide;
  const along = axisOf(axis, x.dims.length);
  const dims =
    zero.data.length === 1 ? [] : x.dims.map((_, index) => (index === along ? zero.data.length : 1));
  return combined(wide, withDims(zero, dims), (a, b) => a - b);
}

export const asInt32 = (x: Pick<Numbers, 'dims' | 'data'>, exact: boolean): Numbers => ({
  dims: x.dims,
  type: 'int32',
  data: Int32Array.from(x.data as ArrayLike<number>),
  exact,
});

const matMulInteger: Operator = (inputs) => {
  const [a, b] = [given(inputs, 0), given(inputs, 1)];
  const found = matrixProduct(fromZero(a, inputs[2], -2), fromZero(b, inputs[3], -1), 'float64');
  return [asInt32(found, a.exact && b.exact)];
};

export const sums: Operators = {
  MatMul: matMul,
  Gemm: gemm,
  MatMulInteger: matMulInteger,
};
