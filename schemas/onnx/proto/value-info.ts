import { dataTypeOfCode, dataTypes } from '../data-types.ts';
import { onnx } from '../generated/onnx.js';
import type { Dimension, Value, ValueInfo } from '../graph.ts';
import { sameBytes } from './entries.ts';
import { fromInteger, own, restOf, toNumber } from './fields.ts';

type Message = onnx.ValueInfoProto.$Properties;
type TypeMessage = onnx.TypeProto.$Properties;
type Shape = Pick<ValueInfo, 'type' | 'dims'>;

// The type stays in `rest` where type and dims do not say all that it does (a sequence, a denotation), and
// is written as long as they are unchanged.

export function readValueInfo(message: Message): ValueInfo {
  const type = own(message, 'type');
  const shape = type ? readType(type) : {};
  const isAll = !type || sameBytes(encodeType(type), encodeType(writeType(shape)));
  return {
    name: (message.name ?? '') as Value,
    ...shape,
    rest: restOf(message, isAll ? ['name', 'type'] : ['name']),
  };
}

export function writeValueInfo(info: ValueInfo): Message {
  const kept = (info.rest as Message | undefined)?.type;
  return {
    ...info.rest,
    name: info.name,
    type: kept && sameShape(readType(kept), info) ? kept : writeType(info),
  };
}

function readType(message: TypeMessage): Shape {
  const tensor = own(message, 'tensorType');
  if (!tensor) return {};
  const shape = own(tensor, 'shape');
  return { type: dataTypeOfCode(tensor.elemType ?? 0), dims: shape && (shape.dim ?? []).map(readDimension) };
}

function readDimension(message: onnx.TensorShapeProto.Dimension.$Properties): Dimension {
  const size = own(message, 'dimValue');
  return size === undefined ? (message.dimParam ?? '') : toNumber(size, 'dimension');
}

/** A type that is unknown is left out, not written as a tensor of unknown type. */
function writeType({ type, dims }: Shape): TypeMessage | null {
  if (!type && !dims) return null;
  return {
    tensorType: {
      ...(type && { elemType: dataTypes[type].code }),
      ...(dims && { shape: { dim: dims.map(writeDimension) } }),
    },
  };
}

function writeDimension(dimension: Dimension): onnx.TensorShapeProto.Dimension.$Properties {
  if (typeof dimension === 'number') return { dimValue: fromInteger(dimension) };
  return dimension === '' ? {} : { dimParam: dimension };
}

const encodeType = (type: TypeMessage | null) => onnx.ValueInfoProto.encode({ type }).finish();

const sameShape = (one: Shape, other: Shape): boolean =>
  one.type === other.type &&
  one.dims?.length === other.dims?.length &&
  (one.dims ?? []).every((dimension, index) => dimension === other.dims?.[index]);
