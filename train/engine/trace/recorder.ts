import {
  type Attributes,
  Graph,
  type Node,
  type TensorData,
  type Value,
} from '../../../schemas/onnx/index.ts';
import { type Traced, type TracedType, tracedValue } from './traced.ts';

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
  /** Recorders of the bodies of loops in this graph. */
  readonly bodies: Recorder[] = [];
  readonly #known = new Map<string, Value>();
  /** Shapes of values, of the graphs around too. */
  readonly #shapes: Map<string, readonly number[]>;
  readonly #scalars = new Map<string, number>();
  /** In the body of a loop: computes for all times at once what needs nothing of the step before, if it can. */
  ofAllTimes:
    | ((op: string, inputs: readonly Value[], attributes: Attributes) => Value | undefined)
    | undefined;
  /** The numbers of lists of integers, which the outermost graph holds. */
  readonly #lists = new Map<string, readonly number[]>();
  /** What made each value. */
  readonly #makers = new Map<string, Maker>();
  /** The recorder of the graph around, where this one writes the body of a loop. */
  readonly #parent: Recorder | undefined;
  /** Values of the graph that are not of the one around: its inputs and what its nodes make. */
  readonly #own = new Set<string>();
  #inputs = 0;

  constructor(graph: Graph, parent?: Recorder) {
    this.graph = graph;
    this.#parent = parent;
    this.#shapes = parent ? parent.#shapes : new Map();
  }

  /** Writes the body of a loop, which sees the values of this graph. */
  body(): Recorder {
    const body = new Recorder(new Graph(`${this.graph.name}.body${this.bodies.length}`, this.graph), this);
    this.bodies.push(body);
    return body;
  }

  /** A further input of the graph. */
  input(shape: readonly number[], name = `${this.graph.name}.input${this.#inputs++}`): Traced {
    const value = this.graph.input(name, 'float32', shape);
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

  /** A further output, of that shape, of the node that makes the value already. */
  extended(value: Value, shape: readonly number[]): Traced {
    const { nodes } = this.graph;
    const output = `${value}.more${this.#inputs++}` as Value;
    const widened = (node: Node): Node => ({ ...node, outputs: node.outputs.concat(output) });
    this.graph.replace({
      nodes: nodes.map((node) => (node.outputs.includes(value) ? widened(node) : node)),
    });
    this.#own.add(output);
    this.#shapes.set(output, shape);
    return tracedValue(output, shape, 'float32');
  }

  /** A further sequence for the Scan that makes the value. */
  read(value: Value, sequence: Value): void {
    this.graph.replace({
      nodes: this.graph.nodes.map((node) => {
        const count = node.attributes.get('num_scan_inputs');
        if (!node.outputs.includes(value) || count?.type !== 'int') return node;
        const attributes = new Map(node.attributes);
        attributes.set('num_scan_inputs', { ...count, value: Number(count.value) + 1 });
        return { ...node, inputs: [...node.inputs, sequence], attributes };
      }),
    });
  }

  /** A node with one output, or the earlier node that computes the same. `domain`: of operators that ONNX lacks. */
  node(op: string, inputs: readonly Value[], attributes: Attributes = {}, domain = ''): Value {
    // What is the same at every step is computed once, before the loop.
    if (this.#parent && !inputs.some((input) => this.#own.has(input)))
      return this.#parent.node(op, inputs, attributes, domain);
    const key = `${domain}${op}(${inputs.join()})${JSON.stringify(attributes)}`;
    const known = this.#known.get(key);
    if (known) return known;
    const value =
      this.ofAllTimes?.(op, inputs, attributes) ?? this.graph.node(op, inputs, attributes, { domain });
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
    if (content.kind === 'value') {
      const value = this.#times(content.value, content.factor);
      if (!content.own) return value;
      return this.#tracedValue('Expand', [value, this.integers(shape)], shape);
    }
    const scalar = this.scalar(content.number, type);
    return shape.length === 0 ? scalar : this.#tracedValue('Expand', [scalar, this.integers(shape)], shape);
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

  #tracedValue(op: string, inputs: readonly Value[], shape: readonly number[]): Value {
    const value = this.node(op, inputs);
    this.#shapes.set(value, shape);
    return value;
  }

  /** Whether the value is of this graph, and not of one around. */
  owns(value: string): boolean {
    return this.#own.has(value);
  }

  /** Takes a value of a graph around for one of this graph, so that nothing made of it is computed before the loop. */
  claim(value: Value): void {
    this.#own.add(value);
  }

  /** The shape of a value that a kernel computed. */
  shape(value: string): readonly number[] | undefined {
    return this.#shapes.get(value);
  }

  /** The number of a scalar constant. */
  scalarOf(value: string): number | undefined {
    return this.#scalars.get(value) ?? this.#parent?.scalarOf(value);
  }

  /** A list of integers, as ONNX wants shapes and axes. */
  integers(list: readonly number[]): Value {
    if (this.#parent) return this.#parent.integers(list);
    const value = this.graph.constant({
      type: 'int64',
      dims: [list.length],
      data: BigInt64Array.from(list, BigInt),
    });
    this.#lists.set(value, list);
    return value;
  }

  /** The numbers of a list of integers. */
  listOf(value: string): readonly number[] | undefined {
    return this.#parent ? this.#parent.listOf(value) : this.#lists.get(value);
  }

  /** What a value is made of, if that operator made it. */
  madeBy(value: string, op: string): readonly Value[] | undefined {
    const maker = this.#maker(value);
    return maker?.op === op ? maker.inputs : undefined;
  }

  #maker(value: string): Maker | undefined {
    return this.#makers.get(value) ?? (this.#parent ? this.#parent.#maker(value) : undefined);
  }
}
