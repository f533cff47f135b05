import { UserError } from '../../schemas/errors.ts';
import type { TensorData } from '../../schemas/onnx/index.ts';

/** Arrays that round what is put into them as their type does, and give back numbers that float64 holds exactly. */
const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  bool: Uint8Array,
  // Whole numbers below 2⁵³: sizes, axes and counts are.
  int64: Float64Array,
  uint64: Float64Array,
} as const;

/** The types that the reference computes in. */
export type NumberType = keyof typeof arrays;
export type NumberArray = InstanceType<(typeof arrays)[NumberType]>;

/** A value of a graph. */
export interface Numbers {
  readonly type: NumberType;
  readonly dims: readonly number[];
  readonly data: NumberArray;
  /**
   * Whether ONNX and IEEE 754 leave no choice: these are the bits that every runtime has to give. What was summed in
   * an order that matters, or came from exp, log and the like, is not exact, nor is what follows from it.
   */
  readonly exact: boolean;
}

export const isFloat = (type: NumberType): boolean => type === 'float32' || type === 'float64';

export const countOf = (dims: readonly number[]): number => dims.reduce((product, size) => product * size, 1);

/** More numbers than this (2 GB of float32) are refused: a file may ask for any shape. */
const MOST = 2 ** 29;

/** Zeros of a type. @throws UserError for more than memory is given to */
export function arrayOf(type: NumberType, length: number): NumberArray {
  if (!(length >= 0 && length <= MOST))
    throw new UserError(`a value of ${length} numbers; the reference takes at most ${MOST}`);
  return new arrays[type](length);
}

export function isNumberType(type: string | undefined): type is NumberType {
  return type !== undefined && Object.hasOwn(arrays, type);
}

/** The numbers of a tensor of a file. @throws UserError for a type that the reference does not compute in */
export function numbersOf({ type, dims, data }: TensorData, what: string): Numbers {
  if (!isNumberType(type)) throw new UserError(`${what}: the reference does not compute with ${type}`);
  const array = arrayOf(type, data.length);
  for (let index = 0; index < array.length; index++) array[index] = Number(data[index]);
  return { type, dims, data: array, exact: true };
}

/** Numbers with other dims. */
export const withDims = (numbers: Numbers, dims: readonly number[]): Numbers => ({ ...numbers, dims });

/** A list of whole numbers, as shapes and axes are. */
export const int64s = (values: readonly number[]): Numbers => ({
  type: 'int64',
  dims: [values.length],
  data: Float64Array.from(values),
  exact: true,
});

/** An axis counted from the front, where −1 is the last. */
export const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** How many elements apart neighbours of each axis are. */
export function stridesOf(dims: readonly number[]): number[] {
  const strides = dims.map(() => 1);
  for (let axis = dims.length - 2; axis >= 0; axis--)
    strides[axis] = (strides[axis + 1] as number) * (dims[axis + 1] as number);
  return strides;
}

/** The shape that several broadcast to. */
export function broadcastDims(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map(({ length }) => length));
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = shapes.map((dims) => dims[axis - rank + dims.length] ?? 1);
    const size = sizes.find((each) => each !== 1) ?? 1;
    if (sizes.some((each) => each !== 1 && each !== size))
      throw new UserError(
        `shapes [${shapes.map((dims) => dims.join(', ')).join('] and [')}] do not broadcast`,
      );
    return size;
  });
}

/** For each element of a shape, where the element that is broadcast to it stands: undefined where at the same place. */
export function broadcastPlaces(from: readonly number[], to: readonly number[]): Uint32Array | undefined {
  const missing = to.length - from.length;
  if (missing === 0 && from.every((size, axis) => size === to[axis])) return undefined;
  const own = stridesOf(from);
  const strides = to.map((_, axis) =>
    axis < missing || from[axis - missing] === 1 ? 0 : own[axis - missing]!,
  );
  return placesOf(to, strides);
}

/** Where elements of a shape are found, from an offset in steps of these strides. */
export function placesOf(dims: readonly number[], strides: readonly number[], offset = 0): Uint32Array {
  const places = arrayOf('uint32', countOf(dims)) as Uint32Array;
  const at = dims.map(() => 0);
  let place = offset;
  for (let index = 0; index < places.length; index++) {
    places[index] = place;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      place += strides[axis] as number;
      at[axis] = (at[axis] as number) + 1;
      if ((at[axis] as number) < (dims[axis] as number)) break;
      place -= (strides[axis] as number) * (dims[axis] as number);
      at[axis] = 0;
    }
  }
  return places;
}

/** The elements at these places. */
export function picked(
  { type, data, exact }: Numbers,
  places: Uint32Array,
  dims: readonly number[],
): Numbers {
  const found = arrayOf(type, places.length);
  for (let index = 0; index < places.length; index++) found[index] = data[places[index] as number] as number;
  return { type, dims, data: found, exact };
}

/** Largest whole number below which float32 holds every one, so that sums are the same in any order. */
export const WHOLE_LIMIT = 2 ** 24;
