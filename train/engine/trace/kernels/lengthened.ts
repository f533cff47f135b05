import { backend_util } from '@tensorflow/tfjs-core';
import type { Attributes, Value } from '../../../../schemas/onnx/index.ts';
import type { Recorder } from '../recorder.ts';

/** Of a slice. */
type Shape = readonly number[];

/** How an operator on a slice becomes one on a sequence: the slice's shape after it, and its second operand if that changes. */
type Lengthen = (
  recorder: Recorder,
  inputs: readonly Value[],
  shapes: readonly Shape[],
  attributes: Attributes,
  times: number,
) => { readonly shape: Shape; readonly second?: Value } | undefined;

const broadcast = (a: Shape, b: Shape): Shape =>
  backend_util.assertAndGetBroadcastShape(a as number[], b as number[]);

const elementwise: Lengthen = (_recorder, _inputs, shapes) => ({
  shape: shapes.reduce(broadcast, []),
});

/** The operators that can take all times at once. */
export const lengthened: Readonly<Record<string, Lengthen>> = {
  Add: elementwise,
  Sub: elementwise,
  Mul: elementwise,
  Div: elementwise,
  Sqrt: elementwise,
  Exp: elementwise,
  ReduceSum(recorder, [, second = ''], [shape = []], { keepdims }) {
    const axes = recorder.listOf(second);
    if (!axes) return undefined;
    const kept = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
    return {
      shape: keepdims ? kept : shape.filter((_, axis) => !axes.includes(axis)),
      second: recorder.integers(axes.map((axis) => axis + 1)),
    };
  },
  Reshape(recorder, [, second = ''], _shapes, _attributes, times) {
    const shape = recorder.listOf(second);
    return shape && { shape, second: recorder.integers([times, ...shape]) };
  },
};
