import type { Shape } from '../schemas/layer.ts';
import type { StateDescription } from '../schemas/description.ts';
import type { Dimension, Graph, Value } from '../schemas/onnx/index.ts';

/** What a network carries from one call to the next: inputs and outputs of its graph, zeros before the first call. */
export class States {
  readonly #graph: Graph;
  readonly #states: StateDescription[] = [];

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  /** The state as the call before left it. @param features its shape for one example */
  before(name: string, features: Shape): Value {
    const dims: Dimension[] = ['batch', ...features];
    const state = {
      name,
      input: `state.${name}`,
      output: this.nameAfter(name),
      type: 'float32',
      dims,
    } as const;
    this.#states.push(state);
    return this.#graph.input(state.input, state.type, dims);
  }

  /** What the value of the state after the call is named. */
  nameAfter(name: string): string {
    return `next.${name}`;
  }

  /** Declares all states as outputs; those that their graph's values are named after must be there. */
  finish(): readonly StateDescription[] {
    for (const { output, type, dims } of this.#states) this.#graph.output(output as Value, type, dims);
    return this.#states;
  }
}
