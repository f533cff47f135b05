import { factorOf, scaled, splat, splatOf, type Traced, unscaled } from '../recorder.ts';
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

/** An operation on the rests, and the number of its result. */
const ofParts =
  (plain: Kernel, numberOf: (f: number, g: number) => number): Kernel =>
  (recorder, operands, attributes) => {
    const a = parted(operand(operands, 'a'));
    const b = parted(operand(operands, 'b'));
    return scaled(plain(recorder, { a: a.rest, b: b.rest }, attributes), numberOf(a.number, b.number));
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
  ),
  RealDiv: ofParts(
    binary('Div', (a, b) => a / b, { neutralRight: 1 }),
    (f, g) => f / g,
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
    const value = recorder.value(unscaled(x));
    return scaled(recorder.traced('Mul', [value, value], {}, x.shape, x.type), factorOf(x) ** 2);
  },
};
