/**
 * The array that holds the elements of each data type.
 *
 * Types under 8 bits are packed as ONNX packs them, the first element in the lowest bits of a byte. Floats
 * that JavaScript has no array for are their bits: `float16` and `bfloat16` in 16, the 8-bit ones in 8.
 * Complex numbers are (real, imaginary) pairs; a bool is a byte, 0 or 1.
 */
export interface DataArrays {
  float32: Float32Array;
  uint8: Uint8Array;
  int8: Int8Array;
  uint16: Uint16Array;
  int16: Int16Array;
  int32: Int32Array;
  int64: BigInt64Array;
  string: readonly string[];
  bool: Uint8Array;
  float16: Uint16Array;
  float64: Float64Array;
  uint32: Uint32Array;
  uint64: BigUint64Array;
  complex64: Float32Array;
  complex128: Float64Array;
  bfloat16: Uint16Array;
  float8e4m3fn: Uint8Array;
  float8e4m3fnuz: Uint8Array;
  float8e5m2: Uint8Array;
  float8e5m2fnuz: Uint8Array;
  uint4: Uint8Array;
  int4: Uint8Array;
  float4e2m1: Uint8Array;
  float8e8m0: Uint8Array;
  uint2: Uint8Array;
  int2: Uint8Array;
  float6e2m3: Uint8Array;
  float6e3m2: Uint8Array;
}

export type DataType = keyof DataArrays;

/** Any of the arrays but strings. */
export type NumericArray = Exclude<DataArrays[DataType], readonly string[]>;

interface ArrayType {
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): NumericArray;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): NumericArray;
}

interface DataTypeInfo {
  /** ONNX's number for the type, e.g. for the attribute `to` of Cast. */
  readonly code: number;
  /** The size of an element; 0 for strings, which have none. */
  readonly bits: number;
  /** Undefined for strings. */
  readonly array?: ArrayType;
}

export const dataTypes: { readonly [T in DataType]: DataTypeInfo } = {
  float32: { code: 1, bits: 32, array: Float32Array },
  uint8: { code: 2, bits: 8, array: Uint8Array },
  int8: { code: 3, bits: 8, array: Int8Array },
  uint16: { code: 4, bits: 16, array: Uint16Array },
  int16: { code: 5, bits: 16, array: Int16Array },
  int32: { code: 6, bits: 32, array: Int32Array },
  int64: { code: 7, bits: 64, array: BigInt64Array },
  string: { code: 8, bits: 0 },
  bool: { code: 9, bits: 8, array: Uint8Array },
  float16: { code: 10, bits: 16, array: Uint16Array },
  float64: { code: 11, bits: 64, array: Float64Array },
  uint32: { code: 12, bits: 32, array: Uint32Array },
  uint64: { code: 13, bits: 64, array: BigUint64Array },
  complex64: { code: 14, bits: 64, array: Float32Array },
  complex128: { code: 15, bits: 128, array: Float64Array },
  bfloat16: { code: 16, bits: 16, array: Uint16Array },
  float8e4m3fn: { code: 17, bits: 8, array: Uint8Array },
  float8e4m3fnuz: { code: 18, bits: 8, array: Uint8Array },
  float8e5m2: { code: 19, bits: 8, array: Uint8Array },
  float8e5m2fnuz: { code: 20, bits: 8, array: Uint8Array },
  uint4: { code: 21, bits: 4, array: Uint8Array },
  int4: { code: 22, bits: 4, array: Uint8Array },
  float4e2m1: { code: 23, bits: 4, array: Uint8Array },
  float8e8m0: { code: 24, bits: 8, array: Uint8Array },
  uint2: { code: 25, bits: 2, array: Uint8Array },
  int2: { code: 26, bits: 2, array: Uint8Array },
  float6e2m3: { code: 27, bits: 6, array: Uint8Array },
  float6e3m2: { code: 28, bits: 6, array: Uint8Array },
};

const byCode = new Map(Object.entries(dataTypes).map(([type, { code }]) => [code, type as DataType]));

/** The data type of an ONNX number, or undefined where there is none (0) or we do not know it. */
export const dataTypeOfCode = (code: number): DataType | undefined => byCode.get(code);
