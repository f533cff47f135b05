import { UserError } from '../../schemas/errors.ts';
import { type Dimension, readModel, type ValueInfo } from '../../schemas/onnx/index.ts';
import type { HostTensor, HostTensors, Runner } from '../runner.ts';
import { compile, type InputShape } from './compile.ts';
import { Engine } from './engine.ts';
import { flatten } from './flat-graph.ts';
import { hasSimd } from './kernels.ts';
import { Programs } from './programs.ts';
import { stepperOf } from './stepper.ts';
import { holds, type Numbers, type NumberType, numberType, sizeOf } from './reference/index.ts';

export interface BitsOptions {
  /** Whether to use 128-bit SIMD; by default where the engine has it. */
  readonly simd?: boolean;
}

/** Bytes that an opened network holds. */
export interface MemoryUse {
  /** Packed weights, in every layout that its programs read. */
  readonly weights: number;
  /** All that is in use now: weights, thresholds, activations. */
  readonly now: number;
  /** The most that ever was in use. */
  readonly peak: number;
}

/** A network on the 1-bit engine. Everything is computed in this very thread. */
export interface BitsRunner extends Runner {
  runNow(feeds: HostTensors, outputs: readonly string[]): HostTensors;
  /** Bytes that the opened network holds. */
  memory(): MemoryUse;
  stepper: NonNullable<Runner['stepper']>;
  /** Bytes that a call with such feeds takes besides the weights. */
  bytes(feeds: HostTensors): number;
  /** Nodes of the last program that have no fast form, and why. */
  slow(): readonly string[];
}

/** Opens the bytes of an .onnx file. @throws UserError where a part of it cannot be computed here */
export async function openBits(
  bytes: Uint8Array,
  { simd = hasSimd() }: BitsOptions,
  what: string,
): Promise<BitsRunner> {
  const model = readModel(bytes, what);
  const graph = flatten(model, what);
  const engine = await Engine.open(graph, simd, what);
  const infos = new Map(graph.inputs.map((info) => [info.name as string, info]));
  const programs = new Programs(engine, graph);
  // One example, or one step of one: refuses here what would be refused at the first run.
  programs.of(new Map([...infos].map(([name, info]) => [name, smallest(info, what)])));

  const runNow = (feeds: HostTensors, outputs: readonly string[]): HostTensors => {
    const program = programs.of(checked(feeds, infos, what));
    for (const [name, { slot }] of program.inputs) slot.numbers = feeds[name] as Numbers;
    program.run();
    const found: Record<string, HostTensor> = {};
    for (const name of outputs) {
      const output = program.outputs.get(name);
      if (!output) {
        throw new UserError(
          `${what}: there is no output '${name}'; expected one of ${graph.outputs.join(', ')}`,
        );
      }
      found[name] = { type: output.type, dims: output.dims, data: output.read() };
    }
    return found;
  };
  return {
    outputs: graph.outputs,
    notes: simd ? [] : ['bits runs without SIMD, which this engine lacks: several times slower'],
    runNow,
    run: async (feeds, outputs) => runNow(feeds, outputs),
    stepper: (feeds, outputs, carried = []) =>
      stepperOf(programs, { shapes: checked(feeds, infos, what), feeds, outputs, carried, what }),
    bytes: (feeds) => {
      const { bytes, free } = compile(engine, graph, checked(feeds, infos, what));
      free();
      return bytes;
    },
    memory: () => ({ weights: engine.weightBytes, ...engine.heap.used }),
    slow: () => programs.last?.slow ?? [],
    release: async () => programs.close(),
  };
}

const isFixed = (dimension: Dimension): dimension is number => typeof dimension === 'number';

function smallest({ name, type, dims }: ValueInfo, what: string): InputShape {
  if (!dims) throw new UserError(`${what}: the input '${name}' has no shape; device bits needs its rank`);
  if (dims.some((size) => isFixed(size) && !(Number.isSafeInteger(size) && size > 0)))
    throw new UserError(`${what}: the input '${name}' is [${dims.join(', ')}]; expected sizes of 1 or more`);
  return { type: numberType(type, name), dims: dims.map((size) => (isFixed(size) ? size : 1)) };
}

/** The dims of what is fed. @throws UserError where that is not what the graph takes */
function checked(
  feeds: HostTensors,
  infos: ReadonlyMap<string, ValueInfo>,
  what: string,
): Map<string, InputShape> {
  const shapes = new Map<string, InputShape>();
  const sizes = new Map<string, number>();
  for (const [name, info] of infos) {
    const feed = feeds[name];
    if (!feed) throw new UserError(`${what}: there is nothing for the input '${name}'`);
    check(name, feed, info, sizes, what);
    shapes.set(name, feed as HostTensor & { type: NumberType });
  }
  return shapes;
}

function check(
  name: string,
  { type, dims, data }: HostTensor,
  info: ValueInfo,
  sizes: Map<string, number>,
  what: string,
): void {
  const wanted = info.dims as readonly Dimension[];
  const fits =
    dims.length === wanted.length &&
    dims.every((size, axis) => {
      const known = wanted[axis] as Dimension;
      if (!Number.isSafeInteger(size) || size < 1) return false;
      if (isFixed(known)) return known === size;
      // A name stands for one size wherever it is.
      const before = known === '' ? size : (sizes.get(known) ?? size);
      sizes.set(known, before);
      return before === size;
    });
  const right = type === info.type && holds(type, data);
  if (fits && right && data.length === sizeOf(dims)) return;
  throw new UserError(
    `${what}: the input '${name}' is ${info.type} [${wanted.join(', ')}]; got ${type} [${dims.join(', ')}] in an array of ${data.length}`,
  );
}
