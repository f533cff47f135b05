import { UserError } from '../../schemas/errors.ts';
import type { Builder } from './builder.ts';
import type { Form, Rows } from './expression.ts';
import { load } from './expression.ts';
import { arrayOf, type Numbers, type NumberType, sizeOf } from './reference/index.ts';
import {
  featuresOf,
  type HostValue,
  rangeOfType,
  type RowsValue,
  rowsOf,
  Unfit,
  type Value,
} from './values.ts';

/** The form in which numbers of a type come into the engine's memory. */
const forms: Partial<Record<NumberType, Form>> = { float32: 'f32', uint8: 'u8', bool: 'u8', int32: 'i32' };

/** The arrays of each form but bits. */
const arrays = {
  f32: Float32Array,
  i32: Int32Array,
  u8: Uint8Array,
  bits: Uint8Array,
} as unknown as Record<Form, new (buffer: ArrayBuffer, at: number, length: number) => Float32Array>;

/** Arrays of the caller, as rows whose features are on an axis. */
export function toRows(builder: Builder, value: HostValue, axis: number): RowsValue {
  const { type, dims, slot } = value;
  const form = forms[type];
  if (!form || axis < 0 || axis >= dims.length) throw new Unfit(`rows of ${type} on axis ${axis}`);
  const size = form === 'u8' ? 1 : 4;
  const features = dims[axis] as number;
  const at = builder.allocate(sizeOf(dims) * size);
  const rows: Rows = { form, at, stride: features * size, time: 0 };
  const { heap } = builder.engine;
  const inner = sizeOf(dims.slice(axis + 1));
  const turned = inner > 1 ? arrayOf(type, sizeOf(dims)) : undefined;
  const room = heap.view(arrays[form], at, sizeOf(dims));
  builder.steps.push(() => {
    const { data } = slot.numbers as Numbers;
    if (turned) turn(data, turned, features, inner);
    room().set((turned ?? data) as Float32Array);
  });
  return { kind: 'rows', type, dims, axis, expression: load(rows, rangeOfType[type]) };
}

/** [outer, features, inner] → [outer, inner, features]. */
function turn(from: Numbers['data'], to: Numbers['data'], features: number, inner: number): void {
  const block = features * inner;
  for (let start = 0; start < from.length; start += block) {
    for (let feature = 0; feature < features; feature++) {
      for (let place = 0; place < inner; place++)
        to[start + place * features + feature] = from[start + feature * inner + place] as never;
    }
  }
}

/** What plain code can read of a value, after the steps that are there. */
export function toHost(builder: Builder, value: Value): HostValue {
  if (value.kind === 'host') return value;
  if (value.kind === 'constant') {
    const numbers = value.numbers();
    return { kind: 'host', type: numbers.type, dims: numbers.dims, slot: { numbers } };
  }
  const { type, dims } = value;
  const slot: { numbers?: Numbers } = {};
  const read = reader(builder, value);
  builder.steps.push(() => {
    slot.numbers = { type, dims, data: read() };
  });
  return { kind: 'host', type, dims, slot };
}

/** Reads the numbers of a value after a run, in the order of its dims, into an array that is given or a new one. */
export type Read = (into?: Numbers['data']) => Numbers['data'];

export function reader(builder: Builder, value: RowsValue): Read {
  const { type, dims, axis } = value;
  const [rows, features] = [rowsOf(value), featuresOf(value)];
  const inner = sizeOf(dims.slice(axis + 1));
  const from = plainRows(builder, value);
  const width = from.form === 'u8' ? 1 : 4;
  const stride = from.stride / width;
  const source = builder.engine.heap.view(arrays[from.form], from.at, rows * stride);
  const isDense = rows === 1 || stride === features;
  return (into) => {
    const found = into ?? arrayOf(type, rows * features);
    const target = inner === 1 ? found : arrayOf(type, rows * features);
    const all = source();
    if (isDense) target.set((all.length === target.length ? all : all.subarray(0, target.length)) as never);
    else {
      for (let row = 0; row < rows; row++)
        target.set(all.subarray(row * stride, row * stride + features) as never, row * features);
    }
    // [outer, inner, features] → [outer, features, inner]
    if (inner > 1) turn(target, found, inner, features);
    return found;
  };
}

/** Rows of numbers of the value's type, one number behind another. */
function plainRows(builder: Builder, value: RowsValue): Rows {
  const { type, expression } = value;
  if (type === 'float32') return builder.place(value, 'f32');
  if (type === 'int32') return builder.place(value, 'i32');
  if (type !== 'uint8' && type !== 'bool') throw new Unfit(`an output of ${type}`);
  if (expression.lane !== 'mask') return builder.place(value, 'u8');
  const from = builder.place(value, 'bits');
  const [rows, features] = [rowsOf(value), featuresOf(value)];
  const at = builder.allocate(rows * features);
  const { kernels } = builder.engine;
  const amount = expression.amount as number;
  builder.steps.push(() => kernels.unpackBits(from.at, at, rows, features, from.stride, amount));
  return { form: 'u8', at, stride: features, time: 0 };
}

/** Spikes that come from outside, as bits: anything but 0 and 1 is refused. */
export function spikesOf(builder: Builder, value: RowsValue, to: Rows, name: string): void {
  const { engine } = builder;
  const [rows, features] = [rowsOf(value), featuresOf(value)];
  const isFloat = value.type === 'float32';
  const from = builder.place(value, isFloat ? 'f32' : 'u8');
  builder.steps.push(() => {
    const { kernels } = engine;
    const fine = isFloat
      ? kernels.packFloats(from.at, to.at, rows, features, to.stride, from.stride)
      : kernels.unionOfBytes(from.at, rows * from.stride) <= 1;
    if (!fine) {
      throw new UserError(
        `${engine.what}: '${name}' holds numbers other than 0 and 1; expected the spikes of an earlier step, or zeros`,
      );
    }
    if (!isFloat) kernels.packPlanes(from.at, to.at, rows, features, to.stride, 1, from.stride);
  });
}

/** Whether a value is known to be zero everywhere. */
export const isZero = (value: Value): boolean =>
  value.kind === 'constant' && Array.prototype.every.call(value.numbers().data, (each) => Number(each) === 0);
