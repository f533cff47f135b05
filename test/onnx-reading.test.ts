import fc from 'fast-check';
import protobuf from 'protobufjs/minimal.js';
import { assert, describe, expect, test } from 'vitest';
import { UserError } from '../schemas/errors.ts';
import { onnx } from '../schemas/onnx/generated/onnx.js';
import { defineOnnxModel, Graph, readModel, tensor, tensorData, writeModel } from '../schemas/onnx/index.ts';
import { conditional, runningSum } from './support/onnx-graphs.ts';
import { fullModel, unknownFields } from './support/onnx-messages.ts';

const encode = (message: onnx.ModelProto.$Properties): Uint8Array =>
  onnx.ModelProto.encode(message, new protobuf.Writer()).finish();

describe('reading', () => {
  test.each(Array.from({ length: 32 }, (_, variant) => variant))(
    'loses nothing of a model with every field, known or not (variant %i)',
    (variant) => {
      const bytes = encode(fullModel(variant, variant < 16 ? 'refAttrName' : undefined));
      expect(Buffer.compare(writeModel(readModel(bytes)), bytes)).toBe(0);
    },
  );

  test('keeps a list that the map does not say all of, until the map is changed', () => {
    const bytes = encode({
      irVersion: 10,
      graph: {},
      metadataProps: [
        { key: 'a', value: '1' },
        { key: 'a', value: '2' },
      ],
      $unknowns: unknownFields,
    });
    const model = readModel(bytes);
    expect([...model.metadata]).toEqual([['a', '2']]);
    expect(writeModel(model)).toEqual(bytes);
    const changed = readModel(writeModel({ ...model, metadata: new Map([['b', '3']]) }));
    expect([...changed.metadata]).toEqual([['b', '3']]);
    expect(changed.rest).toEqual({ $unknowns: unknownFields });
  });

  test('does not copy raw data that are aligned', () => {
    const graph = new Graph('g');
    const weights = graph.initializer('w', tensor('uint8', [1000], new Uint8Array(1000).fill(7)));
    const bytes = writeModel(defineOnnxModel(graph));
    const stored = readModel(bytes).graph.initializers.get(weights);
    assert(stored);
    expect(tensorData(stored)).toMatchObject({ data: { buffer: bytes.buffer } });
  });

  const damaged: readonly (readonly [string, onnx.TensorProto.$Properties, RegExp])[] = [
    ['too few bytes', { dims: [3], dataType: 1, rawData: new Uint8Array(8) }, /needs 12 bytes but has 8/],
    ['too few values', { dims: [3], dataType: 6, int32Data: [1] }, /needs 3 values but has 1/],
    ['no data', { dims: [3], dataType: 9 }, /needs 3 values but has 0/],
    ['values in a field of another type', { dims: [1], dataType: 1, int32Data: [1] }, /needs 1 values/],
    ['an enormous shape', { dims: [2 ** 40, 2 ** 40], dataType: 1 }, /impossible shape/],
    ['a negative dimension', { dims: [-1], dataType: 1 }, /impossible shape \[-1\]/],
    ['an unknown type', { dims: [1], dataType: 99 }, /data type/],
    ['no type', { dims: [] }, /data type/],
    ['text that is not UTF-8', { dims: [1], dataType: 8, stringData: [Uint8Array.of(0xff)] }, /UTF-8/],
    ['a segment', { dims: [1], dataType: 2, segment: { begin: 0, end: 1 } }, /segment/],
    [
      'external data',
      { dims: [1], dataType: 1, dataLocation: 1, externalData: [{ key: 'location', value: 'w.bin' }] },
      /external.*w\.bin/,
    ],
  ];
  test.each(damaged)('gives a tensor with %s one clear error', (_, message, expected) => {
    const bytes = encode({ irVersion: 10, graph: { initializer: [{ ...message, name: 'w' }] } });
    const model = readModel(bytes);
    expect(writeModel(model)).toEqual(bytes);
    const [stored] = model.graph.initializers.values();
    assert(stored);
    expect(() => tensorData(stored, 'w')).toThrow(UserError);
    expect(() => tensorData(stored, 'w')).toThrow(/^tensor 'w' /);
    expect(() => tensorData(stored, 'w')).toThrow(expected);
  });

  test('decodes a tensor without elements', () => {
    const bytes = encode({
      irVersion: 10,
      graph: { initializer: [{ name: 'w', dims: [0, 2 ** 50], dataType: 1 }] },
    });
    const [stored] = readModel(bytes).graph.initializers.values();
    assert(stored);
    expect(tensorData(stored)).toEqual({ type: 'float32', dims: [0, 2 ** 50], data: new Float32Array() });
  });
});

/**
 * What becomes of bytes that may be anything: 'a model' if all of it can be decoded and written, or else the
 * message of a UserError.
 */
function outcome(bytes: Uint8Array): string {
  try {
    const model = readModel(bytes, 'digits.onnx');
    const written = writeModel(model);
    assert(Buffer.compare(writeModel(readModel(written)), written) === 0);
    for (const [name, stored] of model.graph.initializers) tensorData(stored, name);
    return 'a model';
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
}

const harmless = /^(a model|digits\.onnx: not an ONNX model: .+|tensor '.*' .+)$/;

describe('hostile bytes', () => {
  const models = [
    writeModel(defineOnnxModel(conditional(), { metadata: { a: 'b' } })),
    writeModel(defineOnnxModel(runningSum())),
    encode(fullModel(0, 'refAttrName')),
  ];

  test.each(models)('of a model cut anywhere (%#)', (bytes) => {
    const step = Math.ceil(bytes.length / 2000);
    for (let length = 0; length < bytes.length; length += step) {
      expect(outcome(bytes.subarray(0, length))).toMatch(harmless);
    }
  });

  test('of a model with bytes changed', () => {
    const change = fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(0, 0x7f, 0x80, 0xff)));
    const changes = fc.array(change, { minLength: 1, maxLength: 4 });
    const check = fc.property(fc.constantFrom(...models), changes, (model, edits) => {
      const bytes = model.slice();
      for (const [place, byte] of edits) bytes[place % bytes.length] = byte;
      expect(outcome(bytes)).toMatch(harmless);
    });
    fc.assert(check, { numRuns: 6000, seed: 1 });
  });

  test('of nothing like a model', () => {
    const check = fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      expect(outcome(bytes)).toMatch(harmless);
    });
    fc.assert(check, { numRuns: 2000, seed: 1 });
    expect(() => readModel(new Uint8Array(), 'empty.onnx')).toThrow(
      'empty.onnx: not an ONNX model: it has no graph',
    );
    expect(() => readModel(new TextEncoder().encode('{"a": 1}'))).toThrow(
      /^model: not an ONNX model: its bytes/,
    );
  });

  test('that nest a thousand deep', () => {
    let nested: Uint8Array = new Uint8Array();
    const wrap = (tag: number) => {
      nested = new protobuf.Writer().uint32(tag).bytes(nested).finish();
    };
    // Attribute.g, Node.attribute, Graph.node
    for (let depth = 0; depth < 1000; depth += 1) for (const tag of [0x32, 0x2a, 0x0a]) wrap(tag);
    wrap(0x3a);
    expect(() => readModel(nested)).toThrow(UserError);
    expect(() => readModel(new Uint8Array(1_000_000).fill(0xd3))).toThrow(UserError);
    expect(() =>
      readModel(Uint8Array.from({ length: 20_000 }, (_, index) => [0xd3, 0x3e][index % 2] ?? 0)),
    ).toThrow(UserError);
  });

  const read = (graph: onnx.GraphProto.$Properties) => () => readModel(encode({ graph }), 'm');

  test('that repeat a name or give an enormous dimension', () => {
    expect(read({ initializer: [{ name: 'w' }, { name: 'w' }] })).toThrow(/^m: .*initializer named 'w'/);
    expect(read({ node: [{ attribute: [{ name: 'a' }, { name: 'a' }] }] })).toThrow(/attribute named 'a'/);
    expect(read({ initializer: [{ dims: [2 ** 60] }] })).toThrow(/tensor dimension is 1152921504606846976/);
  });
});
