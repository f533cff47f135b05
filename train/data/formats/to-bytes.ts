import { UserError } from '../../../schemas/errors.ts';
import type { NumberArray } from './npy.ts';

/** How far from a whole unit a float may lie, in units: what rounding of the values before makes of it. */
const tolerance = 1e-3;

/** Calls `visit` for each element in row-major order of `shape`. */
function visitRowMajor(
  shape: readonly number[],
  strides: readonly number[],
  start: number,
  visit: (place: number) => void,
  axis = 0,
): void {
  const stride = strides[axis]!;
  const end = start + shape[axis]! * stride;
  if (axis === shape.length - 1) for (let place = start; place < end; place += stride) visit(place);
  else
    for (let place = start; place < end; place += stride)
      visitRowMajor(shape, strides, place, visit, axis + 1);
}

/**
 * Bytes of some examples of an array, each in row-major order of the axes given. Whole numbers are taken as they
 * are; floats are values, divided by `scale`.
 *
 * @param order axes of the array, examples first
 * @throws UserError for what is no byte, or lies between two where `round` is not set
 */
export function toBytes(
  { shape, strides, type, at, bytes }: NumberArray,
  order: readonly number[],
  examples: Uint32Array,
  { scale, round }: { readonly scale: number; readonly round: boolean },
  file: string,
): Uint8Array {
  const [, ...sizes] = order.map((axis) => shape[axis]!);
  const [step, ...steps] = order.map((axis) => strides[axis]!) as [number, ...number[]];
  const size = sizes.reduce((product, axis) => product * axis, 1);
  const inOrder = steps.every((stride, axis) =>
    axis === steps.length - 1 ? stride === 1 : stride === steps[axis + 1]! * sizes[axis + 1]!,
  );
  if (bytes !== undefined && inOrder && step === size && examples.length === shape[0]) return bytes;

  const result = new Uint8Array(examples.length * size);
  let written = 0;
  const unit = type[1] === 'f' ? scale : 1;
  const convert = (place: number): void => {
    const value = at(place);
    const units = value / unit;
    const byte = Math.round(units);
    if (!(byte >= 0 && byte <= 255)) {
      throw new UserError(
        `${file}: element ${place}: ${value} is no byte; expected 0 … ${255 * unit}${unit === scale ? `, with scale=${scale}` : ''}`,
      );
    }
    if (!round && Math.abs(units - byte) > tolerance) {
      throw new UserError(
        `${file}: element ${place}: ${value} is no multiple of ${unit}; give another scale=, or round=true`,
      );
    }
    result[written++] = byte;
  };
  const copy = (place: number): void => {
    result[written++] = bytes![place]!;
  };
  const visit = bytes === undefined ? convert : copy;
  for (const example of examples) visitRowMajor(sizes, steps, example * step, visit);
  return result;
}
