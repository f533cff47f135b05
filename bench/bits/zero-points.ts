import { type DataType, type Node, readModel, type Value, writeModel } from '../../schemas/onnx/index.ts';

/**
 * The same model with the zero point of every DequantizeLinear written out. It is 0 either way, but onnxruntime
 * computes a Gemm in integers only where it is written: peers are to be at their best.
 */
export function withZeroPoints(bytes: Uint8Array): Uint8Array {
  const model = readModel(bytes);
  const { graph } = model;
  const makers = new Map<string, Node>(
    graph.nodes.flatMap((node) => node.outputs.map((output): [string, Node] => [output, node])),
  );
  const typeOf = (value: string): DataType | undefined => {
    const own = graph.initializers.get(value as Value) ?? graph.inputs.find(({ name }) => name === value);
    if (own) return own.type;
    const maker = makers.get(value);
    if (maker?.op === 'QuantizeLinear') return typeOf(maker.inputs[2] ?? '');
    return maker ? typeOf(maker.inputs[0] ?? '') : undefined;
  };
  const zeros = {
    uint8: () => graph.constant({ type: 'uint8', dims: [], data: Uint8Array.of(0) }),
    int8: () => graph.constant({ type: 'int8', dims: [], data: Int8Array.of(0) }),
    int32: () => graph.constant({ type: 'int32', dims: [], data: Int32Array.of(0) }),
  };
  const nodes = graph.nodes.map((node) => {
    const [whole, scale, zero] = node.inputs;
    const type = node.op === 'DequantizeLinear' && !zero ? typeOf(whole ?? '') : undefined;
    if (!whole || !scale || !type || !(type in zeros)) return node;
    return { ...node, inputs: [whole, scale, zeros[type as keyof typeof zeros]()] };
  });
  graph.replace({ nodes });
  return writeModel(model);
}
