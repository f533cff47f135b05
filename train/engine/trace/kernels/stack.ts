import { as, splatOf, type Traced, tracedValue } from '../traced.ts';
import { type BodyKernel, type Kernel, operand } from './kernel.ts';

/** Tensors along a new axis, and back. */
export const stacks: { readonly Pack: Kernel; readonly Unpack: BodyKernel } = {
  Pack(recorder, operands, { axis }) {
    const all = Object.keys(operands).map((_, index) => operands[index]!);
    const [first] = all as [Traced];
    // The last axis may be called −1.
    const at = (axis as number) < 0 ? (axis as number) + first.shape.length + 1 : (axis as number);
    const along = (count: number): number[] => first.shape.toSpliced(at, 0, count);
    const number = splatOf(first);
    if (number !== undefined && all.every((each) => splatOf(each) === number))
      return as(first, along(all.length));
    const one = recorder.integers(along(1));
    const parts = all.map((each) => recorder.node('Reshape', [recorder.value(each), one]));
    return recorder.traced('Concat', parts, { axis: at }, along(all.length), first.type);
  },

  Unpack(recorder, operands, { axis }) {
    const x = operand(operands, 'value');
    const at = (axis as number) < 0 ? (axis as number) + x.shape.length : (axis as number);
    const count = x.shape[at] as number;
    const shape = x.shape.toSpliced(at, 1);
    if (splatOf(x) !== undefined) return Array.from({ length: count }, () => as(x, shape));
    const one = x.shape.with(at, 1);
    const parts = recorder.nodes(
      'Split',
      [recorder.value(x)],
      { axis: at, num_outputs: count },
      Array.from({ length: count }, () => one),
    );
    const sizes = recorder.integers(shape);
    return parts.map((part) =>
      tracedValue(recorder.node('Reshape', [recorder.value(part), sizes]), shape, x.type),
    );
  },
};
