import type { Value } from './graph.ts';
import { Graph } from './graph.ts';
import type { Model } from './model.ts';
import { byteCount, elementCount, type Tensor, type TensorData } from './tensor.ts';
import { fromText } from './text.ts';

/** A model, some of whose tensors are in another file. */
export interface SplitModel {
  /** It refers to the file by the name that was given. */
  readonly model: Model;
  /** The other file, in parts that follow one another; empty where all is in the model. */
  readonly data: readonly Uint8Array[];
}

/** Tensors begin at whole pages, so that runtimes can map the file into memory. */
const PAGE = 4096;

/**
 * Puts initializers of so many bytes and more into another file, as one format for both would not hold more than 2 GB.
 *
 * @param threshold in bytes
 * @param nameOf the name of that file, beside the model, from what is in it
 */
export function splitModel(
  model: Model,
  threshold: number,
  nameOf: (data: readonly Uint8Array[]) => string,
): SplitModel {
  const data: Uint8Array[] = [];
  const places = new Map<Value, { readonly offset: number; readonly length: number }>();
  let end = 0;
  for (const [name, tensor] of model.graph.initializers) {
    const bytes = bytesOf(tensor);
    if (!bytes || bytes.length < threshold) continue;
    const gap = (PAGE - (end % PAGE)) % PAGE;
    if (gap > 0) data.push(new Uint8Array(gap));
    places.set(name, { offset: end + gap, length: bytes.length });
    data.push(bytes);
    end += gap + bytes.length;
  }
  if (places.size === 0) return { model, data };
  const location = nameOf(data);
  const initializers = new Map(
    [...model.graph.initializers].map(([name, tensor]): [Value, Tensor] => {
      const place = places.get(name);
      if (!place) return [name, tensor];
      const entries = { location, offset: place.offset, length: place.length };
      const external = new Map(Object.entries(entries).map(([key, value]) => [key, String(value)]));
      const rest = 'stored' in tensor ? tensor.rest : undefined;
      return [name, { type: tensor.type, dims: tensor.dims, stored: { external }, rest }];
    }),
  );
  const graph = new Graph(model.graph.name);
  const { inputs, outputs, values, sparseInitializers, nodes, rest } = model.graph;
  graph.replace({ inputs, outputs, values, sparseInitializers, nodes, rest, initializers });
  return { model: { ...model, graph }, data };
}

/** About how many bytes the file of a model takes. */
export function sizeOfModel({ graph, metadata }: Model): number {
  let size = 0;
  for (const [name, { type, dims }] of graph.initializers) {
    size += name.length + (type === undefined ? 0 : byteCount(type, elementCount(dims)));
  }
  for (const [key, value] of metadata) size += fromText(key + value).length;
  return size;
}

/** Its elements as a file has them; undefined of strings, and where a file keeps them otherwise. */
function bytesOf(tensor: Tensor): Uint8Array | undefined {
  if ('stored' in tensor) return tensor.stored.raw;
  if (tensor.type === 'string') return undefined;
  const { data } = tensor as Exclude<TensorData, { readonly type: 'string' }>;
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
