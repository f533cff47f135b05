import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UserError } from '../schemas/errors.ts';
import { type SafeTensor, readSafetensors, writeSafetensors } from '../schemas/safetensors.ts';

const tensors: Record<string, SafeTensor> = {
  weight: { dtype: 'F32', shape: [2, 3], data: Float32Array.of(0, -1.5, 3, Number.NaN, -0, 1e-40) },
  seen: { dtype: 'I64', shape: [1], data: BigInt64Array.of(-(2n ** 63n)) },
  exact: { dtype: 'F64', shape: [], data: Float64Array.of(Math.PI) },
  state: { dtype: 'U32', shape: [4], data: Uint32Array.of(1, 2, 2 ** 32 - 1, 4) },
  total: { dtype: 'U64', shape: [1], data: BigUint64Array.of(2n ** 64n - 1n) },
  places: { dtype: 'I32', shape: [2], data: Int32Array.of(-1, 5) },
  half: { dtype: 'F16', shape: [3], data: Uint16Array.of(0x3c00, 0, 0xffff) },
  brain: { dtype: 'BF16', shape: [1], data: Uint16Array.of(0x3f80) },
  small: { dtype: 'I16', shape: [1], data: Int16Array.of(-7) },
  large: { dtype: 'U16', shape: [1], data: Uint16Array.of(65535) },
  sign: { dtype: 'I8', shape: [3, 1], data: Int8Array.of(-1, 0, 1) },
  bytes: { dtype: 'U8', shape: [1], data: Uint8Array.of(255) },
  flags: { dtype: 'BOOL', shape: [2], data: Uint8Array.of(1, 0) },
  none: { dtype: 'F32', shape: [0, 5], data: new Float32Array(0) },
};

/** A file of any header, sound or not, and its data. */
function fileOf(header: string | Uint8Array, data: Uint8Array = new Uint8Array(0)): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.from(header).length));
  return Buffer.concat([length, Buffer.from(header), data]);
}

const entry = (dtype: string, shape: unknown, offsets: unknown): string =>
  JSON.stringify({ dtype, shape, data_offsets: offsets });

/** Whether the bytes give tensors that fit their shapes, or else a UserError. */
function readsOrRefuses(bytes: Uint8Array): boolean {
  try {
    return [...readSafetensors(bytes, 'f').tensors.values()].every(
      ({ shape, data }) => data.length === shape.reduce((product, axis) => product * axis, 1),
    );
  } catch (error) {
    return error instanceof UserError;
  }
}

describe('writing', () => {
  test('gives the bytes of the format', () => {
    const header = '{"a":{"dtype":"U16","shape":[2],"data_offsets":[0,4]}}  ';
    const written = writeSafetensors({
      a: { dtype: 'U16', shape: [2], data: Uint16Array.of(0x0102, 0x0304) },
    });
    expect(Buffer.from(written)).toEqual(fileOf(header, Uint8Array.of(2, 1, 4, 3)));
    expect(header.length % 8).toBe(0);
    expect(Buffer.from(writeSafetensors({}))).toEqual(fileOf('{}      '));
  });

  test('depends on no order', () => {
    const turned = Object.fromEntries(Object.entries(tensors).toReversed());
    expect(writeSafetensors(turned, { b: '2', a: '1' })).toEqual(
      writeSafetensors(tensors, { a: '1', b: '2' }),
    );
  });

  test('puts wide elements first, then goes by name', () => {
    const { tensors: read } = readSafetensors(writeSafetensors(tensors), 'f');
    expect([...read.keys()].join(' ')).toBe(
      'exact seen total none places state weight brain half large small bytes flags sign',
    );
  });

  test('writes the part of a buffer that an array views', () => {
    const data = Float32Array.of(1, 2, 3, 4).subarray(1, 3);
    const { tensors: read } = readSafetensors(
      writeSafetensors({ a: { dtype: 'F32', shape: [2], data } }),
      'f',
    );
    expect(read.get('a')?.data).toEqual(Float32Array.of(2, 3));
  });

  test.each([
    ['a shape of other size', 'a', { dtype: 'F32', shape: [3], data: new Float32Array(2) }],
    ['an array of other type', 'a', { dtype: 'F32', shape: [2], data: new Int32Array(2) }],
    ['the name of the metadata', '__metadata__', { dtype: 'U8', shape: [1], data: new Uint8Array(1) }],
  ])('refuses %s', (_, name, tensor) => {
    expect(() => writeSafetensors({ [name]: tensor as SafeTensor })).toThrow(RangeError);
  });
});

describe('reading', () => {
  test('gives back what was written', () => {
    const read = readSafetensors(writeSafetensors(tensors, { format: 'test', note: 'ö "\n' }), 'f');
    expect(Object.fromEntries(read.tensors)).toStrictEqual(tensors);
    expect(read.metadata).toEqual({ format: 'test', note: 'ö "\n' });
    expect(readSafetensors(writeSafetensors(tensors), 'f').metadata).toEqual({});
  });

  test('gives back any bits, under any name', () => {
    const names = fc.string({ unit: 'grapheme' }).filter((name) => name !== '__metadata__');
    const named = fc.uniqueArray(fc.tuple(names, fc.uint32Array({ maxLength: 9 })), {
      selector: ([name]) => name,
    });
    fc.assert(
      fc.property(named, (list) => {
        const written: [string, SafeTensor][] = list.map(([name, words]) => [
          name,
          { dtype: 'U32', shape: [words.length], data: Uint32Array.from(words) },
        ]);
        const { tensors: read } = readSafetensors(writeSafetensors(Object.fromEntries(written)), 'f');
        expect(new Map(read)).toEqual(new Map(written));
      }),
      {
        seed: 1,
        numRuns: 300,
        examples: [
          [
            [
              ['__proto__', Uint32Array.of(1)],
              ['7', Uint32Array.of(2)],
            ],
          ],
        ],
      },
    );
  });

  test('copies, at any alignment', () => {
    const written = writeSafetensors({ a: { dtype: 'F64', shape: [2], data: Float64Array.of(1, 2) } });
    for (let shift = 0; shift < 8; shift++) {
      const moved = Buffer.alloc(written.length + shift);
      moved.set(written, shift);
      const data = readSafetensors(moved.subarray(shift), 'f').tensors.get('a')?.data;
      moved.fill(0);
      expect(data).toStrictEqual(Float64Array.of(1, 2));
    }
  });

  test('takes the tensors of the header in any order', () => {
    const header = `{"b":${entry('U8', [1], [1, 2])},"none":${entry('U8', [0], [1, 1])},"a":${entry('U8', [1], [0, 1])}}`;
    const { tensors: read } = readSafetensors(fileOf(header, Uint8Array.of(7, 8)), 'f');
    expect([...read].map(([name, { data }]) => `${name}:${data}`)).toEqual(['a:7', 'none:', 'b:8']);
  });

  const one = new Uint8Array(1);
  const sized = (length: bigint): Buffer => {
    const bytes = fileOf('{}');
    bytes.writeBigUInt64LE(length);
    return bytes;
  };
  test.each<[string, Uint8Array, string]>([
    ['an empty file', new Uint8Array(0), 'f: byte 0: the file ends within the 8 bytes'],
    ['a header past the end', sized(3n), 'f: byte 0: declares a header of 3 bytes; expected at most 2'],
    ['a header of 2⁶⁴ − 1', sized(2n ** 64n - 1n), 'declares a header of 18446744073709551615 bytes'],
    ['no header', fileOf(''), 'f: header (byte 8): is not sound JSON: Unexpected end'],
    ['broken text', fileOf(Uint8Array.of(0x7b, 0xff, 0x7d)), 'is not sound JSON'],
    ['a header that is a list', fileOf('[]'), 'expected a JSON object'],
    ['a header that begins with a blank', fileOf(' {}'), 'expected a JSON object, beginning with {'],
    ['a byte after the header', fileOf('{}', one), 'f: byte 10: bytes follow the last tensor'],
    ['a cut', fileOf(`{"a":${entry('U8', [2], [0, 2])}}`, one), 'the file is cut short; its header declares'],
    [
      'a hole',
      fileOf(`{"a":${entry('U8', [1], [1, 2])}}`, new Uint8Array(2)),
      'leaves a gap before it; expected 0',
    ],
    [
      'an overlap',
      fileOf(`{"a":${entry('U8', [2], [0, 2])},"b":${entry('U8', [2], [1, 3])}}`, new Uint8Array(3)),
      'tensor "b": begins at 1 of the data and overlaps the tensor before it; expected 2',
    ],
    [
      'a repeated tensor',
      fileOf(`{"a":${entry('U8', [1], [0, 1])},"\\u0061" :${entry('U8', [1], [0, 1])}}`, one),
      'the name "a" is given twice',
    ],
    [
      'a repeated field',
      fileOf(`{"a":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}}`, one),
      'the name "shape" is given twice',
    ],
    ['a tensor that is a number', fileOf('{"a":1}'), 'tensor "a": expected an object'],
    [
      'an unknown type',
      fileOf(`{"a":${entry('F4', [1], [0, 1])}}`, one),
      'dtype is "F4"; expected one of F64, F32',
    ],
    ['an inherited name', fileOf(`{"a":${entry('toString', [1], [0, 1])}}`, one), 'dtype is "toString"'],
    [
      'an unknown field',
      fileOf('{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"x":1}}', one),
      'unknown field "x"',
    ],
    [
      'a size below 0',
      fileOf(`{"a":${entry('U8', [-1], [0, 1])}}`, one),
      'shape is [-1]; expected whole numbers',
    ],
    ['a size in part', fileOf(`{"a":${entry('U8', [0.5], [0, 1])}}`, one), 'shape is [0.5]'],
    ['a shape that is a number', fileOf(`{"a":${entry('U8', 1, [0, 1])}}`, one), 'shape is 1'],
    [
      'one offset',
      fileOf(`{"a":${entry('U8', [1], [0])}}`, one),
      'data_offsets is [0]; expected two whole numbers',
    ],
    [
      'offsets reversed',
      fileOf(`{"a":${entry('U8', [1], [1, 0])}}`, one),
      'data_offsets 1 to 0; expected 1 bytes',
    ],
    ['too few bytes', fileOf(`{"a":${entry('F32', [1], [0, 1])}}`, one), 'expected 4 bytes for F32 [1]'],
    [
      'a shape past 2⁵³',
      fileOf(`{"a":${entry('U8', [2 ** 32, 2 ** 32, 0], [0, 0])}}`),
      'has more elements than can be counted',
    ],
    [
      'metadata of numbers',
      fileOf('{"__metadata__":{"a":1}}'),
      '__metadata__: expected an object of strings',
    ],
    ['no metadata object', fileOf('{"__metadata__":null}'), '__metadata__: expected an object of strings'],
  ])('refuses %s', (_, bytes, line) => {
    expect(() => readSafetensors(bytes, 'f')).toThrow(
      expect.objectContaining({ name: 'UserError', message: expect.stringContaining(line) }),
    );
  });

  test('refuses a header above the limit of the format', () => {
    const bytes = new Uint8Array(8 + 100_000_001);
    new DataView(bytes.buffer).setBigUint64(0, 100_000_001n, true);
    expect(() => readSafetensors(bytes, 'f')).toThrow(
      'declares a header of 100000001 bytes; expected at most 100000000',
    );
  });

  test('takes any bytes: fitting tensors or a UserError', () => {
    const sound = Buffer.from(writeSafetensors(tensors, { note: 'a' }));
    const change = fc.tuple(
      fc.nat(sound.length - 1),
      fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('0129{}[]",:'))),
    );
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), fc.nat(9), (changes, cut) => {
        const bytes = Buffer.from(sound.subarray(0, sound.length - Math.max(0, cut - 6)));
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        expect(readsOrRefuses(bytes)).toBe(true);
      }),
      { seed: 1, numRuns: 3000 },
    );
  });
});
