import { UserError } from '../errors.ts';
import { type DataType, dataTypes } from './data-types.ts';
import {
  arrayLength,
  byteCount,
  elementCount,
  type StoredFields,
  type StoredTensor,
  type Tensor,
  type TensorData,
} from './tensor.ts';
import { toText } from './text.ts';

/**
 * The elements of a tensor, from whichever field the file keeps them in. Raw data are not copied if their
 * alignment allows. Nothing is allocated before the data are known to fit the shape.
 *
 * @param name The tensor's name for messages.
 * @throws UserError if the type is unknown, the data do not fit the shape, or they are in another file.
 */
export function tensorData(tensor: Tensor, name = ''): TensorData {
  if ('data' in tensor) return tensor;
  try {
    return decode(tensor);
  } catch (error) {
    if (error instanceof UserError)
      throw new UserError(`tensor '${name}' ${error.message}`, { cause: error });
    throw error;
  }
}

function decode({ type, dims, stored, rest }: StoredTensor): TensorData {
  if (!type) throw new UserError('has a data type that is missing or not known');
  if (stored.external) {
    throw new UserError(`is external: its data are in another file, ${stored.external.get('location')}`);
  }
  if (rest?.['segment']) throw new UserError('is a segment of a tensor; a whole one was expected');
  const elements = elementCount(dims);
  if (Number.isNaN(elements)) throw new UserError(`has the impossible shape [${dims.join(', ')}]`);
  const check = (found: number, expected: number, unit: string) => {
    if (found === expected) return;
    throw new UserError(`(${type}, shape [${dims.join(', ')}]) needs ${expected} ${unit} but has ${found}`);
  };

  const { array } = dataTypes[type];
  const length = arrayLength(type, elements);
  if (type === 'string' || !array) {
    check(stored.string?.length ?? 0, length, 'strings');
    return { type: 'string', dims, data: (stored.string ?? []).map(decodeText) };
  }
  if (stored.raw?.length) {
    check(stored.raw.length, byteCount(type, elements), 'bytes');
    const raw = stored.raw.byteOffset % array.BYTES_PER_ELEMENT === 0 ? stored.raw : stored.raw.slice();
    return { type, dims, data: new array(raw.buffer, raw.byteOffset, length) } as TensorData;
  }
  const values = fieldOf(type, stored);
  check(values?.length ?? 0, length, 'values');
  const data = new array(length);
  values?.forEach((value: number | bigint, index: number) => {
    data[index] = type === 'uint32' ? Number(value) : value;
  });
  return { type, dims, data } as TensorData;
}

/** The field that holds a type's elements one by one; packed types take a value for each byte. */
function fieldOf(type: DataType, { float, double, int64, uint64, int32 }: StoredFields) {
  switch (type) {
    case 'float32':
    case 'complex64':
      return float;
    case 'float64':
    case 'complex128':
      return double;
    case 'int64':
      return int64;
    case 'uint32':
    case 'uint64':
      return uint64;
    default:
      return int32;
  }
}

function decodeText(bytes: Uint8Array): string {
  const text = toText(bytes);
  if (text === undefined) throw new UserError('has strings that are not UTF-8');
  return text;
}
