import { reasonOf, UserError } from '../../schemas/errors.ts';
import { type Tensor, tensorData } from '../../schemas/onnx/index.ts';
import type { FlatGraph, FlatNode } from './flat-graph.ts';
import { type Numbers, type NumberType, numbersOf, referenceOf } from './reference/index.ts';
import { checkTypes } from './signatures.ts';

/** What is computed once is kept up to this size (bytes): unpacked weights are much larger than packed ones. */
const KEPT = 65536;

/** Why a part of a model cannot be computed; what was found below may have named the model already. */
export function errorIn(what: string, cause: unknown): UserError {
  const reason = reasonOf(cause);
  return new UserError(reason.startsWith(`${what}: `) ? reason : `${what}: ${reason}`, { cause });
}

/** The values that are the same whatever goes in: initializers, and what is computed of them. */
export class Constants {
  readonly #initializers = new Map<string, Tensor>();
  readonly #nodes = new Map<string, FlatNode>();
  readonly #kept = new Map<string, Numbers>();
  readonly #dims = new Map<string, readonly number[]>();
  readonly #types = new Map<string, NumberType>();
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
    this.#types.set(name, found.type);
    if (found.data.byteLength <= KEPT) this.#kept.set(name, found);
    return found;
  }

  /** Its shape, which is kept however large it is. */
  dims(name: string): readonly number[] {
    return this.#dims.get(name) ?? this.get(name).dims;
  }

  /** Its type, which is kept too. */
  type(name: string): NumberType {
    return this.#types.get(name) ?? this.get(name).type;
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
      if (node) {
        const inputs = node.inputs.map((input) => (input ? this.get(input) : undefined));
        checkTypes(
          node,
          inputs.map((input) => input?.type),
        );
        const output = referenceOf(node)?.(node, inputs)[node.outputs.indexOf(name)];
        if (output) return output;
      }
    } catch (cause) {
      throw errorIn(this.#what, cause);
    }
    throw new Error(`no constant '${name}'`);
  }
}
