import {
  arrayOf,
  axisOf,
  broadcastDims,
  broadcastPlaces,
  countOf,
  int64s,
  type Numbers,
  picked,
  placesOf,
  stridesOf,
  withDims,
} from './numbers.ts';
import { UserError } from '../../schemas/errors.ts';
import { given, listed, type Operator, type Operators } from './operator.ts';

const product = countOf;

const shape: Operator = (inputs, { attributes }) => {
  const { dims } = given(inputs, 0);
  const end = attributes.has('end') ? attributes.int('end') : dims.length;
  return [int64s(dims.slice(attributes.int('start', 0), end))];
};

const reshape: Operator = (inputs, { attributes }) => {
  const x = given(inputs, 0);
  const keepsZero = attributes.int('allowzero', 0) === 1;
  const asked = Array.from(given(inputs, 1).data, (size, axis) =>
    size === 0 && !keepsZero ? (x.dims[axis] as number) : size,
  );
  const known = product(asked.filter((size) => size !== -1));
  const dims = asked.map((size) => (size === -1 ? x.data.length / known : size));
  if (product(dims) !== x.data.length)
    throw new UserError(`[${x.dims.join(', ')}] cannot become [${asked.join(', ')}]`);
  return [withDims(x, dims)];
};

const flatten: Operator = (inputs, { attributes }) => {
  const x = given(inputs, 0);
  const axis = axisOf(attributes.int('axis', 1), x.dims.length);
  return [withDims(x, [product(x.dims.slice(0, axis)), product(x.dims.slice(axis))])];
};

const transpose: Operator = (inputs, { attributes }) => {
  const x = given(inputs, 0);
  const order = attributes.ints('perm') ?? x.dims.map((_, axis) => x.dims.length - 1 - axis);
  const strides = stridesOf(x.dims);
  const dims = order.map((axis) => x.dims[axis] as number);
  return [
    picked(
      x,
      placesOf(
        dims,
        order.map((axis) => strides[axis] as number),
      ),
      dims,
    ),
  ];
};

const squeeze: Operator = (inputs, context) => {
  const x = given(inputs, 0);
  const axes = listed(inputs, 1, context, 'axes')?.map((axis) => axisOf(axis, x.dims.length));
  return [
    withDims(
      x,
      x.dims.filter((size, axis) => (axes ? !axes.includes(axis) : size !== 1)),
    ),
  ];
};

const unsqueeze: Operator = (inputs, context) => {
  const x = given(inputs, 0);
  const axes = listed(inputs, 1, context, 'axes') ?? [];
  const rank = x.dims.length + axes.length;
  const added = new Set(axes.map((axis) => axisOf(axis, rank)));
  if (added.size < axes.length) throw new UserError(`it adds an axis twice: ${axes.join(', ')}`);
  const kept = [...x.dims];
  const dims = Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : (kept.shift() as number)));
  return [withDims(x, dims)];
};

/** Parts one after another along an axis. */
export function joined(parts: readonly Numbers[], axis: number): Numbers {
  const [first] = parts as readonly [Numbers, ...Numbers[]];
  const size = parts.reduce((sum, { dims }) => sum + (dims[axis] as number), 0);
  const dims = first.dims.map((each, index) => (index === axis ? size : each));
  const outer = product(dims.slice(0, axis));
  const data = arrayOf(first.type, product(dims));
  let at = 0;
  for (let row = 0; row < outer; row++) {
    for (const part of parts) {
      const length = part.data.length / outer;
      data.set(part.data.subarray(row * length, (row + 1) * length), at);
      at += length;
    }
  }
  return { type: first.type, dims, data, exact: parts.every(({ exact }) => exact) };
}

const concat: Operator = (inputs, { attributes }) => {
  const parts = inputs.map((_, index) => given(inputs, index));
  return [joined(parts, axisOf(attributes.int('axis'), given(inputs, 0).dims.length))];
};

/** What is left of x where each axis starts at `starts`, in steps of `steps`. */
function sliced(
  x: Numbers,
  starts: readonly number[],
  sizes: readonly number[],
  steps: readonly number[],
): Numbers {
  const strides = stridesOf(x.dims);
  const offset = strides.reduce((sum, stride, axis) => sum + stride * (starts[axis] as number), 0);
  return picked(
    x,
    placesOf(
      sizes,
      strides.map((stride, axis) => stride * (steps[axis] as number)),
      offset,
    ),
    sizes,
  );
}

const clamp = (at: number, low: number, high: number): number => Math.min(high, Math.max(low, at));

const slice: Operator = (inputs) => {
  const x = given(inputs, 0);
  const [starts, ends] = [Array.from(given(inputs, 1).data), Array.from(given(inputs, 2).data)];
  const axes = inputs[3] ? Array.from(inputs[3].data) : starts.map((_, index) => index);
  const [from, sizes, by] = [x.dims.map(() => 0), [...x.dims], x.dims.map(() => 1)];
  axes.forEach((given, index) => {
    const axis = axisOf(given, x.dims.length);
    const size = x.dims[axis] as number;
    const step = inputs[4] ? (inputs[4].data[index] as number) : 1;
    const place = (at: number): number => (at < 0 ? at + size : at);
    const start = clamp(place(starts[index] as number), 0, step > 0 ? size : size - 1);
    const end = clamp(place(ends[index] as number), step > 0 ? 0 : -1, size);
    from[axis] = start;
    sizes[axis] = Math.max(0, Math.ceil((end - start) / step));
    by[axis] = step;
  });
  return [sliced(x, from, sizes, by)];
};

const split: Operator = (inputs, context) => {
  const x = given(inputs, 0);
  const axis = axisOf(context.attributes.int('axis', 0), x.dims.length);
  const size = x.dims[axis] as number;
  const part = Math.ceil(size / context.outputs);
  const lengths =
    listed(inputs, 1, context, 'split') ??
    Array.from({ length: context.outputs }, (_, index) => Math.min(part, size - index * part));
  let start = 0;
  return lengths.map((length) => {
    const found = sliced(
      x,
      x.dims.map((_, index) => (index === axis ? start : 0)),
      x.dims.map((each, index) => (index === axis ? length : each)),
      x.dims.map(() => 1),
    );
    start += length;
    return found;
  });
};

const gather: Operator = (inputs, { attributes }) => {
  const [x, indices] = [given(inputs, 0), given(inputs, 1)];
  const axis = axisOf(attributes.int('axis', 0), x.dims.length);
  const size = x.dims[axis] as number;
  const [outer, inner] = [product(x.dims.slice(0, axis)), product(x.dims.slice(axis + 1))];
  const data = arrayOf(x.type, outer * indices.data.length * inner);
  let at = 0;
  for (let row = 0; row < outer; row++) {
    for (let which = 0; which < indices.data.length; which++) {
      const index = axisOf(indices.data[which] as number, size);
      if (index < 0 || index >= size) throw new UserError(`its index ${index} is outside 0 … ${size - 1}`);
      const start = (row * size + index) * inner;
      data.set(x.data.subarray(start, start + inner), at);
      at += inner;
    }
  }
  const dims = [...x.dims.slice(0, axis), ...indices.dims, ...x.dims.slice(axis + 1)];
  return [{ type: x.type, dims, data, exact: x.exact && indices.exact }];
};

const expand: Operator = (inputs) => {
  const x = given(inputs, 0);
  const dims = broadcastDims(x.dims, Array.from(given(inputs, 1).data));
  const places = broadcastPlaces(x.dims, dims);
  return [places ? picked(x, places, dims) : x];
};

const tile: Operator = (inputs) => {
  let x = given(inputs, 0);
  Array.from(given(inputs, 1).data).forEach((count, axis) => {
    x =
      count === 0
        ? sliced(
            x,
            x.dims.map(() => 0),
            x.dims.with(axis, 0),
            x.dims.map(() => 1),
          )
        : joined(
            Array.from({ length: count }, () => x),
            axis,
          );
  });
  return [x];
};

const pad: Operator = (inputs, context) => {
  const x = given(inputs, 0);
  if (context.attributes.string('mode', 'constant') !== 'constant')
    throw new UserError('the reference pads with a constant only');
  const pads = listed(inputs, 1, context, 'pads') ?? [];
  const axes = inputs[3] ? Array.from(inputs[3].data, (axis) => axisOf(axis, x.dims.length)) : x.dims.keys();
  const before = x.dims.map(() => 0);
  const dims = [...x.dims];
  const count = pads.length / 2;
  [...axes].forEach((axis, index) => {
    before[axis] = pads[index] as number;
    dims[axis] = (dims[axis] as number) + (pads[index] as number) + (pads[index + count] as number);
  });
  const data = arrayOf(x.type, product(dims)).fill(inputs[2] ? (inputs[2].data[0] as number) : 0);
  const strides = stridesOf(dims);
  const offset = strides.reduce((sum, stride, axis) => sum + stride * (before[axis] as number), 0);
  if (before.some((each) => each < 0) || pads.some((each) => each < 0))
    throw new UserError('the reference does not pad by less than nothing');
  placesOf(x.dims, strides, offset).forEach((place, index) => {
    data[place] = x.data[index] as number;
  });
  return [{ ...x, dims, data }];
};

const range: Operator = (inputs) => {
  const [start, limit, delta] = [0, 1, 2].map((index) => given(inputs, index).data[0]) as [
    number,
    number,
    number,
  ];
  const { type } = given(inputs, 0);
  const data = arrayOf(type, Math.max(0, Math.ceil((limit - start) / delta)));
  for (let index = 0; index < data.length; index++) data[index] = start + index * delta;
  return [{ type, dims: [data.length], data, exact: true }];
};

const float32s = (values: readonly number[], dims: readonly number[]): Numbers => ({
  type: 'float32',
  dims,
  data: Float32Array.from(values),
  exact: true,
});

const constant: Operator = (_, { attributes }) => {
  if (attributes.has('value')) return [attributes.tensor('value')];
  if (attributes.has('value_int')) return [withDims(int64s([attributes.int('value_int')]), [])];
  if (attributes.has('value_ints')) return [int64s(attributes.ints('value_ints') ?? [])];
  if (attributes.has('value_float')) return [float32s([attributes.float('value_float')], [])];
  const values = attributes.floats('value_floats');
  return [float32s(values, [values.length])];
};

const constantOfShape: Operator = (inputs, { attributes }) => {
  const dims = Array.from(given(inputs, 0).data);
  const { type, data } = attributes.has('value')
    ? attributes.tensor('value')
    : { type: 'float32' as const, data: Float32Array.of(0) };
  return [{ type, dims, data: arrayOf(type, product(dims)).fill(data[0] as number), exact: true }];
};

export const shaping: Operators = {
  Shape: shape,
  Size: (inputs) => [withDims(int64s([given(inputs, 0).data.length]), [])],
  Reshape: reshape,
  Flatten: flatten,
  Transpose: transpose,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Concat: concat,
  Slice: slice,
  Split: split,
  Gather: gather,
  Expand: expand,
  Tile: tile,
  Pad: pad,
  Range: range,
  Constant: constant,
  ConstantOfShape: constantOfShape,
};
