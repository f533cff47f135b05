import { UserError } from '../../schemas/errors.ts';
import type {
  Attribute,
  FunctionDefinition,
  Graph,
  Model,
  Node,
  Tensor,
  ValueInfo,
} from '../../schemas/onnx/index.ts';
import { layerIn, nameLayers, placeOf } from './layers.ts';
import { checkInputs } from './signatures.ts';

/** A node whose functions are resolved: only operators of ONNX itself are left. */
export interface FlatNode {
  readonly op: string;
  /** For messages. */
  readonly name: string;
  /** The layer that it belongs to, in a file of this toolkit; for messages, too. Set while the graph is put together. */
  layer?: string | undefined;
  /** '' stands for an optional input left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
  /** The graphs among the attributes. */
  readonly bodies: ReadonlyMap<string, FlatGraph>;
}

/** A graph without calls of functions. No two values of it or of the graphs within have the same name. */
export interface FlatGraph {
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly string[];
  readonly initializers: ReadonlyMap<string, Tensor>;
  readonly nodes: readonly FlatNode[];
}

/** Calls inside calls, at most: a function that calls itself would never end. */
const DEEPEST = 32;

type Rename = (name: string) => string;
type Given = ReadonlyMap<string, Attribute>;

const keyOf = (domain: string | undefined, name: string, overload: string | undefined): string =>
  JSON.stringify([domain ?? '', name, overload ?? '']);

/** Puts the bodies of model-local functions in place of their calls. @throws UserError for what has no body */
export function flatten({ graph, functions, metadata }: Model, what: string): FlatGraph {
  const known = new Map(functions.map((each) => [keyOf(each.domain, each.name, each.overload), each]));
  const hasLayers = metadata.has('bitspike.model');
  let calls = 0;
  const defined = new Set<string>();
  const define = (name: string): void => {
    if (name !== '' && defined.has(name))
      throw new UserError(
        `${what}: two values are named '${name}'; expected every value to have its own name`,
      );
    defined.add(name);
  };

  function flatGraph(from: Graph, rename: Rename, given: Given, depth: number): FlatGraph {
    const fed = new Set<string>(from.inputs.map(({ name }) => name));
    // That of an input is what it is where nothing is fed; here all inputs are.
    const held = [...from.initializers].filter(([name]) => !fed.has(name));
    return {
      inputs: from.inputs.map((info) => ({ ...info, name: rename(info.name) as ValueInfo['name'] })),
      outputs: from.outputs.map(({ name }) => rename(name)),
      initializers: new Map(held.map(([name, tensor]) => [rename(name), tensor])),
      nodes: from.nodes.flatMap((node) => flatNode(node, rename, given, depth)),
    };
  }

  /** @throws UserError where a value has the name of another, in whichever graph: constants are known by it alone */
  function checkNames({ inputs, initializers, nodes }: FlatGraph): void {
    for (const { name } of inputs) define(name);
    for (const name of initializers.keys()) define(name);
    for (const { outputs, bodies } of nodes) {
      outputs.forEach(define);
      for (const body of bodies.values()) checkNames(body);
    }
  }

  function flatNode(node: Node, rename: Rename, given: Given, depth: number): FlatNode[] {
    const attributes = new Map<string, Attribute>();
    for (const [name, attribute] of node.attributes) {
      const value = attribute.type === 'reference' ? given.get(attribute.to) : attribute;
      if (value) attributes.set(name, value);
    }
    const called = known.get(keyOf(node.domain, node.op, node.overload));
    if (called) return inlined(node, called, attributes, rename, depth);
    if (node.domain) {
      throw new UserError(
        `${what}: device bits does not know ${placeOf({ op: `${node.domain}.${node.op}`, name: node.name ?? '', layer: hasLayers ? layerIn(node.name) : undefined })}; open the model on device cpu`,
      );
    }
    const bodies = new Map<string, FlatGraph>();
    for (const [name, attribute] of attributes) {
      if (attribute.type === 'graph') bodies.set(name, flatGraph(attribute.value, rename, given, depth));
    }
    const inputs = node.inputs.map(rename);
    const outputs = node.outputs.map(rename);
    const name = node.name || outputs[0] || node.op;
    const flat = { op: node.op, name, inputs, outputs, attributes, bodies };
    checkInputs(flat, what);
    return [flat];
  }

  function inlined(
    node: Node,
    { body, defaults }: FunctionDefinition,
    given: Given,
    rename: Rename,
    depth: number,
  ): FlatNode[] {
    if (depth >= DEEPEST) throw new UserError(`${what}: the function ${node.op} calls itself`);
    const prefix = `call${calls++}/`;
    const bound = new Map<string, string>();
    body.inputs.forEach(({ name }, index) => bound.set(name, rename(node.inputs[index] ?? '')));
    // What goes straight through a function has no node of its own in it: an Identity stands for it.
    const straight: FlatNode[] = [];
    body.outputs.forEach(({ name }, index) => {
      const output = node.outputs[index];
      if (!output) return;
      const before = bound.get(name);
      if (before === undefined) bound.set(name, rename(output));
      else straight.push(identity(before, rename(output)));
    });
    const inner: Rename = (name) => (name === '' ? '' : (bound.get(name) ?? prefix + name));
    const { nodes, initializers } = flatGraph(body, inner, new Map([...defaults, ...given]), depth + 1);
    const constants = [...initializers].map(([name, tensor]) => constant(name, tensor));
    const layer = hasLayers ? layerIn(node.name) : undefined;
    const all = [...constants, ...nodes, ...straight];
    if (layer !== undefined) for (const each of all) each.layer = layer;
    return all;
  }

  const flat = flatGraph(graph, (name) => name, new Map(), 0);
  checkNames(flat);
  if (hasLayers) nameLayers(flat);
  return flat;
}

const identity = (from: string, to: string): FlatNode => ({
  op: 'Identity',
  name: to,
  inputs: [from],
  outputs: [to],
  attributes: new Map(),
  bodies: new Map(),
});

const constant = (name: string, tensor: Tensor): FlatNode => ({
  op: 'Constant',
  name,
  inputs: [],
  outputs: [name],
  attributes: new Map([['value', { type: 'tensor', value: tensor }]]),
  bodies: new Map(),
});

/** An integer attribute. */
export function intOf({ attributes }: FlatNode, name: string, fallback: number): number {
  const found = attributes.get(name);
  return found?.type === 'int' ? Number(found.value) : fallback;
}

/** A list of integers. */
export function intsOf({ attributes }: FlatNode, name: string): number[] | undefined {
  const found = attributes.get(name);
  return found?.type === 'ints' ? found.value.map(Number) : undefined;
}

export function floatOf({ attributes }: FlatNode, name: string, fallback: number): number {
  const found = attributes.get(name);
  return found?.type === 'float' ? found.value : fallback;
}

export function textOf({ attributes }: FlatNode, name: string, fallback: string): string {
  const found = attributes.get(name);
  return found?.type === 'string' && typeof found.value === 'string' ? found.value : fallback;
}
