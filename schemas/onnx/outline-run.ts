import type { Attribute } from './attribute.ts';
import { subgraphs } from './attribute.ts';
import type { Graph, Node, Value } from './graph.ts';
import { valuesRead } from './passes.ts';

/** Nodes of a graph that follow each other and become one call. */
export interface Run {
  /** Of the function that they become a call of, and of the call itself. */
  readonly section: Section;
  readonly nodes: readonly Node[];
  /** Values from outside, in the order in which they are met. */
  readonly inputs: readonly Value[];
  /** Values that are used outside. */
  readonly outputs: readonly Value[];
}

/** What nodes belong to. */
export interface Section {
  /** Name of the function, in words. */
  readonly name: string;
  /** Name of the call. */
  readonly label: string;
}

/**
 * The runs of a graph: nodes of the same section, one after another.
 *
 * @param keep values that stay values of the graph, whoever uses them
 */
export function runsOf(
  graph: Graph,
  sectionOf: (node: Node) => Section | undefined,
  keep: ReadonlySet<string>,
): readonly (Run | Node)[] {
  const grouped: { section: Section | undefined; nodes: Node[] }[] = [];
  for (const node of graph.nodes) {
    const section = sectionOf(node);
    const last = grouped.at(-1);
    if (last && section && last.section === section) last.nodes.push(node);
    else grouped.push({ section, nodes: [node] });
  }
  const readers = new Map<string, number>();
  for (const node of graph.nodes) {
    for (const value of new Set(valuesRead(node))) readers.set(value, (readers.get(value) ?? 0) + 1);
  }
  const outputs = new Set<string>([...keep, ...graph.outputs.map(({ name }) => name)]);
  return grouped.flatMap(({ section, nodes }): (Run | Node)[] => {
    // One node says by itself what it does.
    if (!section || nodes.length === 1) return nodes;
    const own = new Set<string>(nodes.flatMap((node) => node.outputs));
    const inside = new Map<string, number>();
    const inputs = new Set<Value>();
    for (const node of nodes) {
      for (const value of new Set(valuesRead(node))) {
        if (own.has(value)) inside.set(value, (inside.get(value) ?? 0) + 1);
        else if (graph.has(value)) inputs.add(value as Value);
      }
    }
    const isUsed = (value: string): boolean => outputs.has(value) || readers.get(value) !== inside.get(value);
    const given = [...own].filter((value): value is Value => value !== '' && isUsed(value));
    return [{ section, nodes, inputs: [...inputs], outputs: given }];
  });
}

/** The attributes of a run's nodes that hold no graph, in order: what may differ between calls of one function. */
export const plainAttributes = ({ nodes }: Run): [name: string, attribute: Attribute][] =>
  nodes.flatMap(({ attributes }) => [...attributes].filter(([, attribute]) => !hasGraph(attribute)));

export const hasGraph = (attribute: Attribute): boolean => subgraphs(attribute).length > 0;

/**
 * Runs of the same key are calls of one function: the same operators on the same values, up to the names of values
 * and the values of attributes. @param constant inputs that may be part of the function are told apart from others
 */
export function keyOf(run: Run, constant: (value: Value) => boolean): string {
  const places = new Map<string, string>();
  run.inputs.forEach((value, index) => places.set(value, `${constant(value) ? 'c' : 'i'}${index}`));
  const ofNodes = (nodes: readonly Node[], depth: string): unknown[] =>
    nodes.map(({ op, domain, inputs, outputs, attributes }, at) => {
      outputs.forEach((value, index) => value && places.set(value, `${depth}${at}.${index}`));
      return [
        op,
        domain ?? '',
        inputs.map((value) => (value === '' ? '' : places.get(value))),
        outputs.map((value) => value !== ''),
        [...attributes].map(([name, attribute]) => [name, attribute.type, ofAttribute(attribute, depth)]),
      ];
    });
  const ofAttribute = (attribute: Attribute, depth: string): unknown[] => {
    const inner = subgraphs(attribute);
    // Only what is directly in the function can be an attribute of it.
    if (inner.length === 0) return depth === 'n' ? [] : [textOf(attribute)];
    return inner.map((body, index) => {
      const within = `${depth}g${index}.`;
      body.inputs.forEach(({ name }, at) => places.set(name, `${within}i${at}`));
      [...body.initializers.keys()].forEach((name, at) => places.set(name, `${within}c${at}`));
      const nodes = ofNodes(body.nodes, within);
      const constants = [...body.initializers.values()].map(textOf);
      const ends = body.outputs.map(({ name, type, dims }) => [places.get(name), type, dims]);
      return [body.inputs.map(({ type, dims }) => [type, dims]), constants, nodes, ends];
    });
  };
  const nodes = ofNodes(run.nodes, 'n');
  return JSON.stringify([
    run.section.name,
    run.inputs.length,
    nodes,
    run.outputs.map((value) => places.get(value)),
  ]);
}

/** Equal for equal attributes or tensors, arrays and integers of 64 bits included. */
export const textOf = (value: unknown): string =>
  JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'bigint') return `${part}n`;
    return ArrayBuffer.isView(part) ? Array.from(part as Uint8Array, String) : part;
  });
