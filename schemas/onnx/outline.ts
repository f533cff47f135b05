import type { Attribute } from './attribute.ts';
import { definitionOf } from './function-body.ts';
import type { Graph, Node, Value } from './graph.ts';
import type { FunctionDefinition, Opsets } from './model.ts';
import { keyOf, plainAttributes, type Run, runsOf, type Section, textOf } from './outline-run.ts';
import { valuesRead } from './passes.ts';
import type { Tensor } from './tensor.ts';

export type { Section } from './outline-run.ts';

export interface OutlineOptions {
  readonly domain: string;
  /** The versions of the operators that the graph uses. */
  readonly opsets: Opsets;
  /** What each node belongs to; nodes of nothing stay as they are. */
  readonly sectionOf: (node: Node) => Section | undefined;
  /** Values that stay values of the graph, whoever uses them. */
  readonly keep?: ReadonlySet<string>;
  /** Which initializers become constants of a function where all its calls have the same. */
  readonly isConstant: (value: Value) => boolean;
}

/** What the calls of a function have in common. */
export interface Common {
  /** Inputs that are constants of the function, by where they are among the inputs of a run. */
  readonly constants: ReadonlyMap<number, Tensor>;
  /** Attributes of nodes that are attributes of the function: its name of each, by where it is in a run. */
  readonly attributes: ReadonlyMap<number, string>;
}

/**
 * Puts nodes of a graph into functions of the model, each section a call, so that a viewer shows what belongs together.
 * Sections that do the same become calls of one function: what of their attributes and constants differs between
 * them becomes attributes and inputs of it. Inlined, the graph is what it was.
 *
 * @returns the functions; the graph calls them
 */
export function outline(graph: Graph, options: OutlineOptions): FunctionDefinition[] {
  const { domain, opsets, sectionOf, keep = new Set<string>(), isConstant } = options;
  const constantOf = (value: Value): Tensor | undefined =>
    isConstant(value) ? graph.initializers.get(value) : undefined;
  const parts = runsOf(graph, sectionOf, keep);
  const alike = new Map<string, Run[]>();
  for (const part of parts) {
    if (!('section' in part)) continue;
    const key = keyOf(part, (value) => constantOf(value) !== undefined);
    alike.set(key, [...(alike.get(key) ?? []), part]);
  }
  const counts = new Map<string, number>();
  const functions: FunctionDefinition[] = [];
  const calls = new Map<Run, Node>();
  for (const runs of alike.values()) {
    const [first] = runs as [Run];
    const count = (counts.get(first.section.name) ?? 0) + 1;
    counts.set(first.section.name, count);
    const name = count === 1 ? first.section.name : `${first.section.name}_${count}`;
    const common = commonOf(runs, constantOf);
    functions.push({ domain, name, opsets, ...definitionOf(first, name, common, graph.initializers) });
    for (const run of runs) calls.set(run, callOf(run, domain, name, common));
  }
  const nodes = named(
    parts.map((part) => ('section' in part ? (calls.get(part) as Node) : part)),
    domain,
  );
  const used = new Set<string>([...nodes.flatMap(valuesRead), ...graph.outputs.map(({ name }) => name)]);
  graph.replace({ nodes, initializers: new Map([...graph.initializers].filter(([name]) => used.has(name))) });
  return functions;
}

/** Calls with names that no other has: a section in several runs is called as often. Other nodes go without one. */
function named(nodes: readonly Node[], domain: string): Node[] {
  const taken = new Set<string>();
  return nodes.map((node) => {
    if (node.domain !== domain) return { ...node, name: undefined };
    let { name } = node;
    for (let count = 2; name !== undefined && taken.has(name); count++) name = `${node.name}_${count}`;
    if (name !== undefined) taken.add(name);
    return { ...node, name };
  });
}

const isSame = (texts: readonly string[]): boolean => texts.every((text) => text === texts[0]);

function commonOf(runs: readonly Run[], constantOf: (value: Value) => Tensor | undefined): Common {
  const [first] = runs as [Run];
  const constants = new Map<number, Tensor>();
  first.inputs.forEach((value, index) => {
    const tensor = constantOf(value);
    const texts = tensor && runs.map(({ inputs }) => textOf(constantOf(inputs[index] as Value)));
    if (texts && isSame(texts)) constants.set(index, tensor);
  });
  const listed = runs.map(plainAttributes);
  const attributes = new Map<number, string>();
  const taken = new Set<string>();
  listed[0]?.forEach(([name], index) => {
    if (isSame(listed.map((list) => textOf(list[index]?.[1])))) return;
    let own = name;
    for (let count = 2; taken.has(own); count++) own = `${name}_${count}`;
    taken.add(own);
    attributes.set(index, own);
  });
  return { constants, attributes };
}

function callOf(run: Run, domain: string, op: string, { constants, attributes }: Common): Node {
  const listed = plainAttributes(run);
  return {
    op,
    domain,
    name: run.section.label,
    inputs: run.inputs.filter((_, index) => !constants.has(index)),
    outputs: run.outputs,
    attributes: new Map([...attributes].map(([index, name]) => [name, listed[index]?.[1] as Attribute])),
  };
}
