import { Graph, type TensorData, tensor } from '../../schemas/onnx/index.ts';

export const scalar = (value: number): TensorData => tensor('float32', [], Float32Array.of(value));

/** y = x > 0 in sum ? 2x : the larger half of x, halves being [1]. */
export function conditional(): Graph {
  const graph = new Graph('conditional');
  const x = graph.input('x', 'float32', [2]);
  const [first, second] = graph.nodeN('Split', [x], 2, { axis: 0, num_outputs: 2 });
  const total = graph.node('ReduceSum', [x], { keepdims: 0 });
  const isPositive = graph.node('Greater', [total, graph.constant(scalar(0))]);

  const then = new Graph('then', graph);
  then.output(then.node('Mul', [x, then.constant(scalar(2))]), 'float32', ['length']);
  const otherwise = new Graph('otherwise', graph);
  otherwise.output(otherwise.node('Max', [first, second]), 'float32', ['length']);

  const y = graph.node('If', [isPositive], { then_branch: then, else_branch: otherwise }, { output: 'y' });
  graph.output(y, 'float32', ['length']);
  return graph;
}

/** The running sums of x, an array of one axis. */
export function runningSum(): Graph {
  const graph = new Graph('running-sum');
  const x = graph.input('x', 'float32', ['time']);
  const body = new Graph('step', graph);
  const sum = body.input('sum', 'float32', []);
  const next = body.input('next', 'float32', []);
  const result = body.node('Add', [sum, next]);
  body.output(result, 'float32', []);
  body.output(body.node('Identity', [result]), 'float32', []);
  const [last, sums] = graph.nodeN('Scan', [graph.constant(scalar(0)), x], ['last', 'sums'], {
    body,
    num_scan_inputs: 1,
  });
  graph.output(last, 'float32', []);
  graph.output(sums, 'float32', ['time']);
  return graph;
}
