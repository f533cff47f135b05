import type { FlatGraph, FlatNode } from './flat-graph.ts';

/** What values of a layer begin with: `1.lif`, `member0.3.residual.1.binary`. */
const LABEL = /^(?:member\d+\.)?\d+\.[A-Za-z]\w*(?:\.\d+\.[A-Za-z]\w*)*/;

/** The layer that a name begins with, in a file of this toolkit. */
export const layerIn = (name: string | undefined): string | undefined => name?.match(LABEL)?.[0];

/**
 * Notes the layer of every node: that of the call it comes from, of a parameter that it reads, or of what it gives.
 * Nodes that say nothing of it belong to the next one that does, for a layer names what it gives.
 */
export function nameLayers({ nodes, initializers }: FlatGraph): void {
  let next: string | undefined;
  for (const node of nodes.toReversed()) {
    const names = [...node.inputs.filter((input) => initializers.has(input)), ...node.outputs];
    node.layer ??= names.map(layerIn).find((found) => found !== undefined) ?? next;
    next = node.layer;
  }
}

/** A node in a message, after its layer where it is of one. */
export const placeOf = ({ op, name, layer }: Pick<FlatNode, 'op' | 'name' | 'layer'>): string =>
  `${layer === undefined ? '' : `the layer ${layer}: `}the operator ${op} of '${name}'`;
