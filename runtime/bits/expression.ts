/**
 * Elementwise arithmetic, put together while a graph is read and compiled into one kernel where its result is
 * needed. Every operation is rounded to float32 by itself, as the graph says; whole numbers below 2²⁴ are computed
 * as integers, which gives the same numbers.
 */

/** How a number of a register is held: a mask stands for 0 or one other number. */
export type Lane = 'i32' | 'f32' | 'mask';

/** How numbers lie in memory. Bits are those of masks. */
export type Form = 'bits' | 'u8' | 'i32' | 'f32';

/** Rows of numbers. Every row holds the features of one place or example. */
export interface Rows {
  readonly form: Form;
  /** Address; of sums that are not computed yet it is where they will be. */
  at: number;
  /** Bytes from one row to the next. */
  stride: number;
  /** Bytes from one time step to the next, where a kernel walks through time. */
  time: number;
  /** Computes some of the rows into memory; absent where they are there. */
  sums?: Sums | undefined;
}

/** Weighted sums, computed where they are used, a few rows at a time. */
export interface Sums {
  readonly rows: number;
  /** Bytes of a row that are written, padding included. */
  readonly stride: number;
  /** Lays out what is needed, and returns what computes `count` rows from `first` on, to `y`. */
  prepare(): (first: number, count: number, y: number) => void;
  /** Rows that are best computed at once. */
  readonly tile: number;
}

export interface Expression {
  readonly op: Operation;
  readonly lane: Lane;
  readonly args: readonly Expression[];
  /** What the numbers lie between, and whether all of them are whole. */
  readonly low: number;
  readonly high: number;
  readonly whole: boolean;
  /** Of 'number'. */
  readonly value?: number;
  /** Of 'load', of 'spread': the one number of each row, for all features, and of 'repeat'. */
  readonly rows?: Rows;
  /** Of 'repeat': so many rows, one behind another, read the same row. */
  readonly count?: number;
  /** Of 'vector': one number per feature. */
  readonly vector?: Float32Array;
  /** Of masks: what a set one stands for. */
  readonly amount?: number;
}

export type Binary = 'add' | 'subtract' | 'multiply' | 'divide' | 'minimum' | 'maximum';
export type Unary = 'nearest' | 'floor' | 'ceil' | 'sqrt' | 'negate' | 'absolute';
export type Comparison = 'greater' | 'greaterOrEqual' | 'equal';
export type Logic = 'and' | 'or' | 'xor';
export type Operation =
  | Binary
  | Unary
  | Comparison
  | Logic
  | 'not'
  | 'load'
  | 'spread'
  | 'repeat'
  | 'number'
  | 'vector'
  | 'toFloat'
  | 'toInteger'
  | 'select';

/** Whole numbers below this are exact in float32. */
export const EXACT = 2 ** 24;

/** What numbers of a type can be. */
export interface Range {
  readonly low: number;
  readonly high: number;
  readonly whole: boolean;
}

const ANY: Range = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, whole: false };

export const load = (rows: Rows, { low, high, whole }: Range, amount?: number): Expression => ({
  op: 'load',
  lane: rows.form === 'bits' ? 'mask' : rows.form === 'f32' ? 'f32' : 'i32',
  args: [],
  low,
  high,
  whole,
  rows,
  ...(amount !== undefined && { amount }),
});

export const number = (value: number): Expression => ({
  op: 'number',
  lane: 'f32',
  args: [],
  low: value,
  high: value,
  whole: Number.isInteger(value),
  value: Math.fround(value),
});

/** What numbers that are known lie between; where one of them is NaN, so is what is said of all. */
export function rangeOfNumbers(data: ArrayLike<number>): Range {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  let whole = true;
  for (let index = 0; index < data.length; index++) {
    const value = data[index] as number;
    low = Math.min(low, value);
    high = Math.max(high, value);
    whole &&= Number.isInteger(value);
  }
  return { low, high, whole };
}

export const vector = (data: Float32Array): Expression => ({
  op: 'vector',
  lane: 'f32',
  args: [],
  ...rangeOfNumbers(data),
  vector: data,
});

/** Rows of one number, as wide as others. */
export const spread = (rows: Rows, { low, high, whole }: Range): Expression => ({
  op: 'spread',
  lane: 'f32',
  args: [],
  low,
  high,
  whole,
  rows,
});

/** Rows each of which stands for `count` others, one behind another: float32 numbers. */
export const repeat = (rows: Rows, count: number, { low, high, whole }: Range): Expression => ({
  op: 'repeat',
  lane: 'f32',
  args: [],
  low,
  high,
  whole,
  rows,
  count,
});

const isSmall = ({ low, high }: Range): boolean => low > -EXACT && high < EXACT;

/** The numbers as integers; undefined where they may not be whole, or too large. */
export function asInteger(x: Expression): Expression | undefined {
  if (x.lane === 'i32') return x;
  if (!x.whole || !isSmall(x)) return undefined;
  return { op: 'toInteger', lane: 'i32', args: [x], low: x.low, high: x.high, whole: true };
}

export const asFloat = (x: Expression): Expression =>
  x.lane === 'f32' ? x : { op: 'toFloat', lane: 'f32', args: [x], low: x.low, high: x.high, whole: x.whole };

const arithmetic: Record<Binary, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
  minimum: Math.min,
  maximum: Math.max,
};

/** Of every pair of ends; NaN, as of 0 · ∞, tells nothing. */
function rangeOf(op: Binary, a: Expression, b: Expression): Range {
  const ends = [a.low, a.high].flatMap((x) => [b.low, b.high].map((y) => Math.fround(arithmetic[op](x, y))));
  if (op === 'divide' && b.low <= 0 && b.high >= 0) return ANY;
  if (ends.some(Number.isNaN)) return ANY;
  const whole = a.whole && b.whole && op !== 'divide';
  return { low: Math.min(...ends), high: Math.max(...ends), whole };
}

export function binary(op: Binary, a: Expression, b: Expression): Expression {
  if (a.op === 'number' && b.op === 'number')
    return number(Math.fround(arithmetic[op](a.value as number, b.value as number)));
  if (b.op === 'number' && b.value === 1 && (op === 'multiply' || op === 'divide')) return a;
  // A mask times a number is a mask of another amount.
  if (a.lane === 'mask' && b.op === 'number' && (op === 'multiply' || (op === 'divide' && b.value !== 0))) {
    const amount = Math.fround(arithmetic[op](a.amount as number, b.value as number));
    if (Number.isFinite(amount)) return withAmount(a, amount);
  }
  if (op === 'multiply' && a.op === 'number' && b.lane === 'mask') return binary(op, b, a);
  const range = rangeOf(op, a, b);
  // −0 has no integer: where a product may have it, it stays real.
  if (range.whole && isSmall(range) && isSmall(a) && isSmall(b) && op !== 'multiply' && op !== 'divide') {
    const [first, second] = [asInteger(a), asInteger(b)];
    const worth = a.lane === 'i32' || b.lane === 'i32' || (a.lane === 'mask' && b.lane === 'mask');
    if (worth && first && second) return { op, lane: 'i32', args: [first, second], ...range };
  }
  return { op, lane: 'f32', args: [asFloat(a), asFloat(b)], ...range };
}

/** The same mask, standing for another number. */
export const withAmount = (mask: Expression, amount: number): Expression => ({
  ...mask,
  amount,
  low: Math.min(0, amount),
  high: Math.max(0, amount),
  whole: Number.isInteger(amount),
});

const roundings: Partial<Record<Unary, (x: number) => number>> = {
  nearest: roundToEven,
  floor: Math.floor,
  ceil: Math.ceil,
};

export function unary(op: Unary, x: Expression): Expression {
  const rounding = roundings[op];
  if (rounding) {
    if (x.whole) return x;
    return {
      op,
      lane: 'f32',
      args: [asFloat(x)],
      low: rounding(x.low),
      high: rounding(x.high),
      whole: Number.isFinite(x.low) && Number.isFinite(x.high),
    };
  }
  const range: Range =
    op === 'negate'
      ? { low: -x.high, high: -x.low, whole: x.whole }
      : op === 'absolute'
        ? { low: 0, high: Math.max(Math.abs(x.low), Math.abs(x.high)), whole: x.whole }
        : { ...ANY, low: 0 };
  return { op, lane: 'f32', args: [asFloat(x)], ...range };
}

/** To the nearest whole number, halves to the even one, as ONNX and WebAssembly round. */
export function roundToEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest !== 0.5) return rest > 0.5 ? below + 1 : below;
  return below % 2 === 0 ? below : below + 1;
}

export function compare(op: Comparison, a: Expression, b: Expression): Expression {
  const [first, second] = [asInteger(a), asInteger(b)];
  const integers = (a.lane === 'i32' || b.lane === 'i32') && first && second;
  const args = integers ? [first, second] : [asFloat(a), asFloat(b)];
  return { op, lane: 'mask', args, low: 0, high: 1, whole: true, amount: 1 };
}

export const logic = (op: Logic | 'not', args: readonly Expression[]): Expression => ({
  op,
  lane: 'mask',
  args,
  low: 0,
  high: 1,
  whole: true,
  amount: 1,
});

/** `a` where the mask is set, `b` elsewhere. */
export const select = (mask: Expression, a: Expression, b: Expression): Expression => ({
  op: 'select',
  lane: 'f32',
  args: [mask, asFloat(a), asFloat(b)],
  low: Math.min(a.low, b.low),
  high: Math.max(a.high, b.high),
  whole: a.whole && b.whole,
});

/** Every expression that one is made of, itself included, each once, arguments before what is made of them. */
export function partsOf(roots: readonly Expression[]): Expression[] {
  const found = new Set<Expression>();
  const visit = (each: Expression): void => {
    if (found.has(each)) return;
    each.args.forEach(visit);
    found.add(each);
  };
  roots.forEach(visit);
  return [...found];
}
