import { describe, expect, it } from 'vitest';
import { isNumberType, type Numbers, numbersOf, Reference } from '../export/reference/index.ts';
import {
  type Attributes,
  defineOnnxModel,
  float,
  floats,
  Graph,
  type Model,
  readModel,
  reference,
  type TensorData,
  type Value,
  writeModel,
} from '../schemas/onnx/index.ts';
import { Random } from '../schemas/random.ts';
import { lineOf } from './support/error-line.ts';
import { conditional, runningSum } from './support/onnx-graphs.ts';
import { answersOfOnnxruntime, isClose } from './support/onnx-testdata.ts';

const floatsOf = (dims: number[], ...data: number[]): TensorData => ({
  type: 'float32',
  dims,
  data: Float32Array.from(data),
});
const int64s = (...data: number[]): TensorData => ({
  type: 'int64',
  dims: [data.length],
  data: BigInt64Array.from(data, BigInt),
});
const bytes = (dims: number[], ...data: number[]): TensorData => ({
  type: 'uint8',
  dims,
  data: Uint8Array.from(data),
});
const int8s = (dims: number[], ...data: number[]): TensorData => ({
  type: 'int8',
  dims,
  data: Int8Array.from(data),
});
const scalar = (value: number): TensorData => floatsOf([], value);

const random = Random.fromSeed(1, 'reference');
/** Multiples of ½, so that there are ties and halves to round. */
const halves = (...dims: number[]): TensorData =>
  floatsOf(
    dims,
    ...Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => random.nextBelow(13) / 2 - 3),
  );
const someBytes = (...dims: number[]): TensorData =>
  bytes(dims, ...Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => random.nextBelow(256)));

/** A model of one node, all of whose inputs are inputs of the graph. */
function modelOf(op: string, inputs: readonly TensorData[], attributes: Attributes = {}, outputs = 1): Model {
  const graph = new Graph('g');
  const fed = inputs.map(({ type, dims }, index) => graph.input(`x${index}`, type, dims));
  for (const value of graph.nodeN(op, fed, outputs, attributes)) graph.output(value);
  return defineOnnxModel(graph);
}

const asTensor = ({ type, dims, data }: Numbers): TensorData =>
  ({
    type,
    dims,
    data: type === 'int64' ? BigInt64Array.from(Array.from(data), BigInt) : data,
  }) as TensorData;

function run(model: Model, inputs: readonly TensorData[]): Numbers[] {
  const { graph } = readModel(writeModel(model));
  const feeds = Object.fromEntries(
    graph.inputs.map(({ name }, index) => [name, numbersOf(inputs[index]!, name)]),
  );
  const names = graph.outputs.map(({ name }) => name);
  const found = new Reference(readModel(writeModel(model))).run(feeds, names);
  return names.map((name) => found[name]!);
}

type Node = readonly [op: string, inputs: readonly TensorData[], attributes?: Attributes, outputs?: number];

const plane = halves(2, 3, 6, 5);
const filters = halves(4, 3, 3, 3);
const signs = int8s([6, 4], ...Array.from({ length: 24 }, () => (random.nextBelow(2) ? 1 : -1)));

const nodes: readonly Node[] = [
  ...['Add', 'Sub', 'Mul', 'Max', 'Min', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Equal'].map(
    (op): Node => [op, [halves(2, 1, 3), halves(4, 1)]],
  ),
  ['Div', [halves(3, 4), floatsOf([4], 3, -7, 0.1, 255)]],
  ['Div', [int64s(7, -7, 9), int64s(2, 2, -4)]],
  ['Mod', [int64s(7, -7, 9), int64s(3, 3, -4)]],
  ['Pow', [halves(3), scalar(2)]],
  ...['Neg', 'Abs', 'Sign', 'Floor', 'Ceil', 'Round', 'Relu', 'Exp', 'Tanh', 'Sigmoid', 'Softplus'].map(
    (op): Node => [op, [halves(3, 5)]],
  ),
  ['Sqrt', [floatsOf([3], 2, 0, 0.1)]],
  ['Clip', [halves(9), scalar(-1), scalar(1.5)]],
  ['Cast', [halves(9)], { to: 6 }],
  ['Cast', [floatsOf([3], 0, -0.5, 7)], { to: 9 }],
  ['Where', [{ type: 'bool', dims: [3, 1], data: Uint8Array.of(1, 0, 1) }, halves(1, 4), halves(3, 4)]],
  ['MatMul', [halves(2, 3, 5), halves(5, 4)]],
  ['MatMul', [halves(5), halves(2, 5, 4)]],
  [
    'Gemm',
    [halves(5, 3), halves(4, 5), halves(4)],
    { transA: 1, transB: 1, alpha: float(0.5), beta: float(2) },
  ],
  ['MatMulInteger', [someBytes(3, 6), signs, bytes([], 7)]],
  ['Conv', [plane, filters, halves(4)], { pads: [1, 0, 2, 1], strides: [2, 1] }],
  ['Conv', [plane, halves(6, 1, 3, 3)], { group: 3, dilations: [2, 1] }],
  ['Conv', [plane, filters], { auto_pad: 'SAME_UPPER', strides: [2, 2] }],
  ['Conv', [plane, filters], { auto_pad: 'SAME_LOWER', strides: [2, 2] }],
  [
    'ConvInteger',
    [someBytes(1, 2, 5, 5), someBytes(3, 2, 3, 3), bytes([], 0), bytes([], 1)],
    { pads: [1, 1, 1, 1] },
  ],
  ['MaxPool', [plane], { kernel_shape: [3, 2], strides: [2, 2], ceil_mode: 1 }],
  ['AveragePool', [plane], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }],
  ['AveragePool', [plane], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 1 }],
  ['GlobalAveragePool', [plane]],
  ['QuantizeLinear', [halves(20), scalar(1), bytes([], 3)]],
  ['QuantizeLinear', [halves(2, 4), floatsOf([4], 0.5, 1, 2, 1 / 512), int8s([4], 0, 1, -5, 9)], { axis: 1 }],
  ['DequantizeLinear', [someBytes(2, 3), floatsOf([3], 0.1, 1, 2), bytes([3], 0, 128, 255)], { axis: 1 }],
  ['ReduceSum', [halves(2, 3, 4), int64s(1, -1)], { keepdims: 0 }],
  ['ReduceSum', [halves(2, 3), int64s()], { noop_with_empty_axes: 1 }],
  ['ReduceMean', [halves(2, 3, 4), int64s(0)]],
  ['ReduceMax', [halves(2, 3, 4), int64s(2)], { keepdims: 0 }],
  ['ReduceMin', [halves(2, 3, 4)]],
  ['Softmax', [halves(2, 5)], { axis: 0 }],
  ['LogSoftmax', [halves(2, 5)]],
  ['ArgMax', [halves(3, 7)], { axis: 1, keepdims: 0 }],
  ['ArgMax', [halves(3, 7)], { axis: 1, select_last_index: 1 }],
  [
    'CumSum',
    [halves(3, 4), { type: 'int64', dims: [], data: BigInt64Array.of(1n) }],
    { reverse: 1, exclusive: 1 },
  ],
  ['Shape', [halves(2, 3, 4)], { start: 1 }],
  ['Size', [halves(2, 3, 4)]],
  ['Reshape', [halves(2, 6), int64s(0, -1, 2)]],
  ['Flatten', [halves(2, 3, 4)], { axis: 2 }],
  ['Transpose', [halves(2, 3, 4)], { perm: [2, 0, 1] }],
  ['Squeeze', [halves(1, 3, 1), int64s(-1)]],
  ['Unsqueeze', [halves(3, 2), int64s(0, -1)]],
  ['Concat', [halves(2, 1, 2), halves(2, 3, 2)], { axis: -2 }],
  ['Slice', [halves(5, 6), int64s(-1, 1), int64s(-100, 5), int64s(0, 1), int64s(-2, 2)]],
  ['Split', [halves(2, 7)], { axis: 1, num_outputs: 3 }, 3],
  ['Gather', [halves(4, 3), int64s(-1, 0)], { axis: 0 }],
  ['Expand', [halves(3, 1), int64s(2, 1, 4)]],
  ['Tile', [halves(2, 3), int64s(2, 2)]],
  ['Pad', [halves(2, 3), int64s(1, 0, 0, 2), scalar(9)]],
  ['Range', [scalar(1), scalar(4.5), scalar(1)]],
  ['ConstantOfShape', [int64s(2, 3)], { value: floatsOf([1], 7) }],
  ['Constant', [], { value_floats: floats([1, 2]) }],
];

const exact = (...[op, inputs, attributes]: Node): boolean =>
  run(modelOf(op, inputs, attributes), inputs)[0]!.exact;

const refuse = (op: string, inputs: readonly TensorData[], attributes?: Attributes): Promise<string> =>
  lineOf(() => run(modelOf(op, inputs, attributes), inputs));

describe('the reference', () => {
  it.each(nodes.map((node, index) => [`${node[0]} (${index})`, node] as const))(
    'computes %s as onnxruntime does',
    async (_, [op, inputs, attributes, outputs]) => {
      const model = modelOf(op, inputs, attributes, outputs);
      const expected = await answersOfOnnxruntime(writeModel(model), inputs);
      expect(expected).toBeDefined();
      run(model, inputs).forEach((value, index) => {
        expect(isClose(asTensor(value), expected![index]!)).toBe(true);
      });
    },
  );

  it('runs graphs inside of nodes', async () => {
    for (const graph of [runningSum(), conditional()]) {
      const model = readModel(writeModel(defineOnnxModel(graph)));
      const inputs = model.graph.inputs.map(({ type, dims }) => sample(type, dims));
      const expected = await answersOfOnnxruntime(writeModel(model), inputs);
      expect(expected).toBeDefined();
      run(model, inputs).forEach((value, index) => {
        expect(isClose(asTensor(value), expected![index]!)).toBe(true);
      });
    }
  });

  it('runs functions, with attributes of their call and of their own', async () => {
    const body = new Graph('scaled');
    const x = body.input('x');
    const alpha = body.node('Constant', [], { value_float: reference('alpha', 'float') });
    const beta = body.node('Constant', [], { value_float: reference('beta', 'float') });
    body.output(body.node('Add', [body.node('Mul', [x, alpha]), beta]));
    const graph = new Graph('g');
    const input = graph.input('x', 'float32', [3]);
    const call = graph.node('Scaled', [input], { alpha: float(3) }, { domain: 'own' });
    graph.output(
      graph.node('Scaled', [call], { alpha: float(2), beta: float(1) }, { domain: 'own' }),
      'float32',
      [3],
    );
    const scaled = {
      domain: 'own',
      name: 'Scaled',
      body,
      attributes: ['alpha'],
      defaults: new Map([['beta', float(-1)]]),
      opsets: new Map([['', 21]]),
    };
    const model = defineOnnxModel(graph, { functions: [scaled], domains: { own: 1 } });
    const inputs = [floatsOf([3], 1, 2, -4)];
    const expected = [1, 2, -4].map((value) => (value * 3 - 1) * 2 + 1);
    expect(Array.from(run(model, inputs)[0]!.data)).toEqual(expected);
    expect(
      Array.from((await answersOfOnnxruntime(writeModel(model), inputs))![0]!.data as Float32Array),
    ).toEqual(expected);
  });

  it('knows what leaves no choice', () => {
    expect(exact('MatMul', [halves(2, 5), halves(5, 3)])).toBe(true);
    expect(exact('MatMul', [floatsOf([1, 2], 0.1, 1), halves(2, 3)])).toBe(false);
    // 2¹² · 2¹¹ · 2 is 2²⁴, and no float32 holds all numbers up to there and one more.
    expect(exact('MatMul', [floatsOf([1, 2], 4096, 1), floatsOf([2, 1], 2048, 1)])).toBe(false);
    expect(exact('MatMul', [floatsOf([1, 2], 4096, 1), floatsOf([2, 1], 2047, 1)])).toBe(true);
    expect(exact('Gemm', [halves(2, 3), halves(3, 2), floatsOf([1], 2 ** 24)])).toBe(false);
    expect(exact('Mul', [floatsOf([1], 0.1), floatsOf([1], 0.3)])).toBe(true);
    expect(exact('Exp', [halves(2)])).toBe(false);
    expect(exact('ReduceMean', [halves(3, 2)])).toBe(false);
    expect(exact('ReduceSum', [halves(3, 2)])).toBe(true);
    expect(exact('ReduceSum', [floatsOf([2], 0.1, 0.2)])).toBe(false);
  });

  it('knows what rounding settles', () => {
    const graph = new Graph('g');
    const x = graph.input('x', 'float32', [2, 4]);
    const mean = graph.node('ReduceMean', [x, graph.constant(int64s(1))]);
    graph.output(graph.node('Mul', [mean, graph.constant(scalar(4))]));
    const [times] = graph.outputs.map(({ name }) => name as Value);
    graph.output(graph.node('Round', [times!]));
    const model = defineOnnxModel(graph);
    const exactOf = (...data: number[]) =>
      run(model, [floatsOf([2, 4], ...data)]).map((value) => value.exact);
    expect(exactOf(1, 2, 3, 4, 5, 6, 7, 8)).toEqual([false, true]);
    expect(exactOf(1, 2, 3, 4, 5, 6, 7, 8.4)).toEqual([false, false]);
  });

  it('refuses what it does not know, and what would take too much', async () => {
    expect(await refuse('LSTM', [halves(1)])).toMatch(/\(LSTM\): the reference does not know this operator/);
    expect(await refuse('ConstantOfShape', [int64s(2 ** 30, 2 ** 15)])).toMatch(/35184372088832 numbers/);
    expect(await refuse('Expand', [halves(1), int64s(2 ** 45)])).toMatch(/numbers/);
    expect(await refuse('MatMul', [halves(2, 3), halves(4, 2)])).toMatch(/have no matrix product/);
    expect(await refuse('Add', [halves(2), halves(3)])).toMatch(/do not broadcast/);
    expect(await refuse('Reshape', [halves(4), int64s(3)])).toMatch(/cannot become \[3\]/);
    expect(await refuse('Gather', [halves(4), int64s(4)])).toMatch(/outside 0 … 3/);
    const body = new Graph('endless');
    body.output(body.node('Endless', [body.input('x')], {}, { domain: 'own' }));
    const graph = new Graph('g');
    graph.output(graph.node('Endless', [graph.input('x', 'float32', [1])], {}, { domain: 'own' }));
    const endless = {
      domain: 'own',
      name: 'Endless',
      body,
      attributes: [],
      defaults: new Map(),
      opsets: new Map([['', 21]]),
    };
    const model = defineOnnxModel(graph, { functions: [endless], domains: { own: 1 } });
    expect(await lineOf(() => run(model, [halves(1)]))).toMatch(/more than 64 graphs and functions deep/);
  });
});

/** Numbers of a type and shape, 3 for a size that has a name. */
function sample(type: string | undefined, dims: readonly (number | string)[] = []): TensorData {
  const sizes = dims.map((size) => (typeof size === 'number' ? size : 3));
  const length = sizes.reduce((product, size) => product * size, 1);
  expect(isNumberType(type)).toBe(true);
  if (type === 'bool') return { type, dims: sizes, data: new Uint8Array(length).fill(1) };
  if (type === 'int64') return { type, dims: sizes, data: new BigInt64Array(length).fill(1n) };
  return floatsOf(sizes, ...Array.from({ length }, (_, index) => index - 1));
}
