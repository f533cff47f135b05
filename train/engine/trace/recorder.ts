import { type Attributes, Graph, type TensorData, type Value } from '../../../schemas/onnx/index.ts';

/** The types of tfjs that a traced step may use. */
export type TracedType = 'float32' | 'int32' | 'bool';

/**
 * What is known of a tensor while tracing: a value of the graph times a number, or the same number everywhere.
 *
 * The number is carried along through products, quotients and sums until something needs the tensor itself. Most
 * numbers end in a matrix product, whose scale costs nothing, or in something small.
 */
export type Content =
  | { readonly kind: 'value'; readonly value: Value; readonly factor: number }
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

/** The tensor that a value of the graph is. */
export const tracedValue = (value: Value, shape: readonly number[], type: TracedType): Traced => ({
  shape,
  type,
  content: { kind: 'value', value, factor: 1 },
});

/** The number a tensor holds everywhere, if it is known. */
export const splatOf = ({ content }: Traced): number | undefined =>
  content.kind === 'splat' ? content.number : undefined;

/** The same contents under another shape or type. */
export const as = (x: Traced, shape: readonly number[], type = x.type): Traced => ({ ...x, shape, type });

/** The number that is carried along with a tensor. */
export const factorOf = ({ content }: Traced): number => (content.kind === 'value' ? content.factor : 1);

/** The tensor without the number that is carried along. */
export const unscaled = (x: Traced): Traced =>
  x.content.kind === 'value' ? { ...x, content: { ...x.content, factor: 1 } } : x;

/** The tensor times a number, which is carried along. */
export const scaled = (x: Traced, factor: number): Traced =>
  x.content.kind === 'value'
    ? { ...x, content: { ...x.content, factor: x.content.factor * factor } }
    : splat(x.content.number * factor, x.shape, x.type);

const scalars: Record<TracedType, (number: number) => TensorData> = {
  float32: (number) => ({ type: 'float32', dims: [], data: Float32Array.of(number) }),
  int32: (number) => ({ type: 'int32', dims: [], data: Int32Array.of(number) }),
  bool: (number) => ({ type: 'bool', dims: [], data: Uint8Array.of(number) }),
};

interface Maker {
  readonly op: string;
  readonly inputs: readonly Value[];
}

/** Writes a graph in which equal nodes are shared. */
export class Recorder {
  readonly graph: Graph;
  readonly #known = new Map<string, Value>();
  readonly #shapes = new Map<string, readonly number[]>();
  readonly #scalars = new Map<string, number>();
  /** What made each value. */
  readonly #makers = new Map<string, Maker>();
  /** The recorder of the graph around, where this one writes the body of a loop. */
  readonly #parent: Recorder | undefined;
  /** Values of the graph that are not of the one around: its inputs and what its nodes make. */
  readonly #own = new Set<string>();
  #bodies = 0;
  #inputs = 0;

  constructor(graph: Graph, parent?: Recorder) {
    this.graph = graph;
    this.#parent = parent;
  }

  /** Writes the body of a loop, which sees the values of this graph. */
  body(): Recorder {
    return new Recorder(new Graph(`${this.graph.name}.body${this.#bodies++}`, this.graph), this);
  }

  /** A further input of the graph. */
  input(shape: readonly number[]): Traced {
    const value = this.graph.input(`${this.graph.name}.input${this.#inputs++}`, 'float32', shape);
    this.#own.add(value);
    this.#shapes.set(value, shape);
    return tracedValue(value, shape, 'float32');
  }

  /** A node with several outputs of these shapes. */
  nodes(
    op: string,
    inputs: readonly Value[],
    attributes: Attributes,
    shapes: readonly (readonly number[])[],
  ): Traced[] {
    return this.graph.nodeN(op, inputs, shapes.length, attributes).map((value, index) => {
      const shape = shapes[index] as readonly number[];
      this.#own.add(value);
      this.#shapes.set(value, shape);
      return tracedValue(value, shape, 'float32');
    });
  }

  /** A node with one output, or the earlier node that computes the same. */
  node(op: string, inputs: readonly Value[], attributes: Attributes = {}): Value {
    // What is the same at every step is computed once, before the loop.
    if (this.#parent && !inputs.some((input) => this.#own.has(input)))
      return this.#parent.node(op, inputs, attributes);
    const key = `${op}(${inputs.join()})${JSON.stringify(attributes)}`;
    const known = this.#known.get(key);
    if (known) return known;
    const value = this.graph.node(op, inputs, attributes);
    this.#known.set(key, value);
    this.#makers.set(value, { op, inputs });
    this.#own.add(value);
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
    return tracedValue(value, shape, type);
  }

  /** The tensor as a value of its full shape. */
  value({ content, shape, type }: Traced): Value {
    if (content.kind === 'value') return this.#times(content.value, content.factor);
    const scalar = this.scalar(content.number, type);
    return shape.length === 0 ? scalar : this.node('Expand', [scalar, this.integers(shape)]);
  }

  /** The tensor as a value that broadcasts to its shape: cheaper where it holds one number everywhere. */
  broadcastable({ content, type }: Traced): Value {
    return content.kind === 'value'
      ? this.#times(content.value, content.factor)
      : this.scalar(content.number, type);
  }

  /**
   * A value times a number. Where the value is a matrix product times something, the number goes to the matrix
   * product, which `fuseProducts` then makes it part of.
   */
  #times(value: Value, factor: number): Value {
    if (factor === 1) return value;
    const { op, inputs: [a, b] = [] } = this.#maker(value) ?? {};
    const isProduct = (of: Value | undefined) => of !== undefined && this.#maker(of)?.op === 'Gemm';
    let inputs = [value, this.scalar(Math.fround(factor), 'float32')];
    if (op === 'Mul' && a && b && isProduct(a)) inputs = [this.#times(a, factor), b];
    else if (op === 'Mul' && a && b && isProduct(b)) inputs = [a, this.#times(b, factor)];
    const made = this.node('Mul', inputs);
    const shape = this.shape(value);
    if (shape) this.#shapes.set(made, shape);
    return made;
  }

  /** Numbers that are part of the graph. */
  tensor(data: Float32Array, shape: readonly number[]): Traced {
    if (this.#parent) return this.#parent.tensor(data, shape);
    const value = this.graph.constant({ type: 'float32', dims: [...shape], data });
    this.#shapes.set(value, shape);
    return tracedValue(value, shape, 'float32');
  }

  scalar(number: number, type: TracedType): Value {
    if (this.#parent) return this.#parent.scalar(number, type);
    const value = this.graph.constant(scalars[type](number));
    this.#scalars.set(value, number);
    return value;
  }

  /** The shape of a value that a kernel computed. */
  shape(value: string): readonly number[] | undefined {
    return this.#shapes.get(value) ?? this.#parent?.shape(value);
  }

  /** The number of a scalar constant. */
  scalarOf(value: string): number | undefined {
    return this.#scalars.get(value) ?? this.#parent?.scalarOf(value);
  }

  /** A list of integers, as ONNX wants shapes and axes. */
  integers(list: readonly number[]): Value {
    if (this.#parent) return this.#parent.integers(list);
    return this.graph.constant({
      type: 'int64',
      dims: [list.length],
      data: BigInt64Array.from(list, BigInt),
    });
  }

  #maker(value: string): Maker | undefined {
    return this.#makers.get(value) ?? (this.#parent ? this.#parent.#maker(value) : undefined);
  }
}
