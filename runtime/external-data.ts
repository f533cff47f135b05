/** Tensors that a model keeps in files beside it. */
import { constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { reasonOf, UserError } from '../schemas/errors.ts';
import {
  type Attribute,
  type Graph,
  hasExternalData,
  type Node,
  readModel,
  type StoredTensor,
  subgraphs,
  type Tensor,
  type Value,
  writeModel,
} from '../schemas/onnx/index.ts';
import { byteCount, elementCount } from '../schemas/onnx/tensor.ts';

/** Bytes that one model may have: protobuf has no longer messages. */
const MOST = 2 ** 31 - 1;

/**
 * A model with all its tensors in it. Those in other files are read from the folder of the model, or from one inside
 * it, and from nowhere else: no path that leads out of it, no link, nothing but plain files.
 *
 * @param bytes of the .onnx file, which are returned as they are where all is in them
 * @param path of the .onnx file
 * @throws UserError where a tensor is not where the model says, or should not be read
 */
export async function withExternalData(bytes: Uint8Array, path: string): Promise<Uint8Array> {
  if (!hasExternalData(bytes, path)) return bytes;
  const model = readModel(bytes, path);
  const folder = dirname(path);
  let room = MOST - bytes.length;
  const read = async (tensor: Tensor, name: string): Promise<Tensor> => {
    if (!('stored' in tensor) || !tensor.stored.external) return tensor;
    const what = `${path}: tensor '${name}'`;
    const size = sizeOf(tensor, what);
    room -= size;
    if (room < 0) throw new UserError(`${what}: the model and its data have more than 2 GB`);
    const raw = await readPart(folder, placeOf(tensor.stored.external, size, what), size, what);
    const { external: _, ...stored } = tensor.stored;
    return { ...tensor, stored: { ...stored, raw } };
  };
  await eachGraph(model.graph, (graph) => embed(graph, read));
  for (const { body } of model.functions) await eachGraph(body, (graph) => embed(graph, read));
  const whole = writeModel(model);
  if (hasExternalData(whole, path)) {
    throw new UserError(
      `${path}: a sparse tensor, a default of a function or the training of the model is in another file; expected weights and constants only`,
    );
  }
  return whole;
}

/** Visits a graph and all inside its nodes. */
async function eachGraph(graph: Graph, visit: (graph: Graph) => Promise<void>): Promise<void> {
  await visit(graph);
  for (const { attributes } of graph.nodes)
    for (const attribute of attributes.values())
      for (const inner of subgraphs(attribute)) await eachGraph(inner, visit);
}

type Read = (tensor: Tensor, name: string) => Promise<Tensor>;

async function embed(graph: Graph, read: Read): Promise<void> {
  const initializers = new Map<Value, Tensor>();
  for (const [name, tensor] of graph.initializers) initializers.set(name, await read(tensor, name));
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const attributes = new Map<string, Attribute>();
    for (const [name, attribute] of node.attributes)
      attributes.set(name, await embedded(attribute, `${node.name ?? node.op}.${name}`, read));
    nodes.push({ ...node, attributes });
  }
  graph.replace({ initializers, nodes });
}

async function embedded(attribute: Attribute, name: string, read: Read): Promise<Attribute> {
  if (attribute.type === 'tensor') return { ...attribute, value: await read(attribute.value, name) };
  if (attribute.type !== 'tensors') return attribute;
  const value: Tensor[] = [];
  for (const tensor of attribute.value) value.push(await read(tensor, name));
  return { ...attribute, value };
}

/** Bytes that the shape and the type ask for. */
function sizeOf({ type, dims }: StoredTensor, what: string): number {
  if (!type || type === 'string')
    throw new UserError(`${what}: data of type ${type ?? 'unknown'} are in another file`);
  const size = byteCount(type, elementCount(dims));
  if (Number.isSafeInteger(size)) return size;
  throw new UserError(`${what}: has the impossible shape [${dims.join(', ')}]`);
}

/** A part of a file. */
interface Place {
  /** Names of folders and in the end the file, from the folder of the model. */
  readonly parts: readonly string[];
  readonly offset: number;
}

function placeOf(external: ReadonlyMap<string, string>, size: number, what: string): Place {
  const location = external.get('location') ?? '';
  const parts = location.split('/').filter((part) => part !== '.');
  // A drive, a backslash or a colon means something to Windows, and a NUL ends a path.
  const isInside =
    parts.length > 0 && parts.every((part) => part !== '' && part !== '..' && !/[\\:\0]/.test(part));
  if (!isInside) {
    throw new UserError(
      `${what}: its data are in ${JSON.stringify(location)}; expected a file in the folder of the model, by its relative path`,
    );
  }
  const numberOf = (key: 'offset' | 'length', otherwise: number): number => {
    const text = external.get(key);
    if (text === undefined) return otherwise;
    if (!/^\d{1,15}$/.test(text))
      throw new UserError(`${what}: its ${key} is ${JSON.stringify(text)}; expected a whole number of bytes`);
    return Number(text);
  };
  const length = numberOf('length', size);
  if (length !== size)
    throw new UserError(`${what}: needs ${size} bytes, and ${length} are said to be its data`);
  return { parts, offset: numberOf('offset', 0) };
}

async function readPart(
  folder: string,
  { parts, offset }: Place,
  size: number,
  what: string,
): Promise<Uint8Array> {
  const shown = parts.join('/');
  let handle: FileHandle | undefined;
  try {
    await refuseLinks(folder, parts, what);
    // O_NOFOLLOW and the look at the opened file hold even where a name changes its meaning meanwhile.
    const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
    handle = await open(join(folder, ...parts), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const status = await handle.stat();
    if (!status.isFile()) throw new UserError(`${what}: its data ${shown} are no plain file`);
    if (status.nlink > 1)
      throw new UserError(
        `${what}: its data ${shown} are a hard link to a file that has other names; copy it`,
      );
    if (offset + size > status.size) {
      throw new UserError(
        `${what}: its data are bytes ${offset} to ${offset + size} of ${shown}, which has ${status.size}`,
      );
    }
    const raw = new Uint8Array(size);
    let filled = 0;
    while (filled < size) {
      const { bytesRead } = await handle.read(raw, filled, size - filled, offset + filled);
      if (bytesRead === 0) throw new UserError(`${what}: its data ${shown} end early`);
      filled += bytesRead;
    }
    return raw;
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError(`${what}: cannot read its data ${shown}: ${reasonOf(cause)}`, { cause });
  } finally {
    await handle?.close();
  }
}

/** @throws UserError unless all on the way from the folder is there itself, not by a link */
async function refuseLinks(folder: string, parts: readonly string[], what: string): Promise<void> {
  for (let depth = 1; depth <= parts.length; depth++) {
    const status = await lstat(join(folder, ...parts.slice(0, depth)));
    if (status.isSymbolicLink())
      throw new UserError(
        `${what}: its data ${parts.join('/')} are behind a symbolic link; put the file itself there`,
      );
  }
}
