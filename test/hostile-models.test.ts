import { execFileSync } from 'node:child_process';
import { link, mkdir, symlink } from 'node:fs/promises';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import minimal from 'protobufjs/minimal.js';
import { describe, expect, it, vi } from 'vitest';
import { runProgram } from '../cli/program.ts';
import { reportOnnx, toOnnx } from '../export/index.ts';
import { load, readModelFile } from '../runtime/load.ts';
import { describe as describeModel } from '../schemas/description.ts';
import { defineModel, dense, lif, readout } from '../schemas/index.ts';
import { onnx } from '../schemas/onnx/generated/onnx.js';
import {
  defineOnnxModel,
  Graph,
  hasExternalData,
  readModel,
  tensorData,
  writeModel,
} from '../schemas/onnx/index.ts';
import { wireFields } from '../schemas/onnx/proto/wire.ts';
import { lineOf } from './support/error-line.ts';
import { freshFolder } from './support/folder.ts';
import { mutationsOf, readMutations } from './support/mutations.ts';
import { denseModel, randomNetwork } from './support/networks.ts';
import { conditional } from './support/onnx-graphs.ts';

const encode = (message: onnx.ModelProto.$Properties): Uint8Array => onnx.ModelProto.encode(message).finish();

/** A length-delimited field around bytes. */
const wrapped = (field: number, bytes: Uint8Array): Uint8Array =>
  new minimal.Writer()
    .uint32(field * 8 + 2)
    .bytes(bytes)
    .finish();

/** So many fields of the same bytes. */
function repeated(field: number, count: number, bytes: Uint8Array): Uint8Array {
  const one = wrapped(field, bytes);
  return new Uint8Array(Buffer.alloc(count * one.length, one));
}

const nothing = new Uint8Array();

/** Networks as they are exported, of each form. */
const exported = {
  dense: toOnnx(randomNetwork(denseModel({ type: 'uint8', shape: [12], scale: 1 / 255 }, [8, 3]), 1)),
  ensemble: toOnnx(randomNetwork(denseModel({ type: 'uint8', shape: [12], scale: 1 }, [8, 3]), 2, 3)),
  sequence: toOnnx(
    randomNetwork(
      defineModel({
        input: { type: 'uint8', shape: [6], scale: 1 },
        steps: 4,
        layers: [dense({ units: 5 }), lif(), dense({ units: 2 }), readout()],
      }),
      3,
    ),
  ),
};

/** Every way of ours through a file, but for the runtime. */
function readAll(bytes: Uint8Array): void {
  const model = readModel(bytes, 'm.onnx');
  const written = writeModel(model);
  expect(Buffer.compare(writeModel(readModel(written)), written)).toBe(0);
  hasExternalData(bytes, 'm.onnx');
  for (const [name, stored] of model.graph.initializers) tensorData(stored, name);
  describeModel(model, 'm.onnx');
  reportOnnx(bytes, 'm.onnx');
}

describe('the look at the bytes', () => {
  it('knows every message and every list of numbers of the format', () => {
    const root = protobuf.loadSync(new URL('../schemas/onnx/onnx.proto', import.meta.url).pathname);
    root.resolveAll();
    const found: Record<string, Record<number, string>> = {};
    const visit = (type: protobuf.Type): void => {
      const fields: Record<number, string> = {};
      for (const field of type.fieldsArray) {
        if (field.resolvedType instanceof protobuf.Type) fields[field.id] = field.resolvedType.name;
        else if (field.repeated && !['string', 'bytes'].includes(field.type)) fields[field.id] = field.type;
      }
      found[type.name] = fields;
      for (const inner of type.nestedArray) if (inner instanceof protobuf.Type) visit(inner);
    };
    for (const each of (root.lookup('onnx') as protobuf.Namespace).nestedArray)
      if (each instanceof protobuf.Type) visit(each);
    expect(wireFields).toEqual(found);
  });

  it('takes everything that is exported, and finds what is in other files wherever it is', () => {
    for (const bytes of Object.values(exported)) expect(hasExternalData(bytes)).toBe(false);
    const external = { name: 'w', dataType: 1, dims: [1], dataLocation: 1 };
    const graph = { node: [{ attribute: [{ name: 'g', type: 5, g: { initializer: [external] } }] }] };
    expect(hasExternalData(encode({ graph: { initializer: [external] } }))).toBe(true);
    expect(hasExternalData(encode({ graph }))).toBe(true);
    expect(hasExternalData(encode({ graph: {}, functions: [{ node: graph.node }] }))).toBe(true);
    expect(hasExternalData(encode({ graph: {}, trainingInfo: [{ algorithm: graph }] }))).toBe(true);
    expect(hasExternalData(encode({ graph: { sparseInitializer: [{ values: external }] } }))).toBe(true);
  });

  it('refuses tens of megabytes of tiny parts before memory is taken for them', async () => {
    const parts = {
      nodes: wrapped(7, repeated(1, 10e6, nothing)),
      initializers: wrapped(7, repeated(5, 4e6, nothing)),
      functions: Buffer.concat([repeated(25, 4e6, nothing), wrapped(7, nothing)]),
      'inputs of a node': wrapped(7, wrapped(1, repeated(1, 5e6, nothing))),
      dimensions: wrapped(7, wrapped(11, wrapped(2, wrapped(1, wrapped(2, repeated(1, 4e6, nothing)))))),
      metadata: Buffer.concat([wrapped(7, nothing), repeated(14, 4e6, nothing)]),
      'numbers in a list': wrapped(7, wrapped(5, wrapped(7, new Uint8Array(20e6)))),
      'fields that are not known': Buffer.concat([wrapped(7, nothing), repeated(1000, 5e6, nothing)]),
      groups: Buffer.concat([wrapped(7, nothing), new Uint8Array(10e6).fill(0xc3)]),
    };
    for (const [what, bytes] of Object.entries(parts)) {
      const line = await lineOf(() => readModel(bytes, 'm.onnx'));
      expect(line, what).toMatch(
        /^m\.onnx: not an ONNX model: its bytes are damaged or cut short \(.*at byte/,
      );
    }
    // The same in a size that a model may have.
    expect(readModel(wrapped(7, repeated(1, 50_000, nothing))).graph.nodes).toHaveLength(50_000);
    expect(readModel(wrapped(7, wrapped(5, wrapped(9, new Uint8Array(40e6))))).graph.initializers.size).toBe(
      1,
    );
  });

  it('refuses what nests a thousand deep, in every way there is', async () => {
    // Fields around each other, the innermost last.
    const ways = {
      'a graph in an attribute': [6, 5, 1],
      'graphs in an attribute': [11, 5, 1],
      'types of sequences': [1, 4],
      'types of optional values': [1, 9],
      'types of maps': [2, 5],
    };
    const around = { 'a graph in an attribute': [7], 'graphs in an attribute': [7] } as Record<
      string,
      number[]
    >;
    for (const [what, fields] of Object.entries(ways)) {
      let bytes: Uint8Array = nothing;
      for (let depth = 0; depth < 1000; depth++) for (const field of fields) bytes = wrapped(field, bytes);
      // A type is in a value of the graph.
      for (const field of around[what] ?? [2, 11, 7]) bytes = wrapped(field, bytes);
      expect(await lineOf(() => readModel(bytes, 'm.onnx')), what).toMatch(/nest more than 100 deep at byte/);
    }
    let inFunction: Uint8Array = nothing;
    for (let depth = 0; depth < 1000; depth++)
      for (const field of [6, 5, 1]) inFunction = wrapped(field, inFunction);
    const bytes = Buffer.concat([
      wrapped(7, nothing),
      wrapped(25, wrapped(7, wrapped(5, wrapped(6, inFunction)))),
    ]);
    expect(await lineOf(() => readModel(bytes, 'm.onnx'))).toMatch(/nest more than 100 deep/);
  });
});

describe('bytes that mean the same, or nothing', () => {
  const graph = encode({ graph: { name: 'g', initializer: [{ name: 'w', dims: [2, 3], dataType: 1 }] } });

  it('takes the last of fields that come twice, and joins messages, as protobuf says', () => {
    const twice = Buffer.concat([
      encode({ irVersion: 9, producerName: 'a' }),
      graph,
      encode({ irVersion: 10, producerName: 'b', graph: { node: [{ opType: 'Relu' }] } }),
    ]);
    const model = readModel(twice);
    expect([model.irVersion, model.producerName]).toEqual([10, 'b']);
    expect([model.graph.name, model.graph.initializers.size, model.graph.nodes.length]).toEqual(['g', 1, 1]);
  });

  /** The initializer of a model that has this one alone. */
  const initializerOf = (tensor: Uint8Array) => {
    const [found] = readModel(wrapped(7, wrapped(5, tensor))).graph.initializers.values();
    if (!found) throw new Error('it has no initializer');
    return found;
  };

  it('reads lists of numbers packed and not packed alike', () => {
    expect(initializerOf(Uint8Array.of(0x08, 2, 0x08, 0x80, 0x01)).dims).toEqual([2, 128]);
    expect(initializerOf(Uint8Array.of(0x0a, 3, 2, 0x80, 0x01)).dims).toEqual([2, 128]);
    const packed = initializerOf(Uint8Array.of(0x22, 8, 0, 0, 128, 63, 0, 0, 0, 64));
    expect(packed).toEqual(initializerOf(Uint8Array.of(0x25, 0, 0, 128, 63, 0x25, 0, 0, 0, 64)));
    expect(packed).toMatchObject({ stored: { float: Float32Array.of(1, 2) } });
  });

  it('keeps known fields that are written as another type', () => {
    // The name of the graph as a number, its IR version as text.
    const odd = Buffer.concat([wrapped(7, Uint8Array.of(0x10, 5)), Uint8Array.of(0x0a, 1, 0x41)]);
    const model = readModel(odd);
    expect([model.graph.name, model.irVersion]).toEqual(['', 0]);
    const written = writeModel(model);
    expect(Buffer.from(written).includes(Buffer.of(0x3a, 2, 0x10, 5))).toBe(true);
    expect(Buffer.from(written).includes(Buffer.of(0x0a, 1, 0x41))).toBe(true);
  });

  const refused: Readonly<Record<string, readonly [Uint8Array, RegExp]>> = {
    'a name that is not UTF-8': [wrapped(7, Uint8Array.of(0x12, 2, 0xc3, 0x28)), /cut short/],
    'a number of 11 bytes': [Uint8Array.of(0x08, ...Array(11).fill(0xff)), /more than 10 bytes at byte 11/],
    'a length beyond the end': [Uint8Array.of(0x3a, 200, 1, 0), /200 bytes are announced and 1 are left/],
    'a length beyond its message': [
      Buffer.concat([wrapped(7, Uint8Array.of(0x0a, 9)), new Uint8Array(20)]),
      /9 bytes are announced and 0 are left/,
    ],
    'a length of 2⁶³': [Uint8Array.of(0x3a, ...Array(9).fill(0xff), 0x7f), /are announced/],
    'field number 0': [Uint8Array.of(0x02, 0), /impossible number/],
    'a wire type that is not there': [Uint8Array.of(0x0e, 0), /wire type 6/],
    'a group without an end': [Uint8Array.of(0xc3, 0x3e, 0x08, 1), /group has no end/],
    'the end of another group': [Uint8Array.of(0xc3, 0x3e, 0xcc, 0x3e), /group ends that has not begun/],
  };
  it.each(Object.entries(refused))('refuses %s', async (_, [bytes, expected]) => {
    expect(await lineOf(() => readModel(bytes, 'm.onnx'))).toMatch(expected);
  });

  it('takes no memory for shapes of 2⁴⁵ elements', async () => {
    const huge = 2 ** 45;
    const value = { tensorType: { elemType: 2, shape: { dim: [{ dimValue: huge }] } } };
    const bytes = encode({
      irVersion: 10,
      graph: {
        initializer: [{ name: 'w', dims: [huge], dataType: 1, rawData: new Uint8Array(8) }],
        input: [{ name: 'x', type: value }],
      },
    });
    const { graph: read } = readModel(bytes);
    const [stored] = read.initializers.values();
    expect(await lineOf(() => tensorData(stored!, 'w'))).toMatch(/needs 140737488355328 bytes but has 8/);
    expect(read.inputs[0]?.dims).toEqual([huge]);
  });
});

describe('tensors in other files', () => {
  const folder = freshFolder();

  type Entries = Readonly<Record<string, string>>;
  const modelWith = (external: Entries, dims: readonly number[] = [4], dataType = 2): Uint8Array =>
    encode({
      irVersion: 10,
      opsetImport: [{ domain: '', version: 21 }],
      graph: {
        name: 'g',
        initializer: [
          {
            name: 'w',
            dims: [...dims],
            dataType,
            dataLocation: 1,
            externalData: Object.entries(external).map(([key, value]) => ({ key, value })),
          },
        ],
        node: [{ opType: 'Identity', input: ['w'], output: ['y'] }],
        output: [{ name: 'y', type: { tensorType: { elemType: dataType } } }],
      },
    });

  const read = async (external: Entries, dims?: readonly number[], dataType?: number) => {
    await folder.put('model/m.onnx', modelWith(external, dims, dataType));
    return readModelFile(folder.path('model/m.onnx'));
  };
  const dataOf = async (...given: Parameters<typeof read>) => {
    const { graph } = readModel(await read(...given));
    return Array.from(tensorData(graph.initializers.values().next().value!, 'w').data as Uint8Array);
  };

  it('are read from the folder of the model and those inside it', async () => {
    await folder.put('model/w.bin', Uint8Array.of(1, 2, 3, 4, 5, 6));
    await folder.put('model/deep/er/w.bin', Uint8Array.of(7, 8, 9, 10));
    expect(await dataOf({ location: 'w.bin', length: '4' })).toEqual([1, 2, 3, 4]);
    expect(await dataOf({ location: './w.bin', offset: '2' })).toEqual([3, 4, 5, 6]);
    expect(await dataOf({ location: 'deep/er/w.bin' })).toEqual([7, 8, 9, 10]);
    expect(await dataOf({ location: 'w.bin', offset: '6' }, [0])).toEqual([]);
  });

  it('are read for constants in graphs inside of nodes, too', async () => {
    const bytes = writeModel(defineOnnxModel(conditional()));
    expect(hasExternalData(bytes)).toBe(false);
    await folder.put('model/c.bin', new Uint8Array(Float32Array.of(3, 5).buffer));
    const body = new Graph('g');
    body.output(
      body.node('Constant', [], { value: { type: 'float32', dims: [2], data: Float32Array.of(1, 2) } }),
    );
    const model = readModel(writeModel(defineOnnxModel(body)));
    const [node] = model.graph.nodes;
    const attribute = {
      type: 'tensor' as const,
      value: { type: 'float32' as const, dims: [2], stored: { external: new Map([['location', 'c.bin']]) } },
    };
    model.graph.replace({ nodes: [{ ...node!, attributes: new Map([['value', attribute]]) }] });
    await folder.put('model/c.onnx', writeModel(model));
    const found = readModel(await readModelFile(folder.path('model/c.onnx'))).graph.nodes[0]?.attributes.get(
      'value',
    );
    expect(found?.type === 'tensor' && tensorData(found.value).data).toEqual(Float32Array.of(3, 5));
  });

  it('are read from nowhere else', async () => {
    await folder.put('secret.bin', 'secret');
    await folder.put('elsewhere/secret.bin', 'secret');
    await folder.put('model/own.bin', 'own bytes');
    await symlink(folder.path('secret.bin'), folder.path('model/link.bin'));
    await symlink(folder.path('elsewhere'), folder.path('model/linked'));
    await symlink('own.bin', folder.path('model/inside.bin'));
    await link(folder.path('secret.bin'), folder.path('model/hard.bin'));
    await mkdir(folder.path('model/folder'));
    execFileSync('mkfifo', [folder.path('model/fifo')]);
    const places: Readonly<Record<string, RegExp>> = {
      '../secret.bin': /expected a file in the folder of the model/,
      'folder/../../secret.bin': /expected a file in the folder of the model/,
      'folder/../own.bin': /expected a file in the folder of the model/,
      [folder.path('secret.bin')]: /expected a file in the folder of the model/,
      '..\\secret.bin': /expected a file in the folder of the model/,
      'C:secret.bin': /expected a file in the folder of the model/,
      'own.bin\0.txt': /expected a file in the folder of the model/,
      '': /expected a file in the folder of the model/,
      'link.bin': /symbolic link/,
      'linked/secret.bin': /symbolic link/,
      'inside.bin': /symbolic link/,
      'hard.bin': /hard link/,
      folder: /no plain file/,
      fifo: /no plain file/,
      'own.bin/more': /cannot read its data/,
      'missing.bin': /cannot read its data missing\.bin/,
    };
    for (const [location, expected] of Object.entries(places)) {
      const line = await lineOf(() => read({ location }));
      expect(line, location).toMatch(expected);
      expect(line, location).toMatch(/m\.onnx: tensor 'w': /);
      expect(line).not.toContain('secret\n');
      expect(await lineOf(() => load(folder.path('model/m.onnx'))), location).toMatch(expected);
    }
  });

  it('have offsets and lengths that fit', async () => {
    await folder.put('model/w.bin', Uint8Array.of(1, 2, 3, 4));
    const location = 'w.bin';
    const odd: readonly (readonly [Entries, RegExp, number[]?, number?])[] = [
      [{ location, offset: '-1' }, /offset is "-1"/],
      [{ location, offset: '1' }, /bytes 1 to 5 of w\.bin, which has 4/],
      [{ location, offset: '999999999999999' }, /which has 4/],
      [{ location, offset: '9999999999999999999999' }, /offset is "9+"; expected a whole number/],
      [{ location, offset: '1e3' }, /expected a whole number/],
      [{ location, length: '-4' }, /length is "-4"/],
      [{ location, length: '3' }, /needs 4 bytes, and 3 are said/],
      [{ location, length: '4000000000' }, /needs 4 bytes, and 4000000000 are said/],
      [{ location }, /more than 2 GB/, [2 ** 45]],
      [{ location }, /more than 2 GB/, [2 ** 31]],
      [{ location }, /impossible shape \[1099511627776, 1099511627776\]/, [2 ** 40, 2 ** 40]],
      [{ location }, /impossible shape \[-1\]/, [-1]],
      [{ location }, /type string/, [1], 8],
      [{ location }, /type unknown/, [1], 77],
    ];
    for (const [external, expected, dims, type] of odd)
      expect(await lineOf(() => read(external, dims, type))).toMatch(expected);
  });

  it('are refused where the model comes as bytes, and nothing says where it lies', async () => {
    expect(await lineOf(() => load(modelWith({ location: 'w.bin' })))).toBe(
      'model: keeps tensors in other files; give its path in Node, where they are read',
    );
  });
});

async function runOnce(bytes: Uint8Array): Promise<void> {
  const network = await load(bytes, { threads: 1 });
  try {
    await network.run(new Uint8Array(12));
  } finally {
    await network.close();
  }
}

/** How many mutations are read: thousands in the suite, all 20,000 and more where this says so. */
const runs = Number(process.env['BITSPIKE_MUTATIONS'] ?? 2400);

/** Each takes some milliseconds. */
const time = { timeout: 120_000 + runs * 100 };

describe('damaged files', time, () => {
  it('that are cut anywhere give one line', async () => {
    for (const bytes of Object.values(exported)) {
      const step = Math.ceil(bytes.length / 300);
      const taken: number[] = [];
      for (let length = 0; length < bytes.length; length += step) {
        await Promise.resolve()
          .then(() => readAll(bytes.subarray(0, length)))
          .then(
            () => taken.push(length),
            async (error: unknown) => {
              const line = await lineOf(() => {
                throw error;
              });
              expect(line).toMatch(/^m\.onnx: /);
            },
          );
      }
      // Between the last fields of all a file may end: nothing in it says that there were more.
      expect(taken.length).toBeLessThan(4);
    }
  });

  it.each(Object.keys(exported))('that are changed anywhere are read, or give one line: %s', async (form) => {
    const bytes = exported[form as keyof typeof exported];
    const verdicts = await readMutations(bytes, readAll, { numRuns: Math.ceil(runs / 3), seed: 4 });
    expect(verdicts.refused).toBeGreaterThan(runs / 30);
    expect(verdicts.taken).toBeGreaterThan(0);
  });

  it('that are changed anywhere are run, or give one line', async () => {
    await fc.assert(
      fc.asyncProperty(mutationsOf(exported.dense), async (mutated) => {
        // What onnxruntime says while it runs is its own affair; it must come back.
        const error = await runOnce(mutated).catch((thrown: unknown) => thrown);
        expect(error === undefined || (error instanceof Error && error.message !== '')).toBe(true);
      }),
      { seed: 5, numRuns: Math.ceil(runs / 20) },
    );
  });
});

describe('the commands', () => {
  const folder = freshFolder();

  it.each(['inspect', 'eval', 'verify'])('%s says one line and exits with 1', async (command) => {
    const cut = exported.dense.subarray(0, exported.dense.length - 40);
    const files: Readonly<Record<string, Uint8Array>> = {
      'cut.onnx': cut,
      'empty.onnx': nothing,
      'text.onnx': new TextEncoder().encode('{"a": 1}\n'),
      'nodes.onnx': wrapped(7, repeated(1, 2e6, nothing)),
      'outside.onnx': encode({
        graph: {
          initializer: [
            {
              name: 'w',
              dims: [1],
              dataType: 2,
              dataLocation: 1,
              externalData: [{ key: 'location', value: '../../../etc/passwd' }],
            },
          ],
        },
      }),
      'other.onnx': encode({ irVersion: 10, graph: { name: 'g' } }),
    };
    const errors = vi.spyOn(console, 'error').mockImplementation(() => {});
    try {
      for (const [name, bytes] of Object.entries(files)) {
        await folder.put(name, bytes);
        errors.mockClear();
        const data = command === 'eval' ? ['--data', 'mnist'] : [];
        expect(await runProgram([command, folder.path(name), ...data]), name).toBe(1);
        expect(errors.mock.calls, name).toHaveLength(1);
        expect(errors.mock.calls[0]?.[0], name).toMatch(/^bitspike: .*\.onnx: [^\n]+$/);
      }
    } finally {
      errors.mockRestore();
    }
  });
});
