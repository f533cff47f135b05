/**
 * A look at the bytes of a model before anything is made of them: one pass that allocates nothing for what it finds.
 *
 * protobuf lets two bytes stand for a message that takes hundreds once it is decoded, and lets messages hold one
 * another to any depth. What would take more than is given to it is refused here.
 */

/** What fields hold, by their numbers. */
type Fields = Readonly<Record<number, string>>;

/**
 * What the fields of each message hold that cost more than their bytes: other messages, by name, and lists of numbers
 * written one after another. All else is a text, a number, or unknown.
 */
export const wireFields: Readonly<Record<string, Fields>> = {
  ModelProto: {
    7: 'GraphProto',
    8: 'OperatorSetIdProto',
    14: 'StringStringEntryProto',
    20: 'TrainingInfoProto',
    25: 'FunctionProto',
    26: 'DeviceConfigurationProto',
  },
  OperatorSetIdProto: {},
  StringStringEntryProto: {},
  FunctionProto: {
    7: 'NodeProto',
    9: 'OperatorSetIdProto',
    11: 'AttributeProto',
    12: 'ValueInfoProto',
    14: 'StringStringEntryProto',
  },
  TrainingInfoProto: {
    1: 'GraphProto',
    2: 'GraphProto',
    3: 'StringStringEntryProto',
    4: 'StringStringEntryProto',
  },
  GraphProto: {
    1: 'NodeProto',
    5: 'TensorProto',
    11: 'ValueInfoProto',
    12: 'ValueInfoProto',
    13: 'ValueInfoProto',
    14: 'TensorAnnotation',
    15: 'SparseTensorProto',
    16: 'StringStringEntryProto',
  },
  TensorAnnotation: { 2: 'StringStringEntryProto' },
  NodeProto: { 5: 'AttributeProto', 9: 'StringStringEntryProto', 10: 'NodeDeviceConfigurationProto' },
  AttributeProto: {
    5: 'TensorProto',
    6: 'GraphProto',
    7: 'float',
    8: 'int64',
    10: 'TensorProto',
    11: 'GraphProto',
    14: 'TypeProto',
    15: 'TypeProto',
    22: 'SparseTensorProto',
    23: 'SparseTensorProto',
  },
  TensorProto: {
    1: 'int64',
    3: 'Segment',
    4: 'float',
    5: 'int32',
    7: 'int64',
    10: 'double',
    11: 'uint64',
    13: 'StringStringEntryProto',
    16: 'StringStringEntryProto',
  },
  Segment: {},
  SparseTensorProto: { 1: 'TensorProto', 2: 'TensorProto', 3: 'int64' },
  ValueInfoProto: { 2: 'TypeProto', 4: 'StringStringEntryProto' },
  TypeProto: { 1: 'Tensor', 4: 'Sequence', 5: 'Map', 7: 'Opaque', 8: 'SparseTensor', 9: 'Optional' },
  Tensor: { 2: 'TensorShapeProto' },
  Sequence: { 1: 'TypeProto' },
  Map: { 2: 'TypeProto' },
  Optional: { 1: 'TypeProto' },
  SparseTensor: { 2: 'TensorShapeProto' },
  Opaque: {},
  TensorShapeProto: { 1: 'Dimension' },
  Dimension: {},
  DeviceConfigurationProto: {},
  NodeDeviceConfigurationProto: { 2: 'ShardingSpecProto' },
  ShardingSpecProto: { 2: 'int64', 3: 'IntIntListEntryProto', 4: 'ShardedDimProto' },
  IntIntListEntryProto: { 2: 'int64' },
  ShardedDimProto: { 2: 'SimpleShardedDimProto' },
  SimpleShardedDimProto: {},
};

/** About what a message takes in memory once it is decoded, bytes; and any of its fields, and a number of a list. */
const messageCost: Readonly<Record<string, number>> = {
  GraphProto: 2500,
  FunctionProto: 2500,
  TensorProto: 700,
  NodeProto: 600,
  AttributeProto: 500,
};
const [OTHER_MESSAGE, FIELD, NUMBER] = [250, 120, 60];

/** What all parts of a model but its raw data may take together, bytes: graphs of 100,000 nodes stay far below. */
const MOST = 2 ** 29;

/** How deep messages may hold one another: as deep as protobuf goes anywhere. */
const DEEPEST = 100;

/** What the bytes hold that decides how they may be read. */
export interface WireFindings {
  /** Whether a tensor says that its elements are in another file. */
  readonly external: boolean;
}

const TENSOR = 'TensorProto';
const DATA_LOCATION = 14;
const EXTERNAL = 1;

/** A message or a group that the scan is inside of. */
interface Frame {
  /** Where it ends; a group ends with a tag. */
  readonly end: number;
  readonly kind: string | undefined;
  /** The number of a group. */
  readonly group?: number;
}

/** @throws Error that says what is wrong and where, for bytes that are no message or would take too much memory */
export function scanWire(bytes: Uint8Array): WireFindings {
  const { length } = bytes;
  const frames: Frame[] = [];
  let frame: Frame = { end: length, kind: 'ModelProto' };
  let at = 0;
  let spent = 0;
  let external = false;

  const damaged = (what: string): Error => new Error(`${what} at byte ${at}`);
  const spend = (amount: number): void => {
    spent += amount;
    if (spent > MOST)
      throw damaged(`more small parts than fit ${MOST / 2 ** 20} MB of memory once they are read,`);
  };
  /** A number of up to 10 bytes; what is above 2⁵³ is not exact, and nothing here asks for it. */
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 10; shift++) {
      if (at >= frame.end) throw damaged('a number is cut short');
      const byte = bytes[at++] as number;
      value += (byte & 127) * 2 ** (7 * shift);
      if (byte < 128) return value;
    }
    throw damaged('a number has more than 10 bytes');
  };
  const skip = (count: number): void => {
    if (count > frame.end - at) throw damaged(`${count} bytes are announced and ${frame.end - at} are left`);
    at += count;
  };
  const enter = (inside: Frame): void => {
    if (frames.length >= DEEPEST) throw damaged(`messages nest more than ${DEEPEST} deep`);
    frames.push(frame);
    frame = inside;
  };

  /** How many numbers are in the next bytes. */
  const numbersIn = (kind: string, size: number): number => {
    if (kind === 'float') return size / 4;
    if (kind === 'double') return size / 8;
    let count = 0;
    for (let index = at; index < at + size; index++) if ((bytes[index] as number) < 128) count++;
    return count;
  };

  for (;;) {
    if (at === frame.end) {
      if (frame.group !== undefined) throw damaged('a group has no end');
      const around = frames.pop();
      if (!around) return { external };
      frame = around;
      continue;
    }
    const tag = varint();
    const [field, wire] = [Math.floor(tag / 8), tag % 8];
    if (field === 0 || tag >= 2 ** 32) throw damaged('a field has an impossible number');
    const kind = frame.kind === undefined ? undefined : wireFields[frame.kind]?.[field];
    switch (wire) {
      case 0: {
        const value = varint();
        if (frame.kind === TENSOR && field === DATA_LOCATION && value === EXTERNAL) external = true;
        spend(FIELD);
        break;
      }
      case 1:
        skip(8);
        spend(FIELD);
        break;
      case 2: {
        const size = varint();
        if (kind !== undefined && Object.hasOwn(wireFields, kind)) {
          if (size > frame.end - at)
            throw damaged(`${size} bytes are announced and ${frame.end - at} are left`);
          spend(messageCost[kind] ?? OTHER_MESSAGE);
          enter({ end: at + size, kind });
          break;
        }
        const start = at;
        skip(size);
        at = start;
        spend(kind === undefined ? FIELD : numbersIn(kind, size) * NUMBER);
        at = start + size;
        break;
      }
      case 3:
        spend(FIELD);
        enter({ end: frame.end, kind: undefined, group: field });
        break;
      case 4: {
        if (frame.group !== field) throw damaged('a group ends that has not begun');
        frame = frames.pop() as Frame;
        break;
      }
      case 5:
        skip(4);
        spend(FIELD);
        break;
      default:
        throw damaged(`a field has the unknown wire type ${wire}`);
    }
  }
}
