import { UserError } from '../../../schemas/errors.ts';
import { type DataType, dataTypes, type TensorData } from '../../../schemas/onnx/index.ts';
import type { FlatNode } from '../flat-graph.ts';

/** Types that are computed with here; each element has a place of its own in its array. */
export const types = ['float32', 'uint8', 'int8', 'int32', 'int64', 'bool'] as const;
export type NumberType = (typeof types)[number];

/** A tensor, its elements in row-major order. */
export interface Numbers {
  readonly type: NumberType;
  readonly dims: readonly number[];
  readonly data: Float32Array | Uint8Array | Int8Array | Int32Array | BigInt64Array;
}

/** Computes the outputs of a node from all its inputs; one that is left out is undefined. */
export type Reference = (node: FlatNode, inputs: readonly (Numbers | undefined)[]) => readonly Numbers[];

export const sizeOf = (dims: readonly number[]): number => dims.reduce((product, size) => product * size, 1);

const isNumberType = (type: string | undefined): type is NumberType =>
  (types as readonly (string | undefined)[]).includes(type);

/** @throws UserError for types that networks of this toolkit do not have */
export function numberType(type: DataType | undefined, name: string): NumberType {
  if (isNumberType(type)) return type;
  throw new UserError(
    `device bits computes with ${types.join(', ')}; '${name}' is of ${type ?? 'an unknown type'}; open the model on device cpu`,
  );
}

export const numbersOf = (tensor: TensorData, name: string): Numbers =>
  ({ ...tensor, type: numberType(tensor.type, name) }) as Numbers;

/** The data type with ONNX's number. */
export function typeOfCode(code: number, name: string): NumberType {
  const found = types.find((type) => dataTypes[type].code === code);
  return found ?? numberType(undefined, name);
}

/** Numbers of a value, at most: a file may ask for any shape. */
const MOST = 2 ** 28;

/** A number of numbers. @throws UserError for more than memory is given to */
export function fitting(length: number): number {
  if (length <= MOST) return length;
  throw new UserError(
    `a value of ${length} numbers is too large for device bits, which takes ${MOST}; open the model on device cpu`,
  );
}

const arrays: Readonly<Record<NumberType, new (length: number) => Numbers['data']>> = {
  float32: Float32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
};

export const arrayOf = (type: NumberType, length: number): Numbers['data'] =>
  new arrays[type](fitting(length));

/** Whether an array is one for elements of that type; a Buffer of Node is a Uint8Array too. */
export const holds = (type: NumberType, data: unknown): boolean => data instanceof arrays[type];

/** The elements as plain numbers. */
export const plain = ({ data }: Numbers): ArrayLike<number> =>
  data instanceof BigInt64Array ? Float64Array.from(data, Number) : data;

/** A tensor of plain numbers; of a whole type, they must be whole already. */
export function tensorOf(type: NumberType, dims: readonly number[], values: ArrayLike<number>): Numbers {
  const data = arrayOf(type, values.length);
  if (data instanceof BigInt64Array) {
    for (let index = 0; index < values.length; index++) data[index] = BigInt(values[index] as number);
  } else data.set(values);
  return { type, dims, data };
}

/** The same elements, in the order in which `pick` names them. */
export function picked(
  { type, data }: Numbers,
  dims: readonly number[],
  pick: (index: number) => number,
): Numbers {
  const found = arrayOf(type, sizeOf(dims));
  // −1 picks nothing, and leaves a zero.
  for (let index = 0; index < found.length; index++) {
    const from = pick(index);
    if (from >= 0) found[index] = data[from] as never;
  }
  return { type, dims, data: found };
}

/** An input that the operator cannot do without. */
export function needed(node: FlatNode, inputs: readonly (Numbers | undefined)[], index: number): Numbers {
  const found = inputs[index];
  if (!found) throw new UserError(`${node.op} '${node.name}' lacks its input ${index}`);
  return found;
}

/** An axis from the front. @throws UserError where there is no such axis */
export function axisOf(node: FlatNode, axis: number, rank: number): number {
  const found = axis < 0 ? axis + rank : axis;
  if (Number.isInteger(found) && found >= 0 && found < rank) return found;
  throw new UserError(`${node.op} '${node.name}' has axis ${axis} of ${rank}`);
}

/** What is wrong with the shapes of a node. */
export const misfit = (node: FlatNode, ...shapes: readonly (readonly number[])[]): UserError =>
  new UserError(`${node.op} '${node.name}' does not take the shapes ${shapes.map(textOf).join(' and ')}`);

/** A shape; of what was meant as one but is longer, its beginning. */
const textOf = (dims: readonly number[]): string =>
  `[${dims.slice(0, 8).join(', ')}${dims.length > 8 ? ', …' : ''}]`;

/** Steps of a row-major array, in elements. */
export function stridesOf(dims: readonly number[]): number[] {
  const strides = dims.map(() => 1);
  for (let axis = dims.length - 2; axis >= 0; axis--)
    strides[axis] = (strides[axis + 1] as number) * (dims[axis + 1] as number);
  return strides;
}

/** The shape that two broadcast to. */
export function broadcast(node: FlatNode, a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const first = a[axis - rank + a.length] ?? 1;
    const second = b[axis - rank + b.length] ?? 1;
    if (first !== second && first !== 1 && second !== 1) throw misfit(node, a, b);
    return first === 1 ? second : first;
  });
}

/** For every element of `dims`, where it is in an array of `from`, which broadcasts to it. */
export function broadcastIndices(
  from: readonly number[],
  dims: readonly number[],
): (index: number) => number {
  if (sizeOf(from) === 1) return () => 0;
  if (from.length === dims.length && from.every((size, axis) => size === dims[axis])) return (index) => index;
  const strides = stridesOf(from);
  const offset = dims.length - from.length;
  const outer = stridesOf(dims);
  return (index) => {
    let rest = index;
    let found = 0;
    for (let axis = 0; axis < dims.length; axis++) {
      const step = outer[axis] as number;
      const place = Math.floor(rest / step);
      rest -= place * step;
      if (axis >= offset && from[axis - offset] !== 1) found += place * (strides[axis - offset] as number);
    }
    return found;
  };
}
