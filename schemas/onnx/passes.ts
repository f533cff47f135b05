import { subgraphs } from './attribute.ts';
import type { Graph, Node } from './graph.ts';

/**
 * Drops the nodes and initializers that no output of the graph needs, in its subgraphs too, and what was
 * said about their values. Inputs stay: they are what a caller gives.
 */
export function removeUnused(graph: Graph): void {
  for (const node of graph.nodes) {
    for (const subgraph of subgraphsOf(node)) removeUnused(subgraph);
  }
  // An initializer of an input's name is its default value, and stays like it.
  const needed = new Set<string>([...graph.outputs, ...graph.inputs].map(({ name }) => name));
  const isNeeded = (name: string) => name !== '' && needed.has(name);
  // Backwards, so that a node is met after everything that reads it.
  const nodes = graph.nodes.toReversed().filter((node) => {
    if (!node.outputs.some(isNeeded)) return false;
    for (const value of valuesRead(node)) needed.add(value);
    return true;
  });
  const only = <K extends string, V>(map: ReadonlyMap<K, V>) =>
    new Map([...map].filter(([name]) => isNeeded(name)));
  graph.replace({
    nodes: nodes.toReversed(),
    initializers: only(graph.initializers),
    sparseInitializers: only(graph.sparseInitializers),
    values: graph.values.filter(({ name }) => isNeeded(name)),
  });
}

const subgraphsOf = (node: Node): readonly Graph[] => [...node.attributes.values()].flatMap(subgraphs);

/** The values that a node reads; those of its subgraphs may be values of the graph around. */
export const valuesRead = (node: Node): readonly string[] => [
  ...node.inputs,
  ...subgraphsOf(node).flatMap(({ outputs }) => outputs.map(({ name }) => name)),
  ...subgraphsOf(node).flatMap(({ nodes }) => nodes.flatMap(valuesRead)),
];
