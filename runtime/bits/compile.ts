import { reasonOf, UserError } from '../../schemas/errors.ts';
import { Builder } from './builder.ts';
import { errorIn } from './constants.ts';
import type { Engine } from './engine.ts';
import { type Read, reader, toHost, toRows } from './exchange.ts';
import { type FlatGraph, type FlatNode, intOf } from './flat-graph.ts';
import { placeOf } from './layers.ts';
import { OutOfMemory } from './memory.ts';
import { elementwise } from './operators/elementwise.ts';
import { layout } from './operators/layout.ts';
import type { Inputs, Operator } from './operators/operator.ts';
import { overTime } from './operators/over-time.ts';
import { pools } from './operators/pools.ts';
import { scan } from './operators/scan.ts';
import { softmax } from './operators/softmax.ts';
import { sums } from './operators/sums.ts';
import { withWholes } from './operators/wholes.ts';
import { scanReference } from './reference/scan.ts';
import { type Numbers, type NumberType, referenceOf, tensorOf } from './reference/index.ts';
import { checkTypes } from './signatures.ts';
import { constantOf, dimsOf, type HostValue, typeOf, Unfit, type Value } from './values.ts';

/** Operators that have a fast form for rows. */
const operators: Readonly<Record<string, Operator>> = withWholes({
  ...elementwise,
  ...layout,
  ...sums,
  ...pools,
  ...overTime,
  Softmax: softmax,
});

/** A graph as steps over memory, for inputs of certain dims. */
export interface Program {
  /** Runs on what the slots of the inputs hold. */
  run(): void;
  readonly inputs: ReadonlyMap<string, HostValue>;
  /** What the outputs of the last run are. */
  readonly outputs: ReadonlyMap<string, ProgramOutput>;
  /** Bytes of its memory, without weights. */
  readonly bytes: number;
  /** Nodes that are computed by their definition, one by one. */
  readonly slow: readonly string[];
  free(): void;
}

/** An output: its shape, and how it is read. */
export interface ProgramOutput extends InputShape {
  readonly read: Read;
}

/** Type and dims of an input. */
export interface InputShape {
  readonly type: NumberType;
  readonly dims: readonly number[];
}

/** @throws UserError where a node cannot be computed here */
export function compile(engine: Engine, graph: FlatGraph, shapes: ReadonlyMap<string, InputShape>): Program {
  const builder = new Builder(engine);
  const free = (): void => {
    for (const block of builder.blocks.splice(0)) engine.heap.free(block);
  };
  try {
    return assemble(builder, graph, shapes, free);
  } catch (error) {
    free();
    throw error;
  }
}

function assemble(
  builder: Builder,
  graph: FlatGraph,
  shapes: ReadonlyMap<string, InputShape>,
  free: () => void,
): Program {
  const slow: string[] = [];
  const inputs = new Map<string, HostValue>();
  for (const [name, { type, dims }] of shapes) inputs.set(name, { kind: 'host', type, dims, slot: {} });
  const values = walkGraph(builder, graph, inputs, new Set(inputs.values()), slow);
  const outputs = new Map<string, ProgramOutput>();
  for (const name of graph.outputs) {
    const value = valueIn(builder.engine, values, name);
    const { what } = builder.engine;
    if (!value) throw new UserError(`${what}: the output '${name}' is not a value of the graph`);
    if (value.kind === 'rows') {
      const read = fitted(what, name, () => reader(builder, value));
      outputs.set(name, { type: value.type, dims: value.dims, read });
    } else {
      const { type, dims, slot } = toHost(builder, value);
      outputs.set(name, { type, dims, read: (into) => copied((slot.numbers as Numbers).data, into) });
    }
  }
  const { steps } = builder;
  const run = (): void => {
    for (let index = 0; index < steps.length; index++) (steps[index] as (time: number) => void)(0);
  };
  const bytes = builder.blocks.reduce((sum, block) => sum + block.bytes, 0);
  return { run, inputs, outputs, bytes, slow, free };
}

/** What comes out belongs to the caller. */
function copied(data: Numbers['data'], into: Numbers['data'] | undefined): Numbers['data'] {
  if (!into) return data.slice() as Numbers['data'];
  into.set(data as never);
  return into;
}

function fitted<T>(what: string, name: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof Unfit)) throw error;
    throw new UserError(
      `${what}: device bits cannot compute '${name}' (${error.message}); open the model on device cpu`,
    );
  }
}

type Values = ReadonlyMap<string, Value>;

const valueIn = ({ constants }: Engine, values: Values, name: string): Value | undefined =>
  values.get(name) ??
  (constants.has(name)
    ? {
        kind: 'constant',
        name,
        dims: () => constants.dims(name),
        type: () => constants.type(name),
        numbers: () => constants.get(name),
      }
    : undefined);

/** Computes the values of a graph. @param fresh inputs that may come into memory on whatever axis is wanted */
function walkGraph(
  builder: Builder,
  graph: FlatGraph,
  given: Values,
  fresh: ReadonlySet<Value>,
  slow: string[],
): Values {
  const values = new Map<string, Value>(given);
  const rows = new Map<Value, Value>();
  const { engine } = builder;
  /** Inputs of the graph lie in memory with their features last. */
  const staged = (value: Value | undefined): Value | undefined => {
    if (value?.kind !== 'host' || !fresh.has(value) || value.dims.length === 0) return value;
    const known = rows.get(value);
    if (known) return known;
    let found: Value = value;
    try {
      found = toRows(builder, value, value.dims.length - 1);
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
    }
    rows.set(value, found);
    return found;
  };
  for (const node of graph.nodes) {
    if (node.outputs.every((output) => output === '' || engine.constants.has(output))) continue;
    const inputs = node.inputs.map((input) => {
      const found = input ? valueIn(engine, values, input) : undefined;
      if (input && !found)
        throw new UserError(
          `${engine.what}: ${node.op} '${node.name}' reads '${input}', which nothing computes`,
        );
      return found;
    });
    const results = computed(builder, node, inputs, staged, slow, values);
    node.outputs.forEach((output, index) => {
      const result = results[index];
      if (output && result) values.set(output, result);
    });
  }
  return values;
}

function computed(
  builder: Builder,
  node: FlatNode,
  inputs: Inputs,
  staged: (value: Value | undefined) => Value | undefined,
  slow: string[],
  around: Values,
): readonly Value[] {
  if (node.op === 'Shape') return [constantOf(shapeOf(node, inputs))];
  const reference = referenceOf(node);
  const { what } = builder.engine;
  try {
    checkTypes(
      node,
      inputs.map((input) => input && typeOf(input)),
    );
    if (reference && inputs.every((input) => !input || input.kind === 'constant'))
      return reference(
        node,
        inputs.map((input) => (input?.kind === 'constant' ? input.numbers() : undefined)),
      ).map(constantOf);
  } catch (cause) {
    throw errorAt(what, node, cause);
  }
  let why = 'it has no such operator';
  try {
    const fast = Object.hasOwn(operators, node.op) ? operators[node.op] : undefined;
    if (fast) return fast(builder, node, inputs.map(staged));
    if (node.op === 'Scan') {
      // States come into memory on the axis that the loop wants them.
      const states = inputs.length - intOf(node, 'num_scan_inputs', 0);
      // Sums that the body sees are computed once, before it.
      for (const value of seenBy(node, around)) if (value.kind === 'rows') builder.complete(value.expression);
      const given = inputs.map((input, index) => (index < states ? input : staged(input)));
      return scan(builder, node, given, (inner, body, values) => {
        const named = new Map(around);
        body.inputs.forEach(({ name }, index) => named.set(name, values[index] as Value));
        const found = walkGraph(inner, body, named, new Set(), slow);
        return body.outputs.map((name) => {
          const value = valueIn(inner.engine, found, name);
          if (!value) throw new UserError(`${what}: the loop '${node.name}' lacks '${name}'`);
          return value;
        });
      });
    }
  } catch (error) {
    if (error instanceof UserError && !(error instanceof OutOfMemory)) throw errorAt(what, node, error);
    if (!(error instanceof Unfit)) throw error;
    why = error.message;
    // Steps that were written before it was clear stay: what they compute may be known to be there already.
  }
  if (builder.inLoop) throw new Unfit(`${node.op} in a loop: ${why}`);
  const plainly = node.op === 'Scan' ? scanReference(node, around, builder.engine) : reference;
  if (!plainly) {
    throw new UserError(
      `${what}: device bits cannot compute ${placeOf(node)} (${why}); open the model on device cpu`,
    );
  }
  slow.push(`${node.op} '${node.name}': ${why}`);
  return byDefinition(builder, node, inputs, plainly);
}

/** Why a node cannot be computed, after its layer where it is of one and is not named yet. */
const errorAt = (what: string, { layer }: FlatNode, cause: unknown): UserError =>
  errorIn(
    layer === undefined || reasonOf(cause).startsWith(`${what}: `) ? what : `${what}: the layer ${layer}`,
    cause,
  );

/** Values of the graph around that the bodies of a node read. */
const seenBy = ({ bodies }: FlatNode, around: Values): readonly Value[] =>
  [...bodies.values()].flatMap(({ nodes, outputs }) =>
    [...nodes.flatMap(({ inputs }) => inputs), ...outputs].flatMap((name) => around.get(name) ?? []),
  );

/** The dims of a value, which are known. */
function shapeOf(node: FlatNode, [x]: Inputs): Numbers {
  if (!x) throw new UserError(`Shape '${node.name}' lacks its input`);
  const dims = dimsOf(x);
  const part = dims.slice(intOf(node, 'start', 0), intOf(node, 'end', dims.length));
  return tensorOf('int64', [part.length], part);
}

/** A step that computes a node as its definition says. Zeros tell the dims of what it gives. */
function byDefinition(
  builder: Builder,
  node: FlatNode,
  inputs: Inputs,
  reference: NonNullable<ReturnType<typeof referenceOf>>,
): readonly Value[] {
  const hosts = inputs.map((input) => input && toHost(builder, input));
  const { what } = builder.engine;
  const call = (numbers: readonly (Numbers | undefined)[]): readonly Numbers[] => {
    try {
      return reference(node, numbers);
    } catch (cause) {
      throw errorAt(what, node, cause);
    }
  };
  const zeros = hosts.map(
    (host) =>
      host &&
      (host.slot.numbers ??
        tensorOf(host.type, host.dims, new Float64Array(host.dims.reduce((a, b) => a * b, 1)))),
  );
  const results = call(zeros).map(({ type, dims }): HostValue => ({ kind: 'host', type, dims, slot: {} }));
  builder.steps.push(() => {
    const found = call(hosts.map((host) => host?.slot.numbers));
    results.forEach(({ slot }, index) => {
      slot.numbers = found[index];
    });
  });
  return results;
}
