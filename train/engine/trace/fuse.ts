import type { Attribute, Graph, Node, Value } from '../../../schemas/onnx/index.ts';
import { float, valuesRead } from '../../../schemas/onnx/index.ts';

/** What fusing needs to know of a value besides the graph. */
export interface KnownValues {
  /** Shape of a value, if it is known. */
  shape(value: string): readonly number[] | undefined;
  /** The number of a scalar constant, if it is one. */
  scalarOf(value: string): number | undefined;
}

/** A product that nothing has been added to, and a node that only lays out what it gives, if one is between. */
interface Product {
  readonly node: Node;
  readonly layout?: Node;
}

/**
 * Makes what a product is scaled by and added to part of the product: Gemm is `alpha · A B + C`, Conv adds a number
 * per filter, and each fusion spares a pass over a matrix.
 *
 * Only products that nothing else reads are changed.
 */
export function fuseProducts(graph: Graph, known: KnownValues): void {
  const uses = new Map<string, number>();
  const count = (value: string) => uses.set(value, (uses.get(value) ?? 0) + 1);
  for (const node of graph.nodes) valuesRead(node).forEach(count);
  for (const { name } of graph.outputs) count(name);

  const products = new Map<string, Product>();
  const nodes: (Node | undefined)[] = [];
  const positions = new Map<Node, number>();
  const push = (node: Node): void => {
    positions.set(node, nodes.length);
    nodes.push(node);
  };
  const drop = (node: Node | undefined): void => {
    if (node) nodes[positions.get(node) as number] = undefined;
  };
  const productOf = (value: string): Product | undefined =>
    uses.get(value) === 1 ? products.get(value) : undefined;

  for (const node of graph.nodes) {
    const fused = fuse(node, productOf, { graph, known });
    drop(fused?.replaces.node);
    drop(fused?.replaces.layout);
    const kept = fused?.nodes ?? [node];
    kept.forEach(push);
    const last = kept.at(-1) as Node;
    const product = productAt(last, kept.at(-2), productOf);
    if (product && last.outputs[0]) products.set(last.outputs[0], product);
  }
  graph.replace({ nodes: nodes.filter((node) => node !== undefined) });
}

const isProduct = ({ op }: Node): boolean => op === 'Gemm' || op === 'Conv';
const isLayout = ({ op }: Node): boolean => op === 'Reshape' || op === 'Transpose';

/** The product that a node is, or whose result it lays out. */
function productAt(
  node: Node,
  before: Node | undefined,
  productOf: (value: string) => Product | undefined,
): Product | undefined {
  if (isProduct(node)) return { node };
  if (!isLayout(node)) return undefined;
  const inner = before && isProduct(before) ? { node: before } : productOf(node.inputs[0] ?? '');
  return inner && !inner.layout ? { node: inner.node, layout: node } : undefined;
}

interface Fused {
  readonly nodes: readonly Node[];
  /** What they take the place of, besides the node itself. */
  readonly replaces: Product;
}

interface Around {
  readonly graph: Graph;
  readonly known: KnownValues;
}

function fuse(
  node: Node,
  productOf: (value: string) => Product | undefined,
  { graph, known }: Around,
): Fused | undefined {
  const [a = '', b = ''] = node.inputs;
  const scaled = (value: string, factor: number | undefined): Fused | undefined => {
    const product = factor === undefined ? undefined : productOf(value);
    // A product that adds something already would scale that too.
    if (product?.node.op !== 'Gemm' || product.layout || product.node.inputs.length > 2) return undefined;
    const alpha = float(alphaOf(product.node) * (factor as number));
    const { name, outputs } = node;
    const attributes = new Map([...product.node.attributes, ['alpha', alpha]] as [string, Attribute][]);
    return { nodes: [{ ...product.node, name, outputs, attributes }], replaces: product };
  };
  const added = (value: string, term: Value | ''): Fused | undefined => {
    const product = productOf(value);
    if (!product || term === '' || product.node.inputs.length > 2) return undefined;
    const found = addend(product, term, node.outputs[0] ?? '', { graph, known });
    if (!found) return undefined;
    const { layout } = product;
    const { name, outputs } = node;
    const sum: Node = { ...product.node, inputs: [...product.node.inputs, found.value] };
    const nodes = layout ? [sum, { ...layout, name, outputs }] : [{ ...sum, name, outputs }];
    return { nodes: [...found.nodes, ...nodes], replaces: product };
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

function alphaOf({ attributes }: Node): number {
  const alpha = attributes.get('alpha');
  return alpha?.type === 'float' ? alpha.value : 1;
}

/**
 * The term as the product can add it, if it can: one number for all; one for each column of a matrix or filter, which
 * the last axis is in the end; or a matrix like the product's own. A number becomes a row of them for Conv.
 */
function addend(
  { node, layout }: Product,
  term: Value,
  sum: string,
  { graph, known }: Around,
): { readonly value: Value; readonly nodes: readonly Node[] } | undefined {
  const whole = known.shape(sum);
  const shape = known.scalarOf(term) === undefined ? known.shape(term) : [];
  const last = whole?.at(-1);
  if (
    !shape ||
    !whole ||
    last === undefined ||
    (layout && !keepsLast(layout, last, known.shape(node.outputs[0] ?? '')))
  )
    return undefined;
  const isOne = shape.length <= 1 && (shape[0] ?? 1) === 1;
  const isRow = shape.length === 1 && shape[0] === last;
  if (isRow || (isOne && node.op === 'Gemm')) return { value: term, nodes: [] };
  if (isOne) {
    const filters = graph.constant({ type: 'int64', dims: [1], data: BigInt64Array.of(BigInt(last)) });
    const value = `${sum}.bias` as Value;
    const spread: Node = { op: 'Expand', inputs: [term, filters], outputs: [value], attributes: new Map() };
    return { value, nodes: [spread] };
  }
  const isWhole = !layout && node.op === 'Gemm' && shape.join() === whole.join();
  return isWhole ? { value: term, nodes: [] } : undefined;
}

/** Whether the last axis of what is laid out, so long, is that of the columns of a matrix or of the filters of Conv. */
function keepsLast({ op, attributes }: Node, last: number, product: readonly number[] | undefined): boolean {
  if (op === 'Reshape') return product?.length === 2 && product[1] === last;
  const perm = attributes.get('perm');
  return perm?.type === 'ints' && perm.value.map(Number).join() === '0,2,3,1';
}
