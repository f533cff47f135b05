import { dataTypeOfCode, dataTypes } from '../data-types.ts';
import { onnx } from '../generated/onnx.js';
import type { StoredFields, StoredTensor, Tensor, TensorData } from '../tensor.ts';
import { fromText } from '../text.ts';
import { entriesFit, readEntries, writeEntries } from './entries.ts';
import { fromBigInts, fromInteger, own, restOf, toBigInts, toNumber } from './fields.ts';

type Message = onnx.TensorProto.$Properties;

const { EXTERNAL } = onnx.TensorProto.DataLocation;

/** The tensor of a message; its name stays in `rest` unless taken. */
export function readTensor(message: Message, taken: readonly 'name'[] = []): StoredTensor {
  const type = dataTypeOfCode(message.dataType ?? 0);
  const isExternal = message.dataLocation === EXTERNAL;
  return {
    type,
    dims: (message.dims ?? []).map((dim) => toNumber(dim, 'tensor dimension')),
    stored: { ...readFields(message), ...(isExternal && { external: readEntries(message.externalData) }) },
    rest: restOf(message, [
      ...taken,
      ...fieldNames,
      'dims',
      ...(type ? ['dataType' as const] : []),
      ...(isExternal ? ['dataLocation' as const] : []),
      ...(isExternal && entriesFit(message.externalData) ? ['externalData' as const] : []),
    ]),
  };
}

const fieldNames = [
  'rawData',
  'floatData',
  'int32Data',
  'int64Data',
  'doubleData',
  'uint64Data',
  'stringData',
] as const;

function readFields(message: Message): StoredFields {
  const { floatData, int32Data, int64Data, doubleData, uint64Data, stringData } = message;
  const raw = own(message, 'rawData');
  return {
    ...(raw && { raw }),
    ...(floatData?.length && { float: Float32Array.from(floatData) }),
    ...(int32Data?.length && { int32: Int32Array.from(int32Data) }),
    ...(int64Data?.length && { int64: toBigInts(int64Data) }),
    ...(doubleData?.length && { double: Float64Array.from(doubleData) }),
    ...(uint64Data?.length && { uint64: new BigUint64Array(toBigInts(uint64Data).buffer) }),
    ...(stringData?.length && { string: stringData }),
  };
}

export function writeTensor(tensor: Tensor): Message {
  return {
    ...('stored' in tensor ? { ...tensor.rest, ...writeFields(tensor) } : writeData(tensor)),
    ...(tensor.type && { dataType: dataTypes[tensor.type].code }),
    dims: tensor.dims.map(fromInteger),
  };
}

const writeData = ({ type, data }: TensorData): Message =>
  type === 'string'
    ? { stringData: data.map(fromText) }
    : { rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };

function writeFields({ stored, rest }: StoredTensor): Message {
  const { raw, float, int32, int64, double, uint64, string, external } = stored;
  const kept: Message = rest ?? {};
  return {
    ...(raw && { rawData: raw }),
    ...(float && { floatData: [...float] }),
    ...(int32 && { int32Data: [...int32] }),
    ...(int64 && { int64Data: fromBigInts(int64) }),
    ...(double && { doubleData: [...double] }),
    ...(uint64 && { uint64Data: fromBigInts(uint64) }),
    ...(string && { stringData: [...string] }),
    ...(external && { dataLocation: EXTERNAL, externalData: writeEntries(external, kept.externalData) }),
  };
}
