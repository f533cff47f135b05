import type { Attribute } from './attribute.ts';
import type { Graph } from './graph.ts';
import type { Rest } from './rest.ts';

/** The versions of operator sets by domain; '' is the domain of ONNX itself. */
export type Opsets = ReadonlyMap<string, number>;

/** An operator defined by other operators. */
export interface FunctionDefinition {
  readonly domain: string;
  readonly name: string;
  readonly overload?: string | undefined;
  /** Its inputs and outputs have no types. Its initializers are written as Constant nodes. */
  readonly body: Graph;
  /** Attributes that every call must give. */
  readonly attributes: readonly string[];
  /** Attributes that a call may leave out. */
  readonly defaults: ReadonlyMap<string, Attribute>;
  readonly opsets: Opsets;
  readonly rest?: Rest | undefined;
}

export interface Model {
  readonly irVersion: number;
  readonly opsets: Opsets;
  readonly graph: Graph;
  readonly functions: readonly FunctionDefinition[];
  readonly metadata: ReadonlyMap<string, string>;
  readonly producerName?: string | undefined;
  readonly producerVersion?: string | undefined;
  readonly rest?: Rest | undefined;
}

export interface ModelOptions {
  /** The version of ONNX's own operators; 21 by default. */
  readonly opset?: number;
  /** The versions of other domains' operators. */
  readonly domains?: Readonly<Record<string, number>>;
  /** 10 by default, the version that came with opset 21. */
  readonly irVersion?: number;
  readonly functions?: readonly FunctionDefinition[];
  readonly metadata?: Readonly<Record<string, string>>;
  readonly producerName?: string;
  readonly producerVersion?: string;
}

/** A model of a graph. */
export function defineOnnxModel(graph: Graph, options: ModelOptions = {}): Model {
  const { opset = 21, domains = {}, irVersion = 10, functions = [], metadata = {} } = options;
  return {
    irVersion,
    opsets: new Map([['', opset], ...Object.entries(domains)]),
    graph,
    functions,
    metadata: new Map(Object.entries(metadata)),
    producerName: options.producerName,
    producerVersion: options.producerVersion,
  };
}
