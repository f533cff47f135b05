import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { assert, describe, expect, expectTypeOf, test } from 'vitest';
import {
  type Attribute,
  type AttributeType,
  type DataType,
  dataTypes,
  defineOnnxModel,
  float,
  floats,
  Graph,
  type Model,
  readModel,
  reference,
  removeUnused,
  type StoredFields,
  strings,
  type TensorData,
  tensor,
  tensorData,
  type Value,
  writeModel,
} from '../schemas/onnx/index.ts';
import { conditional, runningSum, scalar } from './support/onnx-graphs.ts';

const operators = (graph: Graph) => graph.nodes.map(({ op }) => op);

async function run(model: Model, x: readonly number[]): Promise<Record<string, readonly number[]>> {
  const session = await InferenceSession.create(writeModel(model));
  const results = await session.run({ x: new Tensor('float32', Float32Array.from(x), [x.length]) });
  await session.release();
  return Object.fromEntries(
    Object.entries(results).map(([name, { data }]) => [name, Array.from(data as Float32Array)]),
  );
}

describe('a built graph', () => {
  test('runs, with a subgraph that sees the outer values and a node of two outputs', async () => {
    const model = defineOnnxModel(conditional());
    expect(await run(model, [3, -1])).toEqual({ y: [6, -2] });
    expect(await run(model, [-3, 1])).toEqual({ y: [1] });
    expect(await run(defineOnnxModel(runningSum()), [1, 2, 4])).toEqual({ last: [7], sums: [1, 3, 7] });
  });

  test('runs with a function, whose constants become nodes', async () => {
    const body = new Graph('Scaled');
    const value = body.input('value');
    const factor = body.node('Constant', [], { value_float: reference('factor', 'float') });
    body.output(body.node('Add', [body.node('Mul', [value, factor]), body.constant(scalar(1))]));
    const scaled = {
      domain: 'test',
      name: 'Scaled',
      body,
      attributes: ['factor'],
      defaults: new Map(),
      opsets: new Map([['', 21]]),
    };
    const graph = new Graph('main');
    const x = graph.input('x', 'float32', ['length']);
    const y = graph.node('Scaled', [x], { factor: float(0.5) }, { domain: 'test', output: 'y' });
    graph.output(y, 'float32', ['length']);
    const model = defineOnnxModel(graph, { domains: { test: 1 }, functions: [scaled] });
    expect(await run(model, [2, 4])).toEqual({ y: [2, 3] });
    expect(await run(readModel(writeModel(model)), [2, 4])).toEqual({ y: [2, 3] });
  });

  test('has readable names that repeat from build to build', () => {
    expect(conditional().nodes.flatMap(({ outputs }) => outputs)).toEqual([
      'Split_0',
      'Split_1',
      'ReduceSum_0',
      'Greater_0',
      'y',
    ]);
    const bytes = writeModel(defineOnnxModel(conditional()));
    expect(writeModel(defineOnnxModel(conditional()))).toEqual(bytes);
    expect(writeModel(readModel(bytes))).toEqual(bytes);
  });

  test('has names that are unique across its subgraphs', () => {
    const graph = new Graph('outer');
    graph.input('Relu_0', 'float32', [1]);
    const inner = new Graph('inner', graph);
    expect(inner.node('Relu', ['Relu_0' as Value])).toBe('Relu_1');
    expect(graph.node('Relu', ['Relu_0' as Value])).toBe('Relu_2');
    expect(() => graph.node('Relu', ['Relu_0' as Value], {}, { output: 'Relu_1' })).toThrow(/Relu_1/);
    expect(() => graph.input('Relu_0', 'float32', [])).toThrow(/'Relu_0'/);
  });

  test('shares small constants that are equal, also with its subgraphs', () => {
    const graph = new Graph('outer');
    const one = graph.constant(scalar(1));
    expect(graph.constant(scalar(1))).toBe(one);
    expect(new Graph('inner', graph).constant(scalar(1))).toBe(one);
    expect(graph.constant(scalar(2))).not.toBe(one);
    expect(graph.constant(tensor('float32', [1], Float32Array.of(1)))).not.toBe(one);
    expect(graph.constant(tensor('int32', [], Int32Array.of(0x3f800000)))).not.toBe(one);
    const large = tensor('float32', [17], new Float32Array(17));
    expect(graph.constant(large)).not.toBe(graph.constant(large));
  });

  test('refuses what would not be a graph, and says which', () => {
    const graph = new Graph('g');
    const x = graph.input('x', 'float32', [1]);
    const stranger = new Graph('inner', graph).input('hidden', 'float32', []);
    expect(() => graph.node('Add', [x, stranger])).toThrow(
      "Add: its input 'hidden' is not a value of graph 'g'",
    );
    expect(() => graph.output('z' as Value, 'float32', [])).toThrow("'z'");
    expect(() => graph.node('If', [x], { then_branch: new Graph('apart') })).toThrow("subgraph 'apart'");
    expect(() => graph.node('Elu', [x], { alpha: 0.5 })).toThrow('use float()');
    expect(() => graph.initializer('w', { type: 'float32', dims: [2], data: new Float32Array(3) })).toThrow(
      '[2]',
    );
    expect(() => tensor('uint4', [3], new Uint8Array(3))).toThrow('an array of 2');
    expect(() => tensor('int8', [-1], new Int8Array(0))).toThrow('[-1]');
    expect(operators(graph)).toEqual([]);
  });

  test('gives as many outputs as were asked for, also to the compiler', () => {
    const graph = new Graph('g');
    const x = graph.input('x', 'float32', [4]);
    expectTypeOf(graph.nodeN('Split', [x], 2)).toEqualTypeOf<[Value, Value]>();
    expectTypeOf(graph.nodeN('TopK', [x], ['', 'indices'])).toEqualTypeOf<[Value, Value]>();
    expectTypeOf(graph.nodeN('Split', [x], Number(3))).toEqualTypeOf<Value[]>();
  });

  test('loses what no output needs, but not what a subgraph reads', () => {
    const graph = conditional();
    const unused = graph.node('Neg', [graph.initializer('unused', scalar(1))]);
    graph.node('Abs', [unused]);
    const initialX = tensor('float32', [2], new Float32Array(2));
    graph.replace({ initializers: new Map([...graph.initializers, ['x' as Value, initialX]]) });
    removeUnused(graph);
    expect(operators(graph)).toEqual(['Split', 'ReduceSum', 'Greater', 'If']);
    expect([...graph.initializers.keys()]).toEqual(['constant_0', 'x']);
    expect(graph.has(unused)).toBe(false);
    expect(graph.inputs).toHaveLength(1);
  });
});

const attributes: { readonly [T in AttributeType]: Attribute & { type: T } } = {
  float: { type: 'float', value: 0.5 },
  int: { type: 'int', value: -(2n ** 63n) },
  string: { type: 'string', value: 'größer' },
  tensor: { type: 'tensor', value: scalar(1) },
  graph: { type: 'graph', value: new Graph('inner') },
  floats: { type: 'floats', value: [0.5, Number.POSITIVE_INFINITY] },
  ints: { type: 'ints', value: [2n ** 63n - 1n, -1, 2 ** 53 - 1, -(2n ** 53n)] },
  strings: { type: 'strings', value: ['', 'a', Uint8Array.of(0xff)] },
  tensors: { type: 'tensors', value: [scalar(1), scalar(2)] },
  graphs: { type: 'graphs', value: [new Graph('one'), new Graph('two')] },
};

function samplesOf(type: DataType): TensorData {
  if (type === 'string') return { type, dims: [2, 1], data: ['', 'größer'] };
  const { array = Uint8Array, bits } = dataTypes[type];
  const bytes = Uint8Array.from({ length: Math.ceil((5 * bits) / 8) }, (_, index) => 17 * index + 1);
  const data = new array(bytes.buffer, 0, bytes.length / array.BYTES_PER_ELEMENT);
  return { type, dims: [5, 1], data } as TensorData;
}

/** The field of a type other than raw data, as a file without raw data fills it. */
function fieldOf({ type, data }: TensorData): StoredFields {
  if (type === 'float32' || type === 'complex64') return { float: data };
  if (type === 'float64' || type === 'complex128') return { double: data };
  if (type === 'int64') return { int64: data };
  if (type === 'uint64') return { uint64: data };
  if (type === 'uint32') return { uint64: BigUint64Array.from(data, BigInt) };
  if (type === 'string') return { string: data.map((text) => new TextEncoder().encode(text)) };
  return { int32: Int32Array.from(data) };
}

describe('a written model', () => {
  test('is read back equal', () => {
    const options = {
      producerName: 'p',
      producerVersion: '1',
      metadata: { b: '1', a: '' },
      domains: { test: 2 },
    };
    const model = readModel(writeModel(defineOnnxModel(conditional(), options)));
    expect(model).toMatchObject({ irVersion: 10, producerName: 'p', producerVersion: '1', functions: [] });
    expect([...model.opsets]).toEqual([
      ['', 21],
      ['test', 2],
    ]);
    expect([...model.metadata]).toEqual([
      ['b', '1'],
      ['a', ''],
    ]);
    const built = conditional();
    expect(model.graph.name).toBe('conditional');
    expect(model.graph.inputs).toEqual(built.inputs);
    expect(model.graph.outputs).toEqual(built.outputs);
    expect(model.graph.nodes.map(({ inputs, outputs, name }) => [inputs, outputs, name])).toEqual(
      built.nodes.map(({ inputs, outputs, name }) => [inputs, outputs, name]),
    );
    expect(model.graph.nodes[0]?.attributes).toEqual(built.nodes[0]?.attributes);
    const then = model.graph.nodes[3]?.attributes.get('then_branch');
    assert(then?.type === 'graph');
    expect(operators(then.value)).toEqual(['Mul']);
    expect(then.value.parent).toBe(model.graph);
  });

  test('goes on as a graph that can be built on', () => {
    const { graph } = readModel(writeModel(defineOnnxModel(conditional())));
    expect(graph.node('Split', ['y' as Value])).toBe('Split_2');
  });

  test.each(Object.keys(dataTypes) as DataType[])('keeps %s, in raw data or its own field', (type) => {
    const sample = samplesOf(type);
    const graph = new Graph('g');
    const raw = graph.initializer('raw', sample);
    const own = 'own' as Value;
    graph.replace({
      initializers: new Map([
        ...graph.initializers,
        [own, { type, dims: sample.dims, stored: fieldOf(sample) }],
      ]),
    });
    graph.input('i', type, [1, 'batch', '']);
    const read = readModel(writeModel(defineOnnxModel(graph))).graph;
    expect(read.inputs).toEqual(graph.inputs);
    const stored = read.initializers.get(raw);
    assert(stored);
    expect(tensorData(stored)).toEqual(sample);
    const other = read.initializers.get(own);
    assert(other && 'stored' in other);
    expect(Object.keys(other.stored)).toEqual(Object.keys(fieldOf(sample)));
    expect(tensorData(other)).toEqual(sample);
  });

  test.each(Object.keys(attributes) as AttributeType[])(
    'keeps an attribute of type %s byte for byte',
    (type) => {
      const graph = new Graph('g');
      graph.replace({
        nodes: [{ op: 'Any', inputs: [], outputs: [], attributes: new Map([['a', attributes[type]]]) }],
      });
      const bytes = writeModel(defineOnnxModel(graph));
      const model = readModel(bytes);
      const read = model.graph.nodes[0]?.attributes.get('a');
      assert(read && 'value' in read);
      expect(read.type).toBe(type);
      expect(writeModel(model)).toEqual(bytes);
    },
  );

  test.each(['float', 'int', 'string', 'floats', 'ints', 'strings'] as const)('keeps every %s', (type) => {
    const graph = new Graph('g');
    graph.node('Any', [], { a: attributes[type] });
    const read = readModel(writeModel(defineOnnxModel(graph))).graph.nodes[0];
    expect(read?.attributes.get('a')).toEqual(attributes[type]);
  });

  test('has the attributes that a builder means', () => {
    const graph = new Graph('g');
    graph.node('Any', [], {
      a: 1,
      b: 'text',
      c: [1, 2],
      d: ['x'],
      e: floats([1]),
      f: strings([]),
      g: undefined,
    });
    const types = Array.from(graph.nodes[0]?.attributes ?? [], ([name, { type }]) => `${name} ${type}`);
    expect(types).toEqual(['a int', 'b string', 'c ints', 'd strings', 'e floats', 'f strings']);
  });
});

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

test('the generated code is that of onnx.proto', () => {
  const output = mkdtempSync(join(tmpdir(), 'onnx-'));
  try {
    execFileSync(process.execPath, [path('../build/generate-onnx.mjs'), output]);
    for (const file of ['onnx.js', 'onnx.d.ts']) {
      const committed = readFileSync(path(`../schemas/onnx/generated/${file}`), 'utf8');
      expect(readFileSync(join(output, file), 'utf8') === committed, `npm run generate:onnx (${file})`).toBe(
        true,
      );
    }
  } finally {
    rmSync(output, { recursive: true });
  }
});
