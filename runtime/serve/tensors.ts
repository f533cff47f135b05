import { Refusal } from './refusal.ts';
import { bytesOf, type Datatype, type Numbers } from './signature.ts';

const nameOf = (value: unknown): string =>
  typeof value === 'string'
    ? JSON.stringify(value.slice(0, 40))
    : Array.isArray(value)
      ? 'an array'
      : String(value);

const arrayOf = (datatype: Datatype, length: number): Numbers =>
  datatype === 'UINT8' ? new Uint8Array(length) : new Float32Array(length);

/**
 * The numbers of a tensor that came as JSON: one flat array, or arrays in arrays as its shape says.
 *
 * @param what names the tensor in errors
 * @throws Refusal where there are more or fewer numbers than the shape says, or some that the type cannot hold
 */
export function numbersFromJson(
  data: unknown,
  datatype: Datatype,
  shape: readonly number[],
  what: string,
): Numbers {
  if (!Array.isArray(data))
    throw new Refusal(400, `${what}: expected an array as 'data', got ${nameOf(data)}`);
  const size = shape.reduce((product, axis) => product * axis, 1);
  const isFlat = !Array.isArray(data[0]);
  const numbers = arrayOf(datatype, size);
  fill(numbers, 0, data, isFlat ? [size] : shape, datatype, what);
  return numbers;
}

/** Fills numbers from arrays in arrays, no deeper than their shape. */
function fill(
  numbers: Numbers,
  start: number,
  data: unknown,
  [length = 0, ...inner]: readonly number[],
  datatype: Datatype,
  what: string,
): void {
  if (!Array.isArray(data) || data.length !== length) {
    const found = Array.isArray(data) ? `${data.length}` : nameOf(data);
    throw new Refusal(
      400,
      `${what}: expected an array of ${length} in 'data' as its shape says, got ${found}`,
    );
  }
  if (inner.length > 0) {
    const size = inner.reduce((product, axis) => product * axis, 1);
    data.forEach((part, index) => fill(numbers, start + index * size, part, inner, datatype, what));
    return;
  }
  const isUint8 = datatype === 'UINT8';
  for (let index = 0; index < length; index++) {
    const value: unknown = data[index];
    const fits =
      typeof value === 'number' &&
      (isUint8 ? Number.isInteger(value) && value >= 0 && value <= 255 : Number.isFinite(Math.fround(value)));
    if (!fits) {
      const expected = isUint8 ? 'a whole number from 0 to 255' : 'a finite number that float32 can hold';
      throw new Refusal(
        400,
        `${what}: number ${start + index} of 'data' is ${nameOf(value)}; expected ${expected}`,
      );
    }
    numbers[start + index] = value;
  }
}

/**
 * The numbers of a tensor that came as bytes: row-major, little-endian, in memory of their own.
 *
 * @throws Refusal where it is not as many bytes as the shape says, or a number is not finite
 */
export function numbersFromBytes(
  bytes: Uint8Array,
  datatype: Datatype,
  shape: readonly number[],
  what: string,
): Numbers {
  const size = shape.reduce((product, axis) => product * axis, 1);
  if (bytes.length !== size * bytesOf[datatype]) {
    throw new Refusal(
      400,
      `${what}: 'binary_data_size' is ${bytes.length}; ${datatype} [${shape.join(', ')}] takes ${size * bytesOf[datatype]} bytes`,
    );
  }
  const own = new Uint8Array(bytes);
  if (datatype === 'UINT8') return own;
  const numbers = new Float32Array(own.buffer);
  const odd = numbers.findIndex((value) => !Number.isFinite(value));
  if (odd !== -1)
    throw new Refusal(400, `${what}: number ${odd} is ${numbers[odd]}; expected finite numbers`);
  return numbers;
}

/** The bytes of numbers, as they are: every machine that Node runs on has little-endian numbers. */
export const bytesFrom = ({ buffer, byteOffset, byteLength }: Numbers): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
