import { type Attribute, reference, subgraphs } from './attribute.ts';
import { Graph, type GraphContents, type Node, type Value } from './graph.ts';
import type { FunctionDefinition } from './model.ts';
import type { Common } from './outline.ts';
import { hasGraph, type Run } from './outline-run.ts';

/** The function that a run of nodes, and all like it, become calls of: its nodes under short names of its own. */
export function definitionOf(
  run: Run,
  name: string,
  { constants, attributes }: Common,
  initializers: GraphContents['initializers'],
): Pick<FunctionDefinition, 'body' | 'attributes' | 'defaults'> {
  const body = new Graph(name);
  const names = new ShortNames();
  const main = run.nodes[0]?.inputs.find((value) => value !== '' && !initializers.has(value));
  for (const value of run.inputs) names.of(value, value === main ? 'input' : lastPart(value));
  for (const value of run.outputs) names.of(value, run.outputs.length === 1 ? 'output' : lastPart(value));

  let next = 0;
  /** The attribute, or a reference to that of the function. */
  const shared = (attribute: Attribute): Attribute => {
    const own = attributes.get(next++);
    const { type } = attribute;
    return own === undefined || type === 'reference' || type === 'uninterpreted'
      ? attribute
      : reference(own, type);
  };
  const nodes = run.nodes.map((node) => renamed(node, names, body, shared));
  body.replace({
    inputs: run.inputs
      .filter((_, index) => !constants.has(index))
      .map((value) => ({ name: names.of(value) })),
    outputs: run.outputs.map((value) => ({ name: names.of(value) })),
    initializers: new Map(
      [...constants].map(([index, tensor]) => [names.of(run.inputs[index] as Value), tensor]),
    ),
    nodes,
  });
  return { body, attributes: [...attributes.values()], defaults: new Map() };
}

/** The node under other names, those of its graphs too. A node needs no name of its own here. */
function renamed(
  { op, domain, inputs, outputs, attributes }: Node,
  names: ShortNames,
  parent: Graph,
  plain: (attribute: Attribute) => Attribute,
): Node {
  const stem = op.charAt(0).toLowerCase() + op.slice(1);
  return {
    op,
    domain,
    inputs: inputs.map((value) => value && names.of(value)),
    outputs: outputs.map((value) => value && names.of(value, stem)),
    attributes: new Map(
      [...attributes].map(([key, value]) => [
        key,
        hasGraph(value) ? copied(value, names, parent) : plain(value),
      ]),
    ),
  };
}

/** The graphs of an attribute under other names. */
function copied(attribute: Attribute, names: ShortNames, parent: Graph): Attribute {
  const copies = subgraphs(attribute).map((graph) => {
    const copy = new Graph('body', parent);
    const inputs = graph.inputs.map((info) => ({ ...info, name: names.of(info.name, lastPart(info.name)) }));
    const constants = [...graph.initializers].map(
      ([key, tensor]) => [names.of(key, 'constant'), tensor] as const,
    );
    const nodes = graph.nodes.map((node) => renamed(node, names, copy, (value) => value));
    const outputs = graph.outputs.map((info) => ({ ...info, name: names.of(info.name) }));
    copy.replace({ inputs, outputs, initializers: new Map(constants), nodes });
    return copy;
  });
  return attribute.type === 'graphs'
    ? { type: 'graphs', value: copies }
    : { type: 'graph', value: copies[0] as Graph };
}

/** Names that are unique in a function, by the names that values have outside. */
class ShortNames {
  readonly #names = new Map<string, Value>();
  readonly #taken = new Set<string>();

  /** @param stem what a value is called that has no name yet */
  of(value: string, stem = 'value'): Value {
    const known = this.#names.get(value);
    if (known !== undefined) return known;
    let name = stem;
    for (let count = 2; this.#taken.has(name); count++) name = `${stem}_${count}`;
    this.#taken.add(name);
    this.#names.set(value, name as Value);
    return name as Value;
  }
}

/** `0.dense.weight` → `weight`, `MatMul_3` → `MatMul`. */
const lastPart = (value: string): string =>
  (value.split('.').at(-1) as string).replace(/_\d+$/, '') || 'value';
