import type { Expression, Range } from './expression.ts';
import type { Numbers, NumberType } from './reference/index.ts';

/** Known before anything runs. */
export interface ConstantValue {
  readonly kind: 'constant';
  /** Of those that the file holds: tells its packed weights from others. */
  readonly name?: string | undefined;
  dims(): readonly number[];
  type(): NumberType;
  numbers(): Numbers;
}

/**
 * Numbers in the engine's memory, or an expression of such: rows of features. The axis of the features counts
 * fastest in memory wherever it is among the dims, and all others follow in their order.
 */
export interface RowsValue {
  readonly kind: 'rows';
  readonly type: NumberType;
  readonly dims: readonly number[];
  readonly axis: number;
  /** Replaced by what loads it, once it has been computed into memory. */
  expression: Expression;
}

/** Numbers that plain code computes while the program runs. */
export interface HostValue {
  readonly kind: 'host';
  readonly type: NumberType;
  readonly dims: readonly number[];
  readonly slot: { numbers?: Numbers | undefined };
}

export type Value = ConstantValue | RowsValue | HostValue;

export const constantOf = (numbers: Numbers): ConstantValue => ({
  kind: 'constant',
  dims: () => numbers.dims,
  type: () => numbers.type,
  numbers: () => numbers,
});

export const dimsOf = (value: Value): readonly number[] =>
  value.kind === 'constant' ? value.dims() : value.dims;

export const typeOf = (value: Value): NumberType => (value.kind === 'constant' ? value.type() : value.type);

/** How many rows a value has. */
export const rowsOf = ({ dims, axis }: Pick<RowsValue, 'dims' | 'axis'>): number =>
  dims.reduce((product, size, index) => (index === axis ? product : product * size), 1);

export const featuresOf = ({ dims, axis }: Pick<RowsValue, 'dims' | 'axis'>): number => dims[axis] as number;

/** What the numbers of a type can be. */
export const rangeOfType: Readonly<Record<NumberType, Range>> = {
  uint8: { low: 0, high: 255, whole: true },
  bool: { low: 0, high: 1, whole: true },
  int8: { low: -128, high: 127, whole: true },
  int32: { low: -(2 ** 31), high: 2 ** 31 - 1, whole: true },
  int64: { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, whole: true },
  float32: { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, whole: false },
};

/** Thrown where an operator has no fast form for what it is given: a plainer one takes its place. */
export class Unfit extends Error {}
