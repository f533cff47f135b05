import {
  type FunctionDefinition,
  type Graph,
  type Node,
  outline,
  type Section,
} from '../schemas/onnx/index.ts';

/** The domain of the functions that layers are written as. */
export const functionDomain = 'bitspike';

/** Which layer each node of a graph belongs to, noted as it is written. */
export class Sections {
  readonly #graph: Graph;
  readonly #of = new Map<Node, Section>();
  readonly #known = new Map<string, Section>();
  #current: Section | undefined;
  #noted = 0;

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  /** Nodes that are written from now on belong to that. */
  enter(section: Section | undefined): void {
    const { nodes } = this.#graph;
    if (this.#current) for (const node of nodes.slice(this.#noted)) this.#of.set(node, this.#current);
    this.#noted = nodes.length;
    this.#current = section;
  }

  /** Nodes that `write` writes belong to that, and those after it to what those before did. */
  within<T>(section: Section | undefined, write: () => T): T {
    const outer = this.#current;
    this.enter(section);
    const written = write();
    this.enter(outer);
    return written;
  }

  /** A layer by the name that its values have, `1.lif`, and what it is called. */
  named(label: string, name = functionName(label)): Section {
    const key = `${name} ${label}`;
    const section = this.#known.get(key) ?? { name, label };
    this.#known.set(key, section);
    return section;
  }

  readonly of = (node: Node): Section | undefined => this.#of.get(node);
}

/** `0.dense` → Dense, `member2.3.residual.1.adaptiveLif` → AdaptiveLIF: the kind of the layer, as a name. */
export function functionName(label: string): string {
  const kind = label.split('.').at(-1) as string;
  const capital = kind.charAt(0).toUpperCase() + kind.slice(1);
  const name = capital.replace(/(L?)[Ii]f$/, (_, leaky: string) => `${leaky}IF`);
  return operatorNames.has(name) ? `${name}Layer` : name;
}

/** Kinds that ONNX has operators of the same name for: its own evaluator takes one for the other, whatever the domain. */
const operatorNames: ReadonlySet<string> = new Set([
  'AveragePool',
  'MaxPool',
  'GlobalAveragePool',
  'Flatten',
]);

/** `0.dense.weight` → `0.dense`: the layer of a parameter. */
export const ownerOf = (parameter: string): string => parameter.slice(0, parameter.lastIndexOf('.'));

/** Layers as calls of functions; the values that can be observed stay values of the graph. */
export const outlined = (
  graph: Graph,
  sections: Sections,
  observable: readonly string[],
  opset: number,
): FunctionDefinition[] =>
  outline(graph, {
    domain: functionDomain,
    opsets: new Map([['', opset]]),
    sectionOf: sections.of,
    keep: new Set(observable),
    isConstant: (value) => value.startsWith('constant_'),
  });
