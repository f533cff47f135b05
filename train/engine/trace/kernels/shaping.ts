import { util } from '@tensorflow/tfjs-core';
import {
  as,
  compact,
  factorOf,
  scaled,
  splat,
  splatOf,
  stretched,
  type TracedType,
  unscaled,
} from '../traced.ts';
import { type KernelTable, operand } from './kernel.ts';

/** Kernels that make or rearrange numbers and compute none. */
export const shaping: KernelTable = {
  Identity: (_recorder, operands) => operand(operands, 'x'),

  Fill: (_recorder, _operands, { shape, value, dtype }) =>
    splat(value as number, shape as number[], (dtype as TracedType | undefined) ?? 'float32'),
  ZerosLike: (_recorder, operands) => splat(0, operand(operands, 'x').shape, operand(operands, 'x').type),
  OnesLike: (_recorder, operands) => splat(1, operand(operands, 'x').shape, operand(operands, 'x').type),

  // Same numbers in the same order under another shape.
  Reshape: (recorder, operands, attributes) => {
    const x = operand(operands, 'x');
    const shape = util.inferFromImplicitShape(attributes.shape as number[], util.sizeFromShape([...x.shape]));
    if (splatOf(x) !== undefined || util.arraysEqual(shape, [...x.shape])) return as(x, shape);
    const small = compact(x);
    if (small !== x && util.sizeFromShape([...small.shape]) === 1) {
      // One number everywhere, whatever the shape.
      const number = [recorder.value(unscaled(small)), recorder.integers([])];
      const scalar =
        small.shape.length === 0 ? unscaled(small) : recorder.traced('Reshape', number, {}, [], x.type);
      return scaled(stretched(scalar, shape), factorOf(x));
    }
    const operandsOf = [recorder.value(unscaled(x)), recorder.integers(shape)];
    return scaled(recorder.traced('Reshape', operandsOf, {}, shape, x.type), factorOf(x));
  },

  // Axis i of the result is axis perm[i] of the operand, in tfjs as in ONNX.
  Transpose: (recorder, operands, { perm }) => {
    const x = operand(operands, 'x');
    const order = perm as number[];
    const shape = order.map((axis) => x.shape[axis] as number);
    if (splatOf(x) !== undefined) return as(x, shape);
    const turned = recorder.traced(
      'Transpose',
      [recorder.value(unscaled(x))],
      { perm: order },
      shape,
      x.type,
    );
    return scaled(turned, factorOf(x));
  },

  // A box of `size` from `begin` on.
  Slice: (recorder, operands, { begin, size }) => {
    const x = operand(operands, 'x');
    const start = begin as number[];
    const shape = (size as number[]).map((length, axis) =>
      length < 0 ? (x.shape[axis] as number) - (start[axis] as number) : length,
    );
    if (splatOf(x) !== undefined || util.arraysEqual(shape, [...x.shape])) return as(x, shape);
    const ends = shape.map((length, axis) => length + (start[axis] as number));
    const bounds = [recorder.integers(start), recorder.integers(ends)];
    const axes = recorder.integers(shape.map((_, axis) => axis));
    const box = recorder.traced('Slice', [recorder.value(unscaled(x)), ...bounds, axes], {}, shape, x.type);
    return scaled(box, factorOf(x));
  },

  PadV2: (recorder, operands, { paddings, constantValue }) => {
    const x = operand(operands, 'x');
    const pairs = paddings as [number, number][];
    const shape = x.shape.map((length, axis) => length + (pairs[axis]?.[0] ?? 0) + (pairs[axis]?.[1] ?? 0));
    if (splatOf(x) === constantValue || util.arraysEqual(shape, [...x.shape])) return as(x, shape);
    const widths = recorder.integers([
      ...pairs.map(([before]) => before),
      ...pairs.map(([, after]) => after),
    ]);
    const filling = recorder.scalar(constantValue as number, x.type);
    return recorder.traced('Pad', [recorder.value(x), widths, filling], {}, shape, x.type);
  },
};
