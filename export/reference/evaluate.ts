import { reasonOf, UserError } from '../../schemas/errors.ts';
import {
  type FunctionDefinition,
  type Graph,
  type Model,
  type Node,
  tensorData,
} from '../../schemas/onnx/index.ts';
import { NodeAttributes } from './attributes.ts';
import { control } from './control.ts';
import { convolutions } from './convolutions.ts';
import { elementwise } from './elementwise.ts';
import { type Numbers, numbersOf } from './numbers.ts';
import type { Operators } from './operator.ts';
import { quantisation } from './quantisation.ts';
import { reductions } from './reductions.ts';
import { shaping } from './shape.ts';
import { sums } from './sums.ts';

const operators: Operators = {
  ...elementwise,
  ...shaping,
  ...sums,
  ...convolutions,
  ...reductions,
  ...quantisation,
  ...control,
};

/** Operators of ONNX that the reference knows. */
export const referenceOperators: readonly string[] = Object.keys(operators);

/** Values by name, and behind them those of the graph around. */
class Scope {
  readonly #values = new Map<string, Numbers>();
  readonly #around: Scope | undefined;

  constructor(around?: Scope) {
    this.#around = around;
  }

  get(name: string): Numbers | undefined {
    return this.#values.get(name) ?? this.#around?.get(name);
  }

  set(name: string, value: Numbers): void {
    if (name !== '') this.#values.set(name, value);
  }
}

/** How deep functions and graphs may hold one another: a function that calls itself ends here. */
const DEEPEST = 64;

/**
 * The reference of what a file means: every operator as the ONNX specification defines it, in float64, its results
 * rounded to their types, with no regard to speed. It shares nothing with what wrote the file or with any runtime.
 */
export class Reference {
  readonly #model: Model;
  readonly #functions: ReadonlyMap<string, FunctionDefinition>;
  /** What does not depend on the inputs: computed once. */
  readonly #constants = new Scope();

  /** @throws UserError where a tensor of the model cannot be read, or a constant cannot be computed */
  constructor(model: Model) {
    this.#model = model;
    this.#functions = new Map(
      model.functions.map((definition) => [
        keyOf(definition.domain, definition.name, definition.overload),
        definition,
      ]),
    );
    const { graph } = model;
    this.#initialise(graph, this.#constants);
    // An input that has an initialiser is one that may be given.
    const varying = new Set<string>(graph.inputs.map(({ name }) => name));
    for (const node of graph.nodes) {
      const isConstant =
        !control[node.op] &&
        !this.#functionOf(node) &&
        node.inputs.every((name) => name === '' || (!varying.has(name) && this.#constants.get(name)));
      if (isConstant) this.#runNode(node, this.#constants, undefined, 0);
    }
  }

  /**
   * Runs the graph.
   *
   * @param feeds its inputs by name
   * @param names values of the graph, its outputs or others
   * @throws UserError for a value that is not there, or an operator that the reference does not know
   */
  run(feeds: Readonly<Record<string, Numbers>>, names: readonly string[]): Record<string, Numbers> {
    const scope = new Scope(this.#constants);
    for (const [name, value] of Object.entries(feeds)) scope.set(name, value);
    for (const node of this.#model.graph.nodes) {
      if (node.outputs.every((name) => name === '' || this.#constants.get(name))) continue;
      this.#runNode(node, scope, undefined, 0);
    }
    return Object.fromEntries(names.map((name) => [name, valueIn(scope, name)]));
  }

  #initialise(graph: Graph, scope: Scope): void {
    for (const [name, tensor] of graph.initializers)
      scope.set(name, numbersOf(tensorData(tensor, name), name));
  }

  #runGraph(
    body: Graph,
    inputs: readonly (Numbers | undefined)[],
    around: Scope,
    call: NodeAttributes | undefined,
    depth: number,
  ) {
    const scope = new Scope(around);
    this.#initialise(body, scope);
    body.inputs.forEach(({ name }, index) => {
      const value = inputs[index];
      if (value) scope.set(name, value);
    });
    for (const node of body.nodes) this.#runNode(node, scope, call, depth);
    return body.outputs.map(({ name }) => valueIn(scope, name));
  }

  #runNode(node: Node, scope: Scope, call: NodeAttributes | undefined, depth: number): void {
    const attributes = new NodeAttributes(node.attributes, call);
    try {
      if (depth > DEEPEST) throw new UserError(`it is more than ${DEEPEST} graphs and functions deep`);
      const inputs = node.inputs.map((name) => (name === '' ? undefined : valueIn(scope, name)));
      const found = this.#outputsOf(node, inputs, attributes, scope, call, depth);
      node.outputs.forEach((name, index) => {
        const value = found[index];
        if (value) scope.set(name, value);
      });
    } catch (cause) {
      if (!(cause instanceof UserError) || cause instanceof AtNode) throw cause;
      throw new AtNode(`node ${node.name ?? node.outputs[0] ?? ''} (${node.op}): ${reasonOf(cause)}`, {
        cause,
      });
    }
  }

  #outputsOf(
    node: Node,
    inputs: readonly (Numbers | undefined)[],
    attributes: NodeAttributes,
    scope: Scope,
    call: NodeAttributes | undefined,
    depth: number,
  ): Numbers[] {
    const definition = this.#functionOf(node);
    if (definition) {
      const inner = new NodeAttributes(node.attributes, call, definition.defaults);
      return this.#runGraph(definition.body, inputs, new Scope(), inner, depth + 1);
    }
    const operator = isStandard(node.domain) ? operators[node.op] : undefined;
    if (!operator) throw new UserError(`the reference does not know this operator`);
    return operator(inputs, {
      attributes,
      outputs: node.outputs.length,
      run: (body, values) => this.#runGraph(body, values, scope, call, depth + 1),
    });
  }

  #functionOf({ domain, op, overload }: Node): FunctionDefinition | undefined {
    return this.#functions.get(keyOf(domain, op, overload));
  }
}

/** An error that says already at which node it was. */
class AtNode extends UserError {}

const isStandard = (domain: string | undefined): boolean => !domain || domain === 'ai.onnx';

const keyOf = (domain: string | undefined, name: string, overload: string | undefined): string =>
  JSON.stringify([domain ?? '', name, overload ?? '']);

function valueIn(scope: Scope, name: string): Numbers {
  const found = scope.get(name);
  if (!found) throw new UserError(`there is no value ${name}`);
  return found;
}
