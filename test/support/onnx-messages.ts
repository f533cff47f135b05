import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

/** A varint, a length-delimited field and a group, under numbers that ONNX does not use. */
export const unknownFields = [
  Uint8Array.of(0xc0, 0x3e, 7),
  Uint8Array.of(0xca, 0x3e, 2, 1, 2),
  Uint8Array.of(0xd3, 0x3e, 0x08, 1, 0xd4, 0x3e),
];

const proto = fileURLToPath(new URL('../../schemas/onnx/onnx.proto', import.meta.url));
const modelType = protobuf.loadSync(proto).lookupType('onnx.ModelProto');

/**
 * A model message with every field of the format set, to values that all differ, and unknown fields in every
 * message. Types that contain themselves do so once.
 *
 * @param variant Chooses the values of enums and the fields of oneofs.
 * @param omitted A field to leave out everywhere.
 */
export function fullModel(variant: number, omitted?: string): Record<string, unknown> {
  let count = 0;

  const messageOf = (type: protobuf.Type, path: readonly protobuf.Type[]): Record<string, unknown> => {
    const message: Record<string, unknown> = { $unknowns: unknownFields };
    const choice = Math.floor((variant + count) / (path.length + 1));
    for (const field of type.fieldsArray) {
      const { name, repeated, resolvedType, partOf } = field.resolve();
      const chosen = partOf?.fieldsArray[choice % partOf.fieldsArray.length] ?? field;
      const isTooDeep = path.filter((outer) => outer === resolvedType).length > 1;
      if (name === omitted || chosen !== field || isTooDeep) continue;
      const value = valueOf(field, [...path, type]);
      if (!repeated) message[name] = value;
      else message[name] = resolvedType ? [value] : [value, valueOf(field, path)];
    }
    return message;
  };

  const valueOf = ({ resolvedType, type, name }: protobuf.Field, path: readonly protobuf.Type[]): unknown => {
    count += 1;
    if (resolvedType instanceof protobuf.Type) return messageOf(resolvedType, path);
    if (resolvedType instanceof protobuf.Enum) return variant % 16;
    if (type === 'string') return `${name} ${count}`;
    return type === 'bytes' ? Uint8Array.of(count, count >> 8, 255) : count;
  };

  return messageOf(modelType, []);
}
