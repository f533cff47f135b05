import { util } from '@tensorflow/tfjs-core';
import { type Recorder } from '../recorder.ts';
import { as, compact, factorOf, scaled, stretched, type Traced, unscaled } from '../traced.ts';
import { type Kernel, type KernelAttributes, type KernelTable, operand } from './kernel.ts';

/** The axes a reduction runs over, and the shapes of its result with and without them. */
function reducedShapes(x: Traced, { axis, reductionIndices, keepDims }: KernelAttributes) {
  const axes = util.parseAxisParam((axis ?? reductionIndices) as number[], [...x.shape]);
  const kept = x.shape.map((size, index) => (axes.includes(index) ? 1 : size));
  return { axes, shape: keepDims ? kept : x.shape.filter((_, index) => !axes.includes(index)) };
}

/** Reductions over axes that ONNX takes as an input (ReduceSum since opset 13, the others since 18). */
const reduction =
  (op: string): Kernel =>
  (recorder: Recorder, operands, attributes) => {
    const given = operand(operands, 'x');
    const small = compact(given);
    // What is repeated is reduced once: a sum then counts it as often as it is there.
    if (small !== given && small.shape.length === given.shape.length) {
      const { axes, shape } = reducedShapes(given, attributes);
      const times = axes.reduce(
        (all, axis) => all * ((given.shape[axis] ?? 1) / (small.shape[axis] ?? 1)),
        1,
      );
      const reduced = reduction(op)(
        recorder,
        { x: small },
        { ...attributes, axis: axes, reductionIndices: axes },
      );
      return stretched(op === 'ReduceSum' ? scaled(reduced, times) : reduced, shape);
    }
    const x = given;
    const { axes, shape } = reducedShapes(x, attributes);
    const keepdims = attributes.keepDims ? 1 : 0;
    // Over axes of size 1 there is nothing to reduce.
    if (axes.every((axis) => x.shape[axis] === 1)) {
      return x.content.kind === 'splat' || axes.length === 0
        ? as(x, shape)
        : recorder.traced('Reshape', [recorder.value(x), recorder.integers(shape)], {}, shape, x.type);
    }
    return recorder.traced(op, [recorder.value(x), recorder.integers(axes)], { keepdims }, shape, x.type);
  };

/** A reduction that a number can be taken out of. */
const linear =
  (reduce: Kernel): Kernel =>
  (recorder, operands, attributes) => {
    const x = operand(operands, 'x');
    return scaled(reduce(recorder, { x: unscaled(x) }, attributes), factorOf(x));
  };

export const reductions: KernelTable = {
  Sum: linear(reduction('ReduceSum')),
  Mean: linear(reduction('ReduceMean')),
  Max: reduction('ReduceMax'),
  Min: reduction('ReduceMin'),
};
