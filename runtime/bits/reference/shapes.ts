import { UserError } from '../../../schemas/errors.ts';
import { tensorData } from '../../../schemas/onnx/index.ts';
import { type FlatNode, intOf, intsOf } from '../flat-graph.ts';
import {
  arrayOf,
  axisOf,
  broadcast,
  broadcastIndices,
  misfit,
  needed,
  type Numbers,
  numbersOf,
  picked,
  plain,
  type Reference,
  sizeOf,
  stridesOf,
  tensorOf,
} from './tensors.ts';

const integers = (of: Numbers | undefined): number[] | undefined => of && Array.from(plain(of));

/** Axes of an input, or of an attribute where operators had them before. */
function axesOf(node: FlatNode, given: Numbers | undefined, rank: number): number[] | undefined {
  const axes = (integers(given) ?? intsOf(node, 'axes'))?.map((axis) => axisOf(node, axis, rank));
  if (axes && new Set(axes).size < axes.length)
    throw new UserError(`${node.op} '${node.name}' names an axis twice: ${axes.join(', ')}`);
  return axes;
}

const shaped = (node: FlatNode, x: Numbers, dims: readonly number[]): readonly Numbers[] => {
  if (sizeOf(dims) !== x.data.length) throw misfit(node, x.dims, dims);
  return [{ ...x, dims }];
};

/** The dims that Reshape makes: 0 keeps a size, −1 takes what is left. */
export function reshapedDims(node: FlatNode, x: readonly number[], wanted: readonly number[]): number[] {
  const zeros = intOf(node, 'allowzero', 0) === 1;
  const dims = wanted.map((size, axis) => (size === 0 && !zeros ? (x[axis] ?? 0) : size));
  const free = dims.indexOf(-1);
  if (free < 0) return dims;
  const others = sizeOf(dims.filter((_, axis) => axis !== free));
  dims[free] = others === 0 ? 0 : sizeOf(x) / others;
  if (dims.some((size) => !Number.isInteger(size) || size < 0)) throw misfit(node, x, wanted);
  return dims;
}

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));

const slice: Reference = (node, inputs) => {
  const x = needed(node, inputs, 0);
  const starts = integers(needed(node, inputs, 1)) as number[];
  const ends = integers(needed(node, inputs, 2)) as number[];
  const axes = axesOf(node, inputs[3], x.dims.length) ?? [...starts.keys()];
  const steps = integers(inputs[4]) ?? starts.map(() => 1);
  const dims = [...x.dims];
  const strides = stridesOf(x.dims);
  const walk = strides.map((stride) => ({ start: 0, stride }));
  axes.forEach((axis, index) => {
    const size = x.dims[axis] as number;
    const step = steps[index] as number;
    if (step === 0) throw new UserError(`Slice '${node.name}' has a step of 0`);
    const from = (value: number): number => (value < 0 ? value + size : value);
    const start = clamp(from(starts[index] as number), 0, step > 0 ? size : size - 1);
    const end = clamp(from(ends[index] as number), step > 0 ? 0 : -1, step > 0 ? size : size - 1);
    dims[axis] = Math.max(0, Math.ceil((end - start) / step));
    walk[axis] = { start: start * (strides[axis] as number), stride: step * (strides[axis] as number) };
  });
  const outer = stridesOf(dims);
  return [
    picked(x, dims, (index) => {
      let rest = index;
      let found = 0;
      for (let axis = 0; axis < dims.length; axis++) {
        const place = Math.floor(rest / (outer[axis] as number));
        rest -= place * (outer[axis] as number);
        const { start, stride } = walk[axis] as { start: number; stride: number };
        found += start + place * stride;
      }
      return found;
    }),
  ];
};

const gather: Reference = (node, inputs) => {
  const x = needed(node, inputs, 0);
  const where = needed(node, inputs, 1);
  const axis = axisOf(node, intOf(node, 'axis', 0), x.dims.length);
  const length = x.dims[axis] as number;
  const inner = sizeOf(x.dims.slice(axis + 1));
  const count = where.data.length;
  const dims = [...x.dims.slice(0, axis), ...where.dims, ...x.dims.slice(axis + 1)];
  const found = arrayOf(x.type, sizeOf(dims));
  const places = plain(where);
  const outer = sizeOf(x.dims.slice(0, axis));
  for (let block = 0; block < outer; block++) {
    for (let index = 0; index < count; index++) {
      const place = places[index] as number;
      const from = place < 0 ? place + length : place;
      if (!(from >= 0 && from < length)) throw new UserError(`Gather '${node.name}' has no element ${place}`);
      const start = (block * length + from) * inner;
      const target = (block * count + index) * inner;
      // Rows are often of eight numbers, for which a copy of the whole costs more than eight of one.
      for (let each = 0; each < inner; each++) found[target + each] = x.data[start + each] as never;
    }
  }
  return [{ type: x.type, dims, data: found }];
};

const concat: Reference = (node, inputs) => {
  const parts = inputs.map((_, index) => needed(node, inputs, index));
  const [first] = parts as [Numbers];
  const axis = axisOf(node, intOf(node, 'axis', 0), first.dims.length);
  const dims = [...first.dims];
  dims[axis] = parts.reduce((sum, part) => sum + (part.dims[axis] ?? Number.NaN), 0);
  const found = arrayOf(first.type, sizeOf(dims));
  const outer = sizeOf(first.dims.slice(0, axis));
  let offset = 0;
  for (let block = 0; block < outer; block++) {
    for (const { data } of parts) {
      const length = data.length / outer;
      found.set(data.subarray(block * length, (block + 1) * length) as never, offset);
      offset += length;
    }
  }
  return [{ type: first.type, dims, data: found }];
};

const transpose: Reference = (node, inputs) => {
  const x = needed(node, inputs, 0);
  const order = intsOf(node, 'perm') ?? [...x.dims.keys()].toReversed();
  if (order.toSorted((a, b) => a - b).join() !== [...x.dims.keys()].join()) throw misfit(node, x.dims, order);
  const dims = order.map((axis) => x.dims[axis] as number);
  const strides = stridesOf(x.dims);
  const steps = order.map((axis) => strides[axis] as number);
  const outer = stridesOf(dims);
  return [
    picked(x, dims, (index) => {
      let rest = index;
      let found = 0;
      for (let axis = 0; axis < dims.length; axis++) {
        const place = Math.floor(rest / (outer[axis] as number));
        rest -= place * (outer[axis] as number);
        found += place * (steps[axis] as number);
      }
      return found;
    }),
  ];
};

const pad: Reference = (node, inputs) => {
  const x = needed(node, inputs, 0);
  const pads = integers(needed(node, inputs, 1)) as number[];
  const rank = x.dims.length;
  const amount = Number(inputs[2]?.data[0] ?? 0);
  if (amount !== 0 || inputs[3] || pads.length !== 2 * rank || pads.some((size) => size < 0)) {
    throw new UserError(
      `Pad '${node.name}': device bits pads with zeros, all axes; open the model on device cpu`,
    );
  }
  const dims = x.dims.map((size, axis) => size + (pads[axis] as number) + (pads[axis + rank] as number));
  const strides = stridesOf(x.dims);
  const outer = stridesOf(dims);
  return [
    picked(x, dims, (index) => {
      let rest = index;
      let found = 0;
      for (let axis = 0; axis < rank; axis++) {
        const place = Math.floor(rest / (outer[axis] as number));
        rest -= place * (outer[axis] as number);
        const from = place - (pads[axis] as number);
        if (from < 0 || from >= (x.dims[axis] as number)) return -1;
        found += from * (strides[axis] as number);
      }
      return found;
    }),
  ];
};

const split: Reference = (node, inputs) => {
  const x = needed(node, inputs, 0);
  const axis = axisOf(node, intOf(node, 'axis', 0), x.dims.length);
  const length = x.dims[axis] as number;
  const count = node.outputs.length;
  const sizes = integers(inputs[1]) ?? Array.from({ length: count }, () => length / count);
  if (sizes.length !== count || sizes.reduce((sum, size) => sum + size, 0) !== length)
    throw misfit(node, x.dims, sizes);
  const inner = sizeOf(x.dims.slice(axis + 1));
  let first = 0;
  return sizes.map((size) => {
    const start = first;
    first += size;
    const dims = x.dims.map((each, index) => (index === axis ? size : each));
    return picked(x, dims, (index) => {
      const block = Math.floor(index / (size * inner));
      return (block * length + start) * inner + (index % (size * inner));
    });
  });
};

const constant: Reference = (node) => {
  const found = node.attributes.get('value');
  if (found?.type === 'tensor') return [numbersOf(tensorData(found.value, node.name), node.name)];
  const float = node.attributes.get('value_float');
  if (float?.type === 'float') return [tensorOf('float32', [], [float.value])];
  const int = node.attributes.get('value_int');
  if (int?.type === 'int') return [tensorOf('int64', [], [Number(int.value)])];
  const ints = intsOf(node, 'value_ints');
  if (ints) return [tensorOf('int64', [ints.length], ints)];
  throw new UserError(
    `Constant '${node.name}' holds no tensor that device bits reads; open the model on device cpu`,
  );
};

/** Numbers of a range, at most: the steps of a call. */
const MOST = 2 ** 24;

const range: Reference = (node, inputs) => {
  const [start = 0, limit = 0, delta = 0] = [0, 1, 2].map((index) =>
    Number(needed(node, inputs, index).data[0]),
  );
  const count = Math.max(0, Math.ceil((limit - start) / delta));
  if (!(count <= MOST))
    throw new UserError(
      `Range '${node.name}' from ${start} to ${limit} by ${delta}: expected at most ${MOST} numbers`,
    );
  const { type } = needed(node, inputs, 0);
  return [
    tensorOf(
      type,
      [count],
      Float64Array.from({ length: count }, (_, index) => start + index * delta),
    ),
  ];
};

/** Operators that move numbers and tell shapes. */
export const shapes: Readonly<Record<string, Reference>> = {
  Constant: constant,
  Identity: (node, inputs) => [needed(node, inputs, 0)],
  Shape: (node, inputs) => {
    const { dims } = needed(node, inputs, 0);
    const part = dims.slice(intOf(node, 'start', 0), intOf(node, 'end', dims.length));
    return [tensorOf('int64', [part.length], part)];
  },
  Reshape: (node, inputs) => {
    const x = needed(node, inputs, 0);
    return shaped(node, x, reshapedDims(node, x.dims, integers(needed(node, inputs, 1)) as number[]));
  },
  Flatten: (node, inputs) => {
    const x = needed(node, inputs, 0);
    const axis = intOf(node, 'axis', 1);
    const first = axis < 0 ? axis + x.dims.length : axis;
    return shaped(node, x, [sizeOf(x.dims.slice(0, first)), sizeOf(x.dims.slice(first))]);
  },
  Unsqueeze: (node, inputs) => {
    const x = needed(node, inputs, 0);
    const rank = x.dims.length + (inputs[1]?.data.length ?? intsOf(node, 'axes')?.length ?? 0);
    const axes = axesOf(node, inputs[1], rank) ?? [];
    const dims = [...x.dims];
    for (const axis of axes.toSorted((a, b) => a - b)) dims.splice(axis, 0, 1);
    return shaped(node, x, dims);
  },
  Squeeze: (node, inputs) => {
    const x = needed(node, inputs, 0);
    const axes = axesOf(node, inputs[1], x.dims.length);
    return shaped(
      node,
      x,
      x.dims.filter((size, axis) => (axes ? !axes.includes(axis) : size !== 1)),
    );
  },
  Expand: (node, inputs) => {
    const x = needed(node, inputs, 0);
    const dims = broadcast(node, x.dims, integers(needed(node, inputs, 1)) as number[]);
    return [picked(x, dims, broadcastIndices(x.dims, dims))];
  },
  ConstantOfShape: (node, inputs) => {
    const dims = integers(needed(node, inputs, 0)) as number[];
    const value = node.attributes.get('value');
    const filled =
      value?.type === 'tensor'
        ? numbersOf(tensorData(value.value, node.name), node.name)
        : tensorOf('float32', [1], [0]);
    return [picked(filled, dims, () => 0)];
  },
  Range: range,
  Slice: slice,
  Gather: gather,
  Concat: concat,
  Split: split,
  Transpose: transpose,
  Pad: pad,
};
