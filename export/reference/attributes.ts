import { UserError } from '../../schemas/errors.ts';
import {
  type Attribute,
  type AttributeType,
  type Graph,
  type Tensor,
  tensorData,
} from '../../schemas/onnx/index.ts';
import { type Numbers, numbersOf } from './numbers.ts';

type Values = ReadonlyMap<string, Attribute>;

/** The attributes of a node, with those that the body of a function takes from its call filled in. */
export class NodeAttributes {
  readonly #own: Values;
  readonly #call: NodeAttributes | undefined;
  readonly #defaults: Values | undefined;

  /** @param call attributes of the call of the function that the node is in, and the function's defaults */
  constructor(own: Values, call?: NodeAttributes, defaults?: Values) {
    this.#own = own;
    this.#call = call;
    this.#defaults = defaults;
  }

  has(name: string): boolean {
    return this.find(name) !== undefined;
  }

  int(name: string, otherwise?: number): number {
    return Number(this.#value(name, 'int', otherwise));
  }

  float(name: string, otherwise?: number): number {
    return Number(this.#value(name, 'float', otherwise));
  }

  string(name: string, otherwise?: string): string {
    return String(this.#value(name, 'string', otherwise));
  }

  /** Undefined where there is none. */
  ints(name: string): number[] | undefined {
    return (this.#value(name, 'ints', null) as readonly number[] | null)?.map(Number);
  }

  floats(name: string): readonly number[] {
    return this.#value(name, 'floats') as readonly number[];
  }

  graph(name: string): Graph {
    return this.#value(name, 'graph') as Graph;
  }

  tensor(name: string): Numbers {
    return numbersOf(tensorData(this.#value(name, 'tensor') as Tensor, name), name);
  }

  /** What the file says of it, at the end of all references. */
  find(name: string): Attribute | undefined {
    const own = this.#own.get(name) ?? this.#defaults?.get(name);
    return own?.type === 'reference' ? this.#call?.find(own.to) : own;
  }

  #value(name: string, type: AttributeType, otherwise?: unknown): unknown {
    const found = this.find(name);
    if (found?.type === type) return found.value;
    if (found) throw new UserError(`its attribute ${name} is a ${found.type}; expected a ${type}`);
    if (otherwise === undefined) throw new UserError(`it lacks its attribute ${name}`);
    return otherwise;
  }
}
