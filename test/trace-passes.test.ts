import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { onnxruntime, openSession } from '../runtime/session.ts';
import { sizeOf } from '../schemas/layer.ts';
import {
  defineOnnxModel,
  Graph,
  type Node,
  readModel,
  removeUnused,
  type TensorData,
  tensor,
  type Value,
  writeModel,
} from '../schemas/onnx/index.ts';
import { Random } from '../schemas/random.ts';
import { lengthened } from '../train/engine/trace/kernels/lengthened.ts';
import { order } from '../train/engine/trace/order.ts';
import { Recorder } from '../train/engine/trace/recorder.ts';
import { dropUnreadSlices } from '../train/engine/trace/slices.ts';
import { traceStep } from '../train/engine/trace/trace.ts';
import type { Shapes, Tensors } from '../train/step.ts';
import { gaussians, relativeDifference } from './support/numbers.ts';
import { runEagerly, runTraced, stepOfFunction } from './support/training.ts';

const zero: TensorData = tensor('float32', [], Float32Array.of(0));
const producers = (graph: Graph): string[] => graph.nodes.flatMap(({ outputs }) => outputs);

/** What a graph gives for what it is fed, by the names of its outputs. */
async function runGraph(
  graph: Graph,
  feeds: Readonly<Record<string, readonly [Float32Array, readonly number[]]>>,
): Promise<Record<string, number[]>> {
  const { Tensor } = await onnxruntime();
  const session = await openSession(writeModel(defineOnnxModel(graph, { producerName: 'test' })));
  const inputs = Object.entries(feeds).map(([name, [data, dims]]) => [
    name,
    new Tensor('float32', data, [...dims]),
  ]);
  const results = await session.run(Object.fromEntries(inputs));
  const numbers = Object.entries(results).map(([name, { data }]): [string, number[]] => [
    name,
    Array.from(data as Float32Array),
  ]);
  await session.release();
  return Object.fromEntries(numbers);
}

describe('the order of nodes', () => {
  test('puts each behind what it and its body read', () => {
    const graph = new Graph('late');
    const x = graph.input('x', 'float32', [4]);
    const late = graph.node('Exp', [x], {}, { output: 'late' });
    const body = new Graph('body', graph);
    const [state, slice] = [body.input('state', 'float32', []), body.input('slice', 'float32', [])];
    const next = body.node('Add', [body.node('Add', [state, slice]), late]);
    body.output(next, 'float32', []);
    graph.nodeN('Scan', [graph.constant(zero), x], ['last'], { body, num_scan_inputs: 1 });
    graph.node('Tanh', ['last' as Value], {}, { output: 'y' });
    const [exp, scan, tanh] = graph.nodes as [Node, Node, Node];
    graph.replace({ nodes: [tanh, scan, exp] });
    order(graph);
    expect(producers(graph)).toEqual(['late', 'last', 'y']);
  });

  test('stays where it is one already', () => {
    const graph = new Graph('ordered');
    const x = graph.input('x', 'float32', [4]);
    const names = ['c', 'a', 'b'];
    for (const name of names) graph.node('Exp', [x], {}, { output: name });
    order(graph);
    expect(producers(graph)).toEqual(names);
  });
});

/** y_t = y_{t+1} + read_t backwards in time, beside sequences that nothing reads. */
function scanning(): Graph {
  const graph = new Graph('scanning');
  const sequences = ['first', 'read', 'last'].map((name) => graph.input(name, 'float32', [3]));
  const body = new Graph('body', graph);
  const state = body.input('state', 'float32', []);
  const [, slice] = sequences.map((name) => body.input(`${name}.slice`, 'float32', []));
  const next = body.node('Add', [state, slice!]);
  body.output(next, 'float32', []);
  body.output(body.node('Identity', [next]), 'float32', []);
  graph.nodeN('Scan', [graph.constant(zero), ...sequences], ['end', 'y'], {
    body,
    num_scan_inputs: 3,
    scan_input_directions: [0, 1, 0],
    scan_output_directions: [1],
  });
  graph.output('y' as Value, 'float32', [3]);
  return graph;
}

describe('sequences of a Scan that its body reads no slice of', () => {
  test('are taken away, and the others keep their direction', async () => {
    const graph = scanning();
    dropUnreadSlices(graph);
    removeUnused(graph);
    const [scan] = graph.nodes as [Node];
    expect(scan.inputs.slice(1)).toEqual(['read']);
    const told = (name: string) =>
      [(scan.attributes.get(name) as { value: unknown }).value].flat().map(Number);
    expect(told('num_scan_inputs')).toEqual([1]);
    expect(told('scan_input_directions')).toEqual([1]);
    graph.replace({ inputs: graph.inputs.filter(({ name }) => name === 'read') });
    const { y } = await runGraph(graph, { read: [Float32Array.of(1, 2, 4), [3]] });
    expect(y).toEqual([7, 6, 4]);
  });

  test('a Scan that reads all of them is left as it is', () => {
    const graph = scanning();
    dropUnreadSlices(graph);
    const before = graph.nodes;
    dropUnreadSlices(graph);
    expect(graph.nodes).toEqual(before);
  });
});

describe('an operator on all times', () => {
  const [TIMES, SLICE] = [3, [2, 4]];
  const binary = { shapes: [SLICE, SLICE], lists: [] };
  const unary = { shapes: [SLICE], lists: [] };
  /** Shapes of slices that each operator is tried on, and its second operand where that is a list. */
  const cases: Record<string, readonly { shapes: readonly number[][]; lists: readonly number[][] }[]> = {
    Add: [binary, { shapes: [SLICE, [2, 1]], lists: [] }],
    Sub: [binary],
    Mul: [binary, { shapes: [[1, 4], SLICE], lists: [] }],
    Div: [binary],
    Sqrt: [unary],
    Exp: [unary],
    ReduceSum: [
      { shapes: [SLICE], lists: [[1]] },
      { shapes: [[2, 3, 2]], lists: [[0, 2]] },
    ],
    Reshape: [
      { shapes: [SLICE], lists: [[4, 2]] },
      { shapes: [SLICE], lists: [[8]] },
    ],
  };

  test('every operator of the table has cases', () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(lengthened).sort());
  });

  const random = Random.fromSeed(5, 'lengthened');
  const all = Object.entries(cases).flatMap(([op, list]) =>
    list.flatMap(({ shapes, lists }) => [0, 1].map((keepdims) => ({ op, shapes, lists, keepdims }))),
  );
  test.each(all)('$op of $shapes, $lists, keepdims $keepdims, is it at every time', async (given) => {
    const { op, shapes, lists, keepdims } = given;
    const recorder = new Recorder(new Graph('times'));
    const { graph } = recorder;
    const sequences = shapes.map((shape, index) => graph.input(`x${index}`, 'float32', [TIMES, ...shape]));
    const attributes = op === 'ReduceSum' ? { keepdims } : {};
    const second = lists.map((list) => recorder.integers(list));
    const slicesAt = (time: number) =>
      sequences.map((sequence) => graph.node('Gather', [sequence, recorder.scalar(time, 'int32')]));
    const found = lengthened[op]!(recorder, [...slicesAt(0), ...second], shapes, attributes, TIMES);

    const [first, ...others] = sequences;
    const operands = found?.second === undefined ? [first!, ...others] : [first!, found.second];
    graph.output(graph.node(op, operands, attributes, { output: 'whole' }), 'float32');
    for (let time = 0; time < TIMES; time++) {
      const at = graph.node(op, [...slicesAt(time), ...second], attributes, { output: `at${time}` });
      graph.output(at, 'float32');
    }
    const data = shapes.map((shape) => gaussians(TIMES * sizeOf(shape), random).map(Math.abs));
    const feeds = shapes.map((shape, index) => [`x${index}`, [data[index]!, [TIMES, ...shape]]] as const);
    const { whole, ...each } = await runGraph(graph, Object.fromEntries(feeds));
    const apart = [each.at0!, each.at1!, each.at2!].flat();
    expect(relativeDifference(whole!, apart)).toBeLessThan(1e-6);
    expect(TIMES * sizeOf(found!.shape)).toBe(whole!.length);
  });

  test('is not taken with axes or a shape that are unknown', () => {
    const recorder = new Recorder(new Graph('times'));
    const [x, axes] = [recorder.input([2, 4], 'x'), recorder.input([1], 'axes')];
    const operands = [recorder.value(x), recorder.value(axes)];
    for (const op of ['ReduceSum', 'Reshape']) {
      expect(lengthened[op]!(recorder, operands, [[2, 4], [1]], {}, TIMES)).toBeUndefined();
    }
  });
});

describe('what is added to a convolution', () => {
  const feeds: Shapes = {
    x: [2, 4, 5, 9],
    few: [3, 3, 9, 4],
    many: [3, 3, 9, 33],
    row: [4],
    broad: [33],
    one: [1],
    plane: [2, 4, 5, 4],
  };
  type Named = Readonly<Record<string, tf.Tensor>>;
  const sums: Record<string, { of: (x: Named) => tf.Tensor; added: boolean }> = {
    'a number per filter': { of: (x) => tf.add(conv(x, 'few'), x.row!), added: true },
    'a number per filter of many': { of: (x) => tf.add(conv(x, 'many'), x.broad!), added: true },
    'one number': { of: (x) => tf.add(x.one!, conv(x, 'few')), added: true },
    'one number for many': { of: (x) => tf.add(conv(x, 'many'), x.one!), added: true },
    'a plane': { of: (x) => tf.add(conv(x, 'few'), x.plane!), added: false },
    'what is read elsewhere too': {
      of: (x) => tf.mul(tf.add(conv(x, 'few'), x.row!), conv(x, 'few')),
      added: false,
    },
  };
  const conv = (x: Named, filter: string): tf.Tensor =>
    tf.conv2d(x.x as tf.Tensor4D, x[filter] as tf.Tensor4D, 1, 'same');
  const random = Random.fromSeed(6, 'sums');
  const data = Object.fromEntries(
    Object.entries(feeds).map(([name, shape]) => [name, gaussians(sizeOf(shape), random)]),
  );

  test.each(Object.entries(sums))('%s', async (_name, { of, added }) => {
    const step = stepOfFunction(feeds, (x: Tensors) => ({ y: of(x) }));
    const { bytes } = await traceStep(step, { reports: ['y'] });
    const ops = readModel(bytes, 'the trace').graph.nodes.map(({ op }) => op);
    expect(!ops.includes('Add')).toBe(added);
    const expected = await runEagerly(step, {}, data);
    const actual = await runTraced(step, {}, data, { reports: ['y'] });
    expect(relativeDifference(actual.reports.y!, expected.reports.y!)).toBeLessThan(2e-6);
  });
});
