import { sizeOf } from '../../../../schemas/layer.ts';
import { compact, factorOf, scaled, splat, splatOf, stretched, type Traced, unscaled } from '../traced.ts';
import { binary, unary } from './elementwise.ts';
import { type Kernel, type KernelTable, operand } from './kernel.ts';

/** A tensor as number × rest. What one number fills is that number × 1, unless × would not be undone by ÷. */
function parted(x: Traced): { readonly number: number; readonly rest: Traced } {
  const known = splatOf(x);
  if (known === undefined) return { number: factorOf(x), rest: unscaled(x) };
  return known === 0 || !Number.isFinite(known) || x.type !== 'float32'
    ? { number: 1, rest: x }
    : { number: known, rest: splat(1, x.shape, x.type) };
}

/** By how many times smaller an operand is than the other to take over what that one would be multiplied by. */
const SMALL = 16;

const isSmall = (x: Traced, beside: Traced): boolean =>
  x.content.kind === 'value' && sizeOf(compact(x).shape) * SMALL <= sizeOf(compact(beside).shape);

/**
 * An operation on the rests, and the number of its result. A small operand takes the number over for next to nothing,
 * so that no one has to multiply the result by it.
 *
 * @param onRight what the right operand is multiplied by for the result to be multiplied by a number
 */
const ofParts =
  (plain: Kernel, numberOf: (f: number, g: number) => number, onRight: (number: number) => number): Kernel =>
  (recorder, operands, attributes) => {
    const { number: f, rest: a } = parted(operand(operands, 'a'));
    const { number: g, rest: b } = parted(operand(operands, 'b'));
    const number = numberOf(f, g);
    if (number !== 1 && isSmall(b, a)) {
      return plain(recorder, { a, b: scaled(b, onRight(number)) }, attributes);
    }
    if (number !== 1 && isSmall(a, b)) return plain(recorder, { a: scaled(a, number), b }, attributes);
    return scaled(plain(recorder, { a, b }, attributes), number);
  };

/** f a ± f b = f (a ± b), and f a ± (−f) b = f (a ∓ b); other numbers are multiplied in before. */
const ofTerms =
  (plain: Kernel, opposite: Kernel): Kernel =>
  (recorder, operands, attributes) => {
    const a = operand(operands, 'a');
    const b = operand(operands, 'b');
    const [f, g] = [factorOf(a), factorOf(b)];
    const apply = Math.abs(f) !== Math.abs(g) ? undefined : f === g ? plain : opposite;
    return apply
      ? scaled(apply(recorder, { a: unscaled(a), b: unscaled(b) }, attributes), f)
      : plain(recorder, operands, attributes);
  };

const add = binary('Add', (a, b) => a + b, { neutral: 0 });
const subtract = binary('Sub', (a, b) => a - b, { neutralRight: 0 });
const negate = unary('Neg', (x) => -x);

/** Kernels that numbers are carried through. */
export const arithmetic: KernelTable = {
  Add: ofTerms(add, subtract),
  Sub: ofTerms(subtract, add),
  Multiply: ofParts(
    binary('Mul', (a, b) => a * b, { neutral: 1, absorbing: 0 }),
    (f, g) => f * g,
    (number) => number,
  ),
  RealDiv: ofParts(
    binary('Div', (a, b) => a / b, { neutralRight: 1 }),
    (f, g) => f / g,
    (number) => 1 / number,
  ),

  Neg: (recorder, operands, attributes) => {
    const x = operand(operands, 'x');
    return x.type === 'float32' ? scaled(x, -1) : negate(recorder, operands, attributes);
  },

  // ONNX has no Square; a product reads its operand once and needs no power function.
  Square: (recorder, operands) => {
    const x = operand(operands, 'x');
    const known = splatOf(x);
    if (known !== undefined) return splat(known * known, x.shape, x.type);
    const value = recorder.broadcastable(unscaled(x));
    const root = recorder.madeBy(value, 'Sqrt');
    if (root?.[0]) {
      const content = { ...unscaled(x).content, value: root[0] } as Traced['content'];
      return scaled({ ...x, content }, factorOf(x) ** 2);
    }
    const square = recorder.traced('Mul', [value, value], {}, compact(x).shape, x.type);
    return scaled(stretched(square, x.shape), factorOf(x) ** 2);
  },
};
