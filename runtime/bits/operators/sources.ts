import { UserError } from '../../../schemas/errors.ts';
import type { Builder } from '../builder.ts';
import type { Rows } from '../expression.ts';
import { withAmount } from '../expression.ts';
import { featuresOf, type RowsValue, rowsOf } from '../values.ts';

/** What is multiplied with weights: bits of one plane or more, or floats. */
export type Source =
  | {
      readonly kind: 'bits';
      readonly at: number;
      /** Bytes of a plane of a row. */
      readonly bytes: number;
      /** Planes of the last run: bytes that hold spikes have one. */
      readonly planes: () => number;
      readonly mostPlanes: number;
      /** What a sum is to be multiplied by. */
      readonly amount: number;
      /** Of a single input: no whole number is larger. */
      readonly most: number;
    }
  | { readonly kind: 'floats'; readonly at: number; readonly bytes: number };

/** Planes above which floats are no slower. */
const MOST_PLANES = 8;

/** Packed inputs by what they are packed from: the members of an ensemble share them. */
const packed = new WeakMap<Builder, Map<object, Source>>();

/** The form in which a value is multiplied with weights. */
export function sourceOf(builder: Builder, value: RowsValue): Source {
  const known = packed.get(builder) ?? new Map<object, Source>();
  packed.set(builder, known);
  const { expression } = value;
  const key = expression.rows ?? expression;
  const source = known.get(key) ?? pack(builder, value);
  known.set(key, source);
  return source.kind === 'bits' && expression.lane === 'mask'
    ? { ...source, amount: expression.amount as number }
    : source;
}

function pack(builder: Builder, value: RowsValue): Source {
  const { expression } = value;
  const { lane, low, high, whole } = expression;
  if (lane === 'mask') {
    const { at, stride } = builder.place({ ...value, expression: withAmount(expression, 1) }, 'bits');
    return { kind: 'bits', at, bytes: stride, planes: () => 1, mostPlanes: 1, amount: 1, most: 1 };
  }
  if (whole && low >= 0 && high < 2 ** MOST_PLANES)
    return planesOf(builder, value, builder.place(value, 'u8'));
  const { at, stride } = builder.place(value, 'f32');
  return { kind: 'floats', at, bytes: stride };
}

/** Bytes as planes of bits: as many as the largest of them has. */
function planesOf(builder: Builder, value: RowsValue, from: Rows): Source {
  const { kernels, what } = builder.engine;
  const [count, features] = [rowsOf(value), featuresOf(value)];
  const { high } = value.expression;
  const mostPlanes = 32 - Math.clz32(high);
  const bytes = Math.ceil(features / 128) * 16;
  const at = builder.allocate(count * mostPlanes * bytes);
  const isDense = from.stride === features;
  let planes = 1;
  builder.steps.push((time) => {
    const start = from.at + time * from.time;
    const union = kernels.unionOfBytes(start, count * from.stride);
    planes = Math.max(1, 32 - Math.clz32(union));
    if (planes > mostPlanes)
      throw new UserError(`${what}: a whole number above ${high}, which the plan rules out`);
    if (union === 1 && isDense) kernels.packBytes(start, at, count, features, bytes);
    else kernels.packPlanes(start, at, count, features, bytes, planes, from.stride);
  });
  return { kind: 'bits', at, bytes, planes: () => planes, mostPlanes, amount: 1, most: high };
}
