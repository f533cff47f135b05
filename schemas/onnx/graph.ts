import { type Attribute, type Attributes, subgraphs, toAttribute } from './attribute.ts';
import type { DataType } from './data-types.ts';
import { Names } from './names.ts';
import type { Rest } from './rest.ts';
import { checkTensor, type Tensor, type TensorData } from './tensor.ts';

declare const brand: unique symbol;

/** The name of a value in a graph. */
export type Value = string & { readonly [brand]: true };

/** A size; a name for one that is known only at run time, e.g. 'batch'; or '' for one without a name. */
export type Dimension = number | string;

/** What is known of a value. `type` is undefined where it is not a tensor; `dims` where the rank is unknown. */
export interface ValueInfo {
  readonly name: Value;
  readonly type?: DataType | undefined;
  readonly dims?: readonly Dimension[] | undefined;
  readonly rest?: Rest | undefined;
}

export interface Node {
  readonly op: string;
  /** Absent or empty: the operators of ONNX itself. */
  readonly domain?: string | undefined;
  readonly overload?: string | undefined;
  readonly name?: string | undefined;
  /** '' stands for an optional input left out. */
  readonly inputs: readonly (Value | '')[];
  readonly outputs: readonly (Value | '')[];
  readonly attributes: ReadonlyMap<string, Attribute>;
  readonly rest?: Rest | undefined;
}

export interface NodeOptions {
  /** The name of the node, for messages; by default that of its first output. */
  readonly name?: string;
  readonly domain?: string;
}

export interface GraphContents {
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** Types of values in between. */
  readonly values: readonly ValueInfo[];
  readonly initializers: ReadonlyMap<Value, Tensor>;
  readonly sparseInitializers: ReadonlyMap<Value, Rest>;
  /** In an order in which they can be computed. */
  readonly nodes: readonly Node[];
  readonly rest?: Rest | undefined;
}

/** So many values, as a tuple where the number is a literal. */
type Values<N extends number, Found extends Value[] = []> = number extends N
  ? Value[]
  : Found['length'] extends N
    ? Found
    : Values<N, [...Found, Value]>;

/** Constants up to this size (bytes) are shared if equal. */
const sharedBytes = 64;

/**
 * A graph of operators, built value by value: `graph.node('Add', [a, b])`.
 *
 * The builders check that every input exists and every name is new, and throw a plain Error otherwise: a
 * mistake there is one in the calling code. `replace` sets the contents as they are, e.g. those of a file.
 */
export class Graph implements GraphContents {
  readonly name: string;
  /** The graph whose values this subgraph sees. */
  readonly parent: Graph | undefined;
  readonly #names: Names;
  readonly #constants = new Map<string, Value>();
  #known = new Set<string>();
  #inputs: ValueInfo[] = [];
  #outputs: ValueInfo[] = [];
  #values: readonly ValueInfo[] = [];
  #initializers = new Map<Value, Tensor>();
  #sparseInitializers: ReadonlyMap<Value, Rest> = new Map();
  #nodes: Node[] = [];
  #rest: Rest | undefined;

  constructor(name: string, parent?: Graph) {
    this.name = name;
    this.parent = parent;
    this.#names = parent ? parent.#names : new Names();
  }

  get inputs(): readonly ValueInfo[] {
    return this.#inputs;
  }

  get outputs(): readonly ValueInfo[] {
    return this.#outputs;
  }

  get values(): readonly ValueInfo[] {
    return this.#values;
  }

  get initializers(): ReadonlyMap<Value, Tensor> {
    return this.#initializers;
  }

  get sparseInitializers(): ReadonlyMap<Value, Rest> {
    return this.#sparseInitializers;
  }

  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  get rest(): Rest | undefined {
    return this.#rest;
  }

  /** Whether the graph, or one around it, has the value. */
  has(value: string): boolean {
    return this.#known.has(value) || (this.parent?.has(value) ?? false);
  }

  /** Declares an input; in the body of a function it has neither type nor dims. */
  input(name: string, type?: DataType, dims?: readonly Dimension[]): Value {
    const value = this.#add(name);
    this.#inputs.push({ name: value, type, dims });
    return value;
  }

  /** Declares a value of this graph as an output; in the body of a function it has neither type nor dims. */
  output(value: Value, type?: DataType, dims?: readonly Dimension[]): void {
    // ONNX wants a value of an outer graph to go through Identity.
    if (!this.#known.has(value)) throw new Error(`Output '${value}' is not a value of graph '${this.name}'`);
    this.#outputs.push({ name: value, type, dims });
  }

  /** A tensor that is part of the model, under a new name. */
  initializer(name: string, tensor: TensorData): Value {
    checkTensor(tensor.type, tensor.dims, tensor.data);
    const value = this.#add(name);
    this.#initializers.set(value, tensor);
    return value;
  }

  /** A tensor that is part of the model, under a generated name; small equal ones are one. */
  constant(tensor: TensorData): Value {
    const key = constantKey(tensor);
    const shared = key === undefined ? undefined : this.#sharedConstant(key);
    if (shared !== undefined) return shared;
    const value = this.initializer(this.#names.next('constant'), tensor);
    if (key !== undefined) this.#constants.set(key, value);
    return value;
  }

  /** Adds a node with one output, named after the operator unless `output` names it. */
  node(
    op: string,
    inputs: readonly (Value | '')[],
    attributes: Attributes = {},
    { output, ...options }: NodeOptions & { readonly output?: string } = {},
  ): Value {
    const name = output ?? this.#names.next(op);
    this.nodeN(op, inputs, [name], attributes, options);
    return name as Value;
  }

  /** Adds a node with several outputs: so many, or of these names, where '' leaves an optional one out. */
  nodeN<N extends number>(
    op: string,
    inputs: readonly (Value | '')[],
    outputs: N,
    attributes?: Attributes,
    options?: NodeOptions,
  ): Values<N>;
  nodeN<const S extends readonly string[]>(
    op: string,
    inputs: readonly (Value | '')[],
    outputs: S,
    attributes?: Attributes,
    options?: NodeOptions,
  ): { -readonly [K in keyof S]: Value };
  nodeN(
    op: string,
    inputs: readonly (Value | '')[],
    outputs: number | readonly string[],
    attributes: Attributes = {},
    options: NodeOptions = {},
  ): Value[] {
    const missing = inputs.find((input) => input !== '' && !this.has(input));
    if (missing !== undefined)
      throw new Error(`${op}: its input '${missing}' is not a value of graph '${this.name}'`);
    const converted = this.#attributes(op, attributes);
    const names =
      typeof outputs === 'number' ? Array.from({ length: outputs }, () => this.#names.next(op)) : outputs;
    const values = names.map((name) => (name === '' ? name : this.#add(name)) as Value);
    this.#nodes.push({
      op,
      name: values.find(Boolean),
      ...options,
      inputs: [...inputs],
      outputs: values,
      attributes: converted,
    });
    return values;
  }

  /** Sets the parts given and keeps the others, unchecked. */
  replace(contents: Partial<GraphContents>): void {
    this.#inputs = [...(contents.inputs ?? this.#inputs)];
    this.#outputs = [...(contents.outputs ?? this.#outputs)];
    this.#values = contents.values ?? this.#values;
    this.#initializers = new Map(contents.initializers ?? this.#initializers);
    this.#sparseInitializers = contents.sparseInitializers ?? this.#sparseInitializers;
    this.#nodes = [...(contents.nodes ?? this.#nodes)];
    this.#rest = contents.rest ?? this.#rest;
    this.#known = new Set([
      ...this.#inputs.map(({ name }) => name),
      ...this.#initializers.keys(),
      ...this.#sparseInitializers.keys(),
      ...this.#nodes.flatMap(({ outputs }) => outputs),
    ]);
    for (const name of this.#known) this.#names.note(name);
  }

  #add(name: string): Value {
    this.#names.claim(name);
    this.#known.add(name);
    return name as Value;
  }

  #attributes(op: string, attributes: Attributes): Map<string, Attribute> {
    const converted = new Map<string, Attribute>();
    for (const [name, value] of Object.entries(attributes)) {
      if (value === undefined) continue;
      const attribute = toAttribute(value);
      const stray = subgraphs(attribute).find(({ parent }) => parent !== this);
      if (stray) throw new Error(`${op}: subgraph '${stray.name}' needs graph '${this.name}' as its parent`);
      converted.set(name, attribute);
    }
    return converted;
  }

  #sharedConstant(key: string): Value | undefined {
    const value = this.#constants.get(key);
    if (value !== undefined && this.#initializers.has(value)) return value;
    return this.parent && this.parent.#sharedConstant(key);
  }
}

/** Equal for equal tensors; undefined for those too large to share. */
function constantKey({ type, dims, data }: TensorData): string | undefined {
  if (type === 'string') return undefined;
  if (data.byteLength > sharedBytes) return undefined;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return `${type} [${dims.join()}] ${bytes.join()}`;
}
