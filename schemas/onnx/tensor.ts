import { type DataArrays, type DataType, dataTypes } from './data-types.ts';
import type { Rest } from './rest.ts';

/** A tensor with its elements in row-major order; `dims` of [] is a scalar. */
export type TensorData<T extends DataType = DataType> = {
  [K in T]: { readonly type: K; readonly dims: readonly number[]; readonly data: DataArrays[K] };
}[T];

/** A tensor as a file holds it: `tensorData` decodes it, and writing it again keeps its form. */
export interface StoredTensor {
  /** Undefined where the file names none, or one that is not known. */
  readonly type: DataType | undefined;
  readonly dims: readonly number[];
  readonly stored: StoredFields;
  readonly rest?: Rest | undefined;
}

/** Where ONNX may keep the elements. At most one field is filled in a well-formed file. */
export interface StoredFields {
  readonly raw?: Uint8Array;
  readonly float?: Float32Array;
  readonly int32?: Int32Array;
  readonly int64?: BigInt64Array;
  readonly double?: Float64Array;
  readonly uint64?: BigUint64Array;
  /** Each in UTF-8. */
  readonly string?: readonly Uint8Array[];
  /** The elements are in another file: `location`, and perhaps `offset`, `length` (bytes) and `checksum`. */
  readonly external?: ReadonlyMap<string, string>;
}

export type Tensor = TensorData | StoredTensor;

/** The number of elements of a shape; NaN if a dimension is negative, fractional or the product is not exact. */
export function elementCount(dims: readonly number[]): number {
  if (!dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) return Number.NaN;
  const count = dims.includes(0) ? 0 : dims.reduce((product, dim) => product * dim, 1);
  return Number.isSafeInteger(count) ? count : Number.NaN;
}

/** The bytes that so many elements of a type fill, a partly filled last byte included. */
export const byteCount = (type: DataType, elements: number): number =>
  Math.ceil((elements * dataTypes[type].bits) / 8);

/** The length of the array in `TensorData` for so many elements of a type. */
export function arrayLength(type: DataType, elements: number): number {
  const { array } = dataTypes[type];
  return array ? byteCount(type, elements) / array.BYTES_PER_ELEMENT : elements;
}

/**
 * A tensor, its array checked.
 *
 * @throws Error if the array is not the type's, or its length does not fit `dims`.
 */
export function tensor<T extends DataType>(
  type: T,
  dims: readonly number[],
  data: DataArrays[T],
): TensorData<T> {
  checkTensor(type, dims, data);
  return { type, dims, data } as TensorData<T>;
}

/** @throws Error as `tensor` does. */
export function checkTensor(type: DataType, dims: readonly number[], data: DataArrays[DataType]): void {
  const { array = Array } = dataTypes[type];
  if (!(data instanceof array)) {
    throw new Error(`A ${type} tensor needs its data in a ${array.name}, not a ${data.constructor.name}`);
  }
  const expected = arrayLength(type, elementCount(dims));
  if (data.length !== expected) {
    throw new Error(
      `A ${type} tensor of shape [${dims.join(', ')}] needs an array of ${expected}, not ${data.length}`,
    );
  }
}
