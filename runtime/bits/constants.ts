import { reasonOf, UserError } from '../../schemas/errors.ts';
import { type Tensor, tensorData } from '../../schemas/onnx/index.ts';
import type { FlatGraph, FlatNode } from './flat-graph.ts';
import { type Numbers, numbersOf, referenceOf } from './reference/index.ts';

/** What is computed once is kept up to this size (bytes): unpacked weights are much larger than packed ones. */
const KEPT = 65536;

/** The values that are the same whatever goes in: initializers, and what is computed of them. */
export class Constants {
  readonly #initializers = new Map<string, Tensor>();
  readonly #nodes = new Map<string, FlatNode>();
  readonly #kept = new Map<string, Numbers>();
  readonly #dims = new Map<string, readonly number[]>();
  readonly #what: string;

  constructor(graph: FlatGraph, what: string) {
    this.#what = what;
    this.#collect(graph);
  }

  has(name: string): boolean {
    return this.#initializers.has(name) || this.#nodes.has(name);
  }

  /** @throws UserError where it cannot be computed */
  get(name: string): Numbers {
    const kept = this.#kept.get(name);
    if (kept) return kept;
    const found = this.#compute(name);
    this.#dims.set(name, found.dims);
    if (found.data.byteLength <= KEPT) this.#kept.set(name, found);
    return found;
  }

  /** Its shape, which is kept however large it is. */
  dims(name: string): readonly number[] {
    return this.#dims.get(name) ?? this.get(name).dims;
  }

  #collect({ initializers, nodes }: FlatGraph): void {
    for (const [name, tensor] of initializers) this.#initializers.set(name, tensor);
    for (const node of nodes) {
      for (const body of node.bodies.values()) this.#collect(body);
      const inputs = node.inputs.filter(Boolean);
      if (node.bodies.size > 0 || !referenceOf(node) || !inputs.every((input) => this.has(input))) continue;
      for (const output of node.outputs) if (output) this.#nodes.set(output, node);
    }
  }

  #compute(name: string): Numbers {
    const tensor = this.#initializers.get(name);
    const node = this.#nodes.get(name);
    try {
      if (tensor) return numbersOf(tensorData(tensor, name), name);
      const found =
        node &&
        referenceOf(node)?.(
          node,
          node.inputs.map((input) => (input ? this.get(input) : undefined)),
        );
      const output = found?.[node?.outputs.indexOf(name) ?? 0];
      if (output) return output;
    } catch (cause) {
      throw new UserError(`${this.#what}: ${reasonOf(cause)}`, { cause });
    }
    throw new Error(`no constant '${name}'`);
  }
}
