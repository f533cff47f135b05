import type { Shape } from '../schemas/layer.ts';
import type { Graph, Value } from '../schemas/onnx/index.ts';
import { Sections } from './graph-sections.ts';
import type { States } from './graph-states.ts';
import type { Rounding } from './oracle.ts';
import { PackedWeights } from './packed-bits.ts';

interface SharedOptions {
  readonly round: Rounding;
  readonly time?: TimeAxis | undefined;
  readonly states?: States | undefined;
  readonly floats?: boolean;
  readonly unroll?: number | undefined;
}

/** What all parts of a graph share, the bodies of its loops too: weights, real parameters, and time. */
export class Shared {
  readonly weights: PackedWeights;
  readonly round: Rounding;
  readonly sections: Sections;
  /** Absent where the network has no time. */
  readonly time: TimeAxis | undefined;
  /** Absent where a graph sees whole sequences. */
  readonly states: States | undefined;
  /** Whether whole numbers are kept in float32, for kernels that know nothing else. */
  readonly floats: boolean;
  /** How many steps take the place of every loop, if they do. */
  readonly unroll: number | undefined;
  readonly #graph: Graph;
  readonly #real = new Map<Float32Array, Value>();

  constructor(graph: Graph, { round, time, states, floats = false, unroll }: SharedOptions) {
    this.#graph = graph;
    this.weights = new PackedWeights(graph, floats);
    this.sections = new Sections(graph);
    this.round = round;
    this.time = time;
    this.states = states;
    this.floats = floats;
    this.unroll = unroll;
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
  /** How many steps there are, [1]. */
  readonly times: Value;
  readonly #batch: Value;

  /** @param input [time, batch, …] */
  constructor(graph: Graph, input: Value) {
    this.times = graph.node('Shape', [input], { start: 0, end: 1 }, { output: 'times' });
    this.#batch = graph.node('Shape', [input], { start: 1, end: 2 }, { output: 'batch' });
  }

  /** Both axes as one. */
  folded(graph: Graph, sequence: Value, name: { output?: string } = {}): Value {
    const features = graph.node('Shape', [sequence], { start: 2 });
    const shape = graph.node('Concat', [rest(graph), features], { axis: 0 });
    return graph.node('Reshape', [sequence, shape], {}, name);
  }

  /** One axis as both. */
  unfolded(graph: Graph, rows: Value): Value {
    const features = graph.node('Shape', [rows], { start: 1 });
    return graph.node('Reshape', [
      rows,
      graph.node('Concat', [this.times, rest(graph), features], { axis: 0 }),
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
