import type { Graph } from './graph.ts';
import type { Rest } from './rest.ts';
import type { Tensor, TensorData } from './tensor.ts';

/** An integer of 64 bits: a number where that is exact, otherwise a bigint. */
export type Integer = number | bigint;

/** Text, or bytes where they are not UTF-8. */
export type Text = string | Uint8Array;

export interface AttributeValues {
  float: number;
  int: Integer;
  string: Text;
  tensor: Tensor;
  graph: Graph;
  floats: readonly number[];
  ints: readonly Integer[];
  strings: readonly Text[];
  tensors: readonly Tensor[];
  graphs: readonly Graph[];
}

export type AttributeType = keyof AttributeValues;

export type ValuedAttribute = {
  [T in AttributeType]: {
    readonly type: T;
    readonly value: AttributeValues[T];
    readonly rest?: Rest | undefined;
  };
}[AttributeType];

/** In the body of a function: takes the value of the function's attribute of that name. */
export interface AttributeReference {
  readonly type: 'reference';
  readonly to: string;
  /** The type of the value. */
  readonly of: AttributeType | undefined;
  readonly rest?: Rest | undefined;
}

/** A type this library does not interpret (sparse tensors, types): all of it is in `rest`. */
export interface UninterpretedAttribute {
  readonly type: 'uninterpreted';
  readonly rest: Rest;
}

export type Attribute = ValuedAttribute | AttributeReference | UninterpretedAttribute;

/** What a builder accepts: a plain value for the common types, an `Attribute` for any. */
export type AttributeInput =
  | number
  | bigint
  | string
  | readonly Integer[]
  | readonly string[]
  | TensorData
  | Graph
  | Attribute;

/** The attributes of a node by name; one that is undefined is left out. */
export type Attributes = Readonly<Record<string, AttributeInput | undefined>>;

/** A FLOAT attribute, rounded to float32; a plain number is an INT. */
export const float = (value: number): Attribute => ({ type: 'float', value: Math.fround(value) });

/** A FLOATS attribute, rounded to float32; plain numbers are INTS. */
export const floats = (value: readonly number[]): Attribute => ({
  type: 'floats',
  value: value.map(Math.fround),
});

/** A STRINGS attribute that may be empty; a plain [] is INTS. */
export const strings = (value: readonly string[]): Attribute => ({ type: 'strings', value });

/** In the body of a function, the value of the function's attribute `to`. */
export const reference = (to: string, of: AttributeType): Attribute => ({ type: 'reference', to, of });

/**
 * The attribute that a builder's value stands for.
 *
 * @throws Error for a number that is not an exact integer.
 */
export function toAttribute(value: AttributeInput): Attribute {
  if (typeof value === 'string') return { type: 'string', value };
  if (typeof value === 'number' || typeof value === 'bigint') return { type: 'int', value: integer(value) };
  if (isArray(value)) {
    return isStrings(value) ? { type: 'strings', value } : { type: 'ints', value: value.map(integer) };
  }
  if ('dims' in value) return { type: 'tensor', value };
  return 'type' in value ? value : { type: 'graph', value };
}

// Array.isArray does not narrow readonly arrays.
const isArray = (value: AttributeInput): value is readonly Integer[] | readonly string[] =>
  Array.isArray(value);

const isStrings = (values: readonly Integer[] | readonly string[]): values is readonly string[] =>
  typeof values[0] === 'string';

function integer(value: Integer): Integer {
  if (typeof value === 'bigint' ? BigInt.asIntN(64, value) === value : Number.isSafeInteger(value))
    return value;
  throw new Error(
    `${value} is not an exact integer of 64 bits; use float() or floats() for a FLOAT attribute`,
  );
}

/** The graphs inside an attribute. */
export function subgraphs(attribute: Attribute): readonly Graph[] {
  if (attribute.type === 'graph') return [attribute.value];
  return attribute.type === 'graphs' ? attribute.value : [];
}
