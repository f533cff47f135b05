import type { Attributes, Graph, TensorData, Value } from '../../../schemas/onnx/index.ts';

/** The types of tfjs that a traced step may use. */
export type TracedType = 'float32' | 'int32' | 'bool';

/** What is known of a tensor while tracing: a value of the graph, or the same number everywhere. */
export type Content =
  | { readonly kind: 'value'; readonly value: Value }
  | { readonly kind: 'splat'; readonly number: number };

/** A tensor that stands for a value of the graph. */
export interface Traced {
  readonly shape: readonly number[];
  readonly type: TracedType;
  readonly content: Content;
}

export const splat = (number: number, shape: readonly number[], type: TracedType): Traced => ({
  shape,
  type,
  content: { kind: 'splat', number: type === 'float32' ? Math.fround(number) : number },
});

/** The number a tensor holds everywhere, if it is known. */
export const splatOf = ({ content }: Traced): number | undefined =>
  content.kind === 'splat' ? content.number : undefined;

/** The same contents under another shape or type. */
export const as = (x: Traced, shape: readonly number[], type = x.type): Traced => ({ ...x, shape, type });

const scalars: Record<TracedType, (number: number) => TensorData> = {
  float32: (number) => ({ type: 'float32', dims: [], data: Float32Array.of(number) }),
  int32: (number) => ({ type: 'int32', dims: [], data: Int32Array.of(number) }),
  bool: (number) => ({ type: 'bool', dims: [], data: Uint8Array.of(number) }),
};

/** Writes a graph in which equal nodes are shared. */
export class Recorder {
  readonly graph: Graph;
  readonly #known = new Map<string, Value>();
  readonly #shapes = new Map<string, readonly number[]>();
  readonly #scalars = new Map<string, number>();

  constructor(graph: Graph) {
    this.graph = graph;
  }

  /** A node with one output, or the earlier node that computes the same. */
  node(op: string, inputs: readonly Value[], attributes: Attributes = {}): Value {
    const key = `${op}(${inputs.join()})${JSON.stringify(attributes)}`;
    const known = this.#known.get(key);
    if (known) return known;
    const value = this.graph.node(op, inputs, attributes);
    this.#known.set(key, value);
    return value;
  }

  /** A node whose result has the given shape and type. */
  traced(
    op: string,
    inputs: readonly Value[],
    attributes: Attributes,
    shape: readonly number[],
    type: TracedType,
  ): Traced {
    const value = this.node(op, inputs, attributes);
    this.#shapes.set(value, shape);
    return { shape, type, content: { kind: 'value', value } };
  }

  /** The tensor as a value of its full shape. */
  value({ content, shape, type }: Traced): Value {
    if (content.kind === 'value') return content.value;
    const scalar = this.scalar(content.number, type);
    return shape.length === 0 ? scalar : this.node('Expand', [scalar, this.integers(shape)]);
  }

  /** The tensor as a value that broadcasts to its shape: cheaper where it holds one number everywhere. */
  broadcastable({ content, type }: Traced): Value {
    return content.kind === 'value' ? content.value : this.scalar(content.number, type);
  }

  scalar(number: number, type: TracedType): Value {
    const value = this.graph.constant(scalars[type](number));
    this.#scalars.set(value, number);
    return value;
  }

  /** The shape of a value that a kernel computed. */
  shape(value: string): readonly number[] | undefined {
    return this.#shapes.get(value);
  }

  /** The number of a scalar constant. */
  scalarOf(value: string): number | undefined {
    return this.#scalars.get(value);
  }

  /** A list of integers, as ONNX wants shapes and axes. */
  integers(list: readonly number[]): Value {
    return this.graph.constant({
      type: 'int64',
      dims: [list.length],
      data: BigInt64Array.from(list, BigInt),
    });
  }
}
