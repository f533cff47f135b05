import { type Attribute, Graph, type Node, valuesRead } from '../../../schemas/onnx/index.ts';

/** Takes away the sequences of a Scan of which its body reads no slice. Bodies must be without unused nodes. */
export function dropUnreadSlices(graph: Graph): void {
  graph.replace({ nodes: graph.nodes.map((node) => (node.op === 'Scan' ? readByBody(node) : node)) });
}

function readByBody(node: Node): Node {
  const body = node.attributes.get('body');
  const count = node.attributes.get('num_scan_inputs');
  if (body?.type !== 'graph' || count?.type !== 'int') throw new Error('a Scan lacks its body');
  const { value: inside } = body;
  const read = new Set<string>([
    ...inside.nodes.flatMap(valuesRead),
    ...inside.outputs.map(({ name }) => String(name)),
  ]);
  const states = inside.inputs.length - Number(count.value);
  const keeps = inside.inputs.map(({ name }, index) => index < states || read.has(name));
  const isKept = (_: unknown, index: number): boolean => keeps[index] === true;
  const kept = inside.inputs.filter(isKept);
  if (kept.length === inside.inputs.length) return node;
  const inputs = node.inputs.filter(isKept);
  inside.replace({ inputs: kept });
  const attributes = new Map(node.attributes);
  const left = kept.length - states;
  attributes.set('num_scan_inputs', { ...count, value: left });
  const directions: Attribute | undefined = attributes.get('scan_input_directions');
  if (directions?.type === 'ints') {
    attributes.set('scan_input_directions', {
      ...directions,
      value: directions.value.filter((_, index) => isKept(undefined, states + index)),
    });
  }
  return { ...node, inputs, attributes };
}
