import type { Attribute, Graph, Node, Value } from '../../../schemas/onnx/index.ts';
import { float, valuesRead } from '../../../schemas/onnx/index.ts';

/** What fusing needs to know of a value besides the graph. */
export interface KnownValues {
  /** Shape of a value, if it is known. */
  shape(value: string): readonly number[] | undefined;
  /** The number of a scalar constant, if it is one. */
  scalarOf(value: string): number | undefined;
}

/**
 * Makes what a matrix product is scaled by and added to part of the product: Gemm is
 * `alpha · A B + C`, and each fusion spares a pass over a matrix.
 *
 * Only products that nothing else reads are changed.
 */
export function fuseProducts(graph: Graph, known: KnownValues): void {
  const uses = new Map<string, number>();
  const count = (value: string) => uses.set(value, (uses.get(value) ?? 0) + 1);
  for (const node of graph.nodes) valuesRead(node).forEach(count);
  for (const { name } of graph.outputs) count(name);

  const products = new Map<string, Node>();
  const nodes: (Node | undefined)[] = [];
  const positions = new Map<string, number>();

  for (const node of graph.nodes) {
    const fused = fuse(node, (value) => (uses.get(value) === 1 ? products.get(value) : undefined), known);
    if (fused) {
      const place = positions.get(fused.replaces) as number;
      nodes[place] = undefined;
    }
    const kept = fused?.node ?? node;
    const [output] = kept.outputs;
    if (kept.op === 'Gemm' && output) {
      products.set(output, kept);
      positions.set(output, nodes.length);
    }
    nodes.push(kept);
  }
  graph.replace({ nodes: nodes.filter((node) => node !== undefined) });
}

interface Fused {
  readonly node: Node;
  /** Output of the product that the node takes the place of. */
  readonly replaces: string;
}

function fuse(
  node: Node,
  productOf: (value: string) => Node | undefined,
  known: KnownValues,
): Fused | undefined {
  const [a = '', b = ''] = node.inputs;
  const scaled = (value: string, factor: number | undefined): Fused | undefined => {
    const product = factor === undefined ? undefined : productOf(value);
    // A product that adds something already would scale that too.
    if (!product || product.inputs.length > 2) return undefined;
    return {
      node: extended(product, node, { alpha: float(alphaOf(product) * (factor as number)) }),
      replaces: value,
    };
  };
  const added = (value: string, term: Value | ''): Fused | undefined => {
    const product = productOf(value);
    if (!product || product.inputs.length > 2 || !fits(known, term, node.outputs[0] ?? '')) return undefined;
    return { node: { ...extended(product, node, {}), inputs: [...product.inputs, term] }, replaces: value };
  };
  switch (node.op) {
    case 'Mul':
      return scaled(a, known.scalarOf(b)) ?? scaled(b, known.scalarOf(a));
    case 'Add':
      return added(a, b) ?? added(b, a);
    default:
      return undefined;
  }
}

/** The product with further attributes, giving what the other node gave. */
function extended(
  product: Node,
  { name, outputs }: Node,
  attributes: Readonly<Record<string, Attribute>>,
): Node {
  return {
    ...product,
    name,
    outputs,
    attributes: new Map([...product.attributes, ...Object.entries(attributes)]),
  };
}

function alphaOf({ attributes }: Node): number {
  const alpha = attributes.get('alpha');
  return alpha?.type === 'float' ? alpha.value : 1;
}

/** Whether Gemm can add the term to a product of that shape: a matrix like it, or one row for all of its rows. */
function fits(known: KnownValues, term: string, sum: string): boolean {
  const [shape, whole] = [known.shape(term), known.shape(sum)];
  if (!shape || !whole) return false;
  return shape.join() === whole.join() || (shape.length === 1 && shape[0] === whole.at(-1));
}
