import type { Value } from '../../../schemas/onnx/index.ts';

/** The types of tfjs that a traced step may use. */
export type TracedType = 'float32' | 'int32' | 'bool';

/**
 * What is known of a tensor while tracing: a value of the graph times a number, or the same number everywhere.
 *
 * The number is carried along through products, quotients and sums until something needs the tensor itself. Most
 * numbers end in a matrix product, whose scale costs nothing, or in something small. A value may also be smaller than
 * the tensor, which then repeats it: operators broadcast, so few ever need the whole.
 */
export type Content =
  | {
      readonly kind: 'value';
      readonly value: Value;
      readonly factor: number;
      /** The shape of the value, where it is smaller than the tensor and is broadcast to it. */
      readonly own?: readonly number[];
    }
  | { readonly kind: 'splat'; readonly number: number };

/** A tensor that stands for a value of the graph. */
export interface Traced {
  readonly shape: readonly number[];
  readonly type: TracedType;
  readonly content: Content;
}

export const splat = (number: number, shape: readonly number[], type: TracedType): Traced => ({
  shape,
  type,
  content: { kind: 'splat', number: type === 'float32' ? Math.fround(number) : number },
});

/** The tensor that a value of the graph is. */
export const tracedValue = (value: Value, shape: readonly number[], type: TracedType): Traced => ({
  shape,
  type,
  content: { kind: 'value', value, factor: 1 },
});

/** A tensor without its repetitions: all of what is different in it. */
export const compact = (x: Traced): Traced => {
  if (x.content.kind === 'splat' || !x.content.own) return x;
  const { own, ...content } = x.content;
  return { ...x, shape: own, content };
};

/** A tensor repeated, as broadcasting does, until it has the shape. */
export const stretched = (x: Traced, shape: readonly number[]): Traced => {
  if (x.content.kind === 'splat') return { ...x, shape };
  const own = x.content.own ?? x.shape;
  if (own.length === shape.length && own.every((size, axis) => size === shape[axis])) return compact(x);
  return { ...x, shape, content: { ...x.content, own } };
};

/** The number a tensor holds everywhere, if it is known. */
export const splatOf = ({ content }: Traced): number | undefined =>
  content.kind === 'splat' ? content.number : undefined;

/** The same contents under another shape or type. */
export const as = (x: Traced, shape: readonly number[], type = x.type): Traced => ({ ...x, shape, type });

/** The number that is carried along with a tensor. */
export const factorOf = ({ content }: Traced): number => (content.kind === 'value' ? content.factor : 1);

/** The tensor without the number that is carried along. */
export const unscaled = (x: Traced): Traced =>
  x.content.kind === 'value' ? { ...x, content: { ...x.content, factor: 1 } } : x;

/** The tensor times a number, which is carried along. */
export const scaled = (x: Traced, factor: number): Traced =>
  x.content.kind === 'value'
    ? { ...x, content: { ...x.content, factor: x.content.factor * factor } }
    : splat(x.content.number * factor, x.shape, x.type);
