import type { Shape } from '../schemas/layer.ts';
import type { Graph, Value } from '../schemas/onnx/index.ts';
import type { Rounding } from './oracle.ts';
import { PackedWeights } from './packed-bits.ts';

/** What all parts of a graph share, the bodies of its loops too: weights, real parameters, and time. */
export class Shared {
  readonly weights: PackedWeights;
  readonly round: Rounding;
  /** Absent where the network has no time. */
  readonly time: TimeAxis | undefined;
  readonly #graph: Graph;
  readonly #real = new Map<Float32Array, Value>();

  constructor(graph: Graph, round: Rounding, time?: TimeAxis) {
    this.#graph = graph;
    this.weights = new PackedWeights(graph);
    this.round = round;
    this.time = time;
  }

  /**
   * A real parameter. Members of an ensemble share what they have in common.
   *
   * @param arrange puts the numbers into the order of the shape, where theirs is another
   */
  real(name: string, shape: Shape, data: Float32Array, arrange = (given: Float32Array) => given): Value {
    const known = this.#real.get(data);
    if (known) return known;
    const value = this.#graph.initializer(name, { type: 'float32', dims: [...shape], data: arrange(data) });
    this.#real.set(data, value);
    return value;
  }
}

/** Any number of steps of any number of examples, as two axes, [time, batch, …], or as one, [time × batch, …]. */
export class TimeAxis {
  readonly #times: Value;
  readonly #batch: Value;

  /** @param input [time, batch, …] */
  constructor(graph: Graph, input: Value) {
    this.#times = graph.node('Shape', [input], { start: 0, end: 1 });
    this.#batch = graph.node('Shape', [input], { start: 1, end: 2 });
  }

  /** Both axes as one. */
  folded(graph: Graph, sequence: Value, output?: string): Value {
    const features = graph.node('Shape', [sequence], { start: 2 });
    const shape = graph.node('Concat', [rest(graph), features], { axis: 0 });
    return graph.node('Reshape', [sequence, shape], {}, output === undefined ? {} : { output });
  }

  /** One axis as both. */
  unfolded(graph: Graph, rows: Value): Value {
    const features = graph.node('Shape', [rows], { start: 1 });
    return graph.node('Reshape', [
      rows,
      graph.node('Concat', [this.#times, rest(graph), features], { axis: 0 }),
    ]);
  }

  /** Zeros for every example, [batch, …features]. */
  zeros(graph: Graph, features: Shape): Value {
    const sizes = graph.constant({
      type: 'int64',
      dims: [features.length],
      data: BigInt64Array.from(features, BigInt),
    });
    return graph.node('ConstantOfShape', [graph.node('Concat', [this.#batch, sizes], { axis: 0 })]);
  }
}

/** The size that Reshape finds by itself. */
const rest = (graph: Graph): Value =>
  graph.constant({ type: 'int64', dims: [1], data: BigInt64Array.of(-1n) });
