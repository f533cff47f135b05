import { backend_util } from '@tensorflow/tfjs-core';
import type { Attributes } from '../../../../schemas/onnx/index.ts';
import { type Recorder } from '../recorder.ts';
import { compact, splat, splatOf, stretched, type Traced, type TracedType } from '../traced.ts';
import { type Kernel, type KernelTable, operand } from './kernel.ts';

type Unary = (x: number) => number;
type Binary = (a: number, b: number) => number;

/** One operand, one ONNX operator of the same shape and type; a known number is computed here. */
export const unary =
  (op: string, compute: Unary): Kernel =>
  (recorder, operands) => {
    const x = operand(operands, 'x');
    const known = splatOf(x);
    if (known !== undefined) return splat(compute(known), x.shape, x.type);
    return mapped(recorder, op, x);
  };

/** An operator on every number of a tensor. */
function mapped(
  recorder: Recorder,
  op: string,
  x: Traced,
  { attributes = {}, type = x.type }: { attributes?: Attributes; type?: TracedType } = {},
): Traced {
  const shape = smallShape(x);
  return stretched(recorder.traced(op, [recorder.broadcastable(x)], attributes, shape, type), x.shape);
}

/** The shape that a tensor needs to be broadcast from. */
const smallShape = (x: Traced): number[] => (splatOf(x) === undefined ? [...compact(x).shape] : []);

interface BinaryRules {
  /** Type of the result, if not that of the operands. */
  readonly result?: TracedType;
  /** A number that leaves the other operand as it is: on either side, or only on the right. */
  readonly neutral?: number;
  readonly neutralRight?: number;
  /** A number that makes the result that number. */
  readonly absorbing?: number;
}

/** Two operands, broadcast against each other; the ONNX operator broadcasts the same way. */
export const binary =
  (op: string, compute: Binary, rules: BinaryRules = {}): Kernel =>
  (recorder, operands) => {
    const a = operand(operands, 'a');
    const b = operand(operands, 'b');
    const shape = backend_util.assertAndGetBroadcastShape([...a.shape], [...b.shape]);
    const type = rules.result ?? a.type;
    const [left, right] = [splatOf(a), splatOf(b)];
    if (left !== undefined && right !== undefined) return splat(compute(left, right), shape, type);
    if (rules.absorbing !== undefined && (left === rules.absorbing || right === rules.absorbing)) {
      return splat(rules.absorbing, shape, type);
    }
    if (right !== undefined && (right === rules.neutral || right === rules.neutralRight))
      return stretched(a, shape);
    if (left !== undefined && left === rules.neutral) return stretched(b, shape);
    // Computed as small as the operands are; what repeats them is left to whoever reads the result.
    const own = backend_util.assertAndGetBroadcastShape(smallShape(a), smallShape(b));
    const operandsOf = [recorder.broadcastable(a), recorder.broadcastable(b)];
    return stretched(recorder.traced(op, operandsOf, {}, own, type), shape);
  };

const bool = { result: 'bool' } as const;
const flag = (truth: boolean): number => (truth ? 1 : 0);

const onnxTypes: Record<TracedType, number> = { float32: 1, int32: 6, bool: 9 };

const sigmoid: Unary = (x) => 1 / (1 + Math.exp(-x));
const softplus: Unary = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

export const elementwise: KernelTable = {
  Maximum: binary('Max', Math.max),
  Minimum: binary('Min', Math.min),
  Greater: binary('Greater', (a, b) => flag(a > b), bool),
  GreaterEqual: binary('GreaterOrEqual', (a, b) => flag(a >= b), bool),
  Less: binary('Less', (a, b) => flag(a < b), bool),
  LessEqual: binary('LessOrEqual', (a, b) => flag(a <= b), bool),
  Equal: binary('Equal', (a, b) => flag(a === b), bool),

  Abs: unary('Abs', Math.abs),
  Exp: unary('Exp', Math.exp),
  Log: unary('Log', Math.log),
  Sqrt: unary('Sqrt', Math.sqrt),
  Tanh: unary('Tanh', Math.tanh),
  Sigmoid: unary('Sigmoid', sigmoid),
  Softplus: unary('Softplus', softplus),

  // No number function of JavaScript computes erf, and no step takes it of a known number.
  Erf: (recorder, operands) => mapped(recorder, 'Erf', operand(operands, 'x')),

  AddN: (recorder, operands) => {
    const terms = Object.values(operands);
    const [first] = terms;
    if (!first || terms.length === 1) return operand(operands, '0');
    return recorder.traced(
      'Sum',
      terms.map((x) => recorder.value(x)),
      {},
      first.shape,
      first.type,
    );
  },

  Cast: (recorder, operands, { dtype }) => {
    const x = operand(operands, 'x');
    if (dtype === x.type) return x;
    const to = onnxTypes[dtype as TracedType];
    if (to === undefined)
      throw new Error(`a traced step cannot cast to ${String(dtype)}; it knows float32, int32 and bool`);
    const known = splatOf(x);
    if (known !== undefined) {
      const number = dtype === 'bool' ? flag(known !== 0) : Math.trunc(known);
      return splat(number, x.shape, dtype as TracedType);
    }
    return mapped(recorder, 'Cast', x, { attributes: { to }, type: dtype as TracedType });
  },
};
