import type { Graph, TensorData, Value } from '../schemas/onnx/index.ts';

/** How many bits a byte holds. */
const BITS = 8;

/** Packs −1 and +1 into bits, 0 for −1 and 1 for +1, the first in the lowest bit of the first byte. */
export function packBits(signs: Int8Array): Uint8Array {
  const packed = new Uint8Array(Math.ceil(signs.length / BITS));
  for (let index = 0; index < signs.length; index++) {
    if ((signs[index] as number) > 0)
      packed[index >> 3] = (packed[index >> 3] as number) | (1 << (index & 7));
  }
  return packed;
}

/** What the names of the tables begin with. */
export const tablePrefix = 'signs.';

/** The eight values, −1 or +1 plus `zero`, that each byte stands for: [256, 8]. */
const table = <T extends Int8Array | Uint8Array | Float32Array>(into: T, zero = 0): T => {
  for (let index = 0; index < into.length; index++)
    into[index] = zero + (((index >> 3) >> (index & 7)) & 1 ? 1 : -1);
  return into;
};

const tables = {
  int8: (): TensorData => ({ type: 'int8', dims: [256, BITS], data: table(new Int8Array(256 * BITS)) }),
  /** 0 and 2: −1 and +1 to a kernel that takes 1 for zero. */
  uint8: (): TensorData => ({ type: 'uint8', dims: [256, BITS], data: table(new Uint8Array(256 * BITS), 1) }),
  float32: (): TensorData => ({
    type: 'float32',
    dims: [256, BITS],
    data: table(new Float32Array(256 * BITS)),
  }),
};

/** What binary weights are unpacked to. */
export type WeightType = keyof typeof tables;

/**
 * Writes binary weights into graphs at one bit each, with operators of standard ONNX that unpack them: look up
 * each byte in a table of eight values. onnxruntime does it once, when it opens the model.
 */
export class PackedWeights {
  readonly #graph: Graph;
  readonly #floats: boolean;
  readonly #tables = new Map<string, Value>();
  readonly #unpacked = new Map<string, Value>();

  /** @param floats whether all kernels that run the graph know float32, and perhaps no bytes */
  constructor(graph: Graph, floats = false) {
    this.#graph = graph;
    this.#floats = floats;
  }

  /**
   * @param name of the initializer that holds the bits
   * @returns −1 and +1 as `type`, 0 and 2 as uint8, of the given shape
   */
  unpack(name: string, signs: Int8Array, shape: readonly number[], type: WeightType): Value {
    const known = this.#unpacked.get(name);
    const value = known ?? this.#unpack(name, signs, shape, type);
    this.#unpacked.set(name, value);
    return value;
  }

  #unpack(name: string, signs: Int8Array, shape: readonly number[], type: WeightType): Value {
    const graph = this.#graph;
    const packed = packBits(signs);
    const bits = graph.initializer(name, { type: 'uint8', dims: [packed.length], data: packed });
    const index = graph.node('Cast', [bits], { to: 6 });
    // Of bytes, a table takes a quarter of what it takes of floats.
    const isCast = type === 'float32' && !this.#floats;
    const found = graph.node('Gather', [this.#table(isCast ? 'int8' : type), index], { axis: 0 });
    const rows = isCast ? graph.node('Cast', [found], { to: 1 }) : found;
    const spare = packed.length * BITS - signs.length;
    const list = (values: readonly number[]) =>
      graph.constant({ type: 'int64', dims: [values.length], data: BigInt64Array.from(values, BigInt) });
    if (spare === 0) return graph.node('Reshape', [rows, list(shape)]);
    const flat = graph.node('Reshape', [rows, list([-1])]);
    return graph.node('Reshape', [graph.node('Slice', [flat, list([0]), list([signs.length])]), list(shape)]);
  }

  #table(type: keyof typeof tables): Value {
    const known = this.#tables.get(type);
    if (known) return known;
    const made = this.#graph.initializer(tablePrefix + type, tables[type]());
    this.#tables.set(type, made);
    return made;
  }
}
