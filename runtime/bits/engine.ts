import { Constants } from './constants.ts';
import { emitKernel } from './emit-kernel.ts';
import type { FlatGraph } from './flat-graph.ts';
import { openKernels, type Kernels } from './kernels.ts';
import type { Lowered } from './lanes.ts';
import { Heap } from './memory.ts';
import { type Weights, weightsOf } from './weights.ts';
import type { Numbers } from './reference/index.ts';

/** A compiled elementwise kernel; `parameters` in emit-kernel.ts says what it takes. */
export type Kernel = (
  table: number,
  from: number,
  to: number,
  rows: number,
  blocks: number,
  tail: number,
) => void;

/** Numbers of a vector that kernels may read beyond its end. */
const LANES = 16;

/** What all programs of one network share. */
export class Engine {
  readonly heap: Heap;
  readonly kernels: Kernels;
  readonly constants: Constants;
  readonly simd: boolean;
  /** Names the model in errors. */
  readonly what: string;
  readonly #compiled = new Map<string, Kernel>();
  readonly #vectors = new Map<string, number>();
  readonly #weights = new Map<string, Weights>();

  private constructor(heap: Heap, kernels: Kernels, constants: Constants, simd: boolean, what: string) {
    this.heap = heap;
    this.kernels = kernels;
    this.constants = constants;
    this.simd = simd;
    this.what = what;
  }

  static async open(graph: FlatGraph, simd: boolean, what: string): Promise<Engine> {
    const heap = new Heap();
    return new Engine(heap, await openKernels(heap, simd), new Constants(graph, what), simd, what);
  }

  /** The kernel of an expression; equal ones are compiled once. */
  kernel(lowered: Lowered): Kernel {
    const known = this.#compiled.get(lowered.key);
    if (known) return known;
    const module = new WebAssembly.Module(emitKernel(lowered, this.simd));
    const { memory } = this.heap;
    const { run } = new WebAssembly.Instance(module, { env: { memory } }).exports;
    this.#compiled.set(lowered.key, run as Kernel);
    return run as Kernel;
  }

  /** Where a vector is; equal ones are there once. */
  vector(data: Float32Array): number {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    let text = '';
    for (const byte of bytes) text += String.fromCharCode(byte);
    const known = this.#vectors.get(text);
    if (known !== undefined) return known;
    const { at } = this.heap.allocate((data.length + LANES) * 4);
    this.heap.bytes.set(bytes, at);
    this.#vectors.set(text, at);
    return at;
  }

  /** Packed weights, made once. @param key says what they are made of, and how */
  weights(key: string, arrange: () => Numbers): Weights {
    const known = this.#weights.get(key);
    if (known) return known;
    const made = weightsOf(this.heap, arrange);
    this.#weights.set(key, made);
    return made;
  }

  /** Bytes of all weights, as they lie in memory. */
  get weightBytes(): number {
    return [...this.#weights.values()].reduce((sum, { bytes }) => sum + bytes(), 0);
  }
}
