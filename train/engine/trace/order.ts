import { type Graph, type Node, valuesRead } from '../../../schemas/onnx/index.ts';

/** Puts nodes behind what they and their bodies read; the order stays where it is one already. */
export function order(graph: Graph): void {
  const makers = new Map<string, Node>();
  for (const node of graph.nodes) for (const output of node.outputs) makers.set(output, node);
  const placed = new Set<Node>();
  const place = (node: Node): void => {
    if (placed.has(node)) return;
    placed.add(node);
    for (const value of valuesRead(node)) {
      const maker = makers.get(value);
      if (maker) place(maker);
    }
    nodes.push(node);
  };
  const nodes: Node[] = [];
  graph.nodes.forEach(place);
  graph.replace({ nodes });
}
