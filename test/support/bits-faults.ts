/** What the 1-bit engine makes of a damaged file, held against onnxruntime and against what the file means. */
import { Reference } from '../../export/reference/index.ts';
import { openBits } from '../../runtime/bits/runner.ts';
import type { HostTensor, HostTensors } from '../../runtime/runner.ts';
import { UserError } from '../../schemas/errors.ts';
import { sizeOf } from '../../schemas/layer.ts';
import { readModel, type ValueInfo } from '../../schemas/onnx/index.ts';
import { Random } from '../../schemas/random.ts';
import { openPlain } from './plain-sessions.ts';

/**
 * `refused`: with one line. `same`: as onnxruntime. `as defined`: not as onnxruntime, but as ONNX says. `alone`:
 * onnxruntime refuses the file. Anything else is a fault.
 */
export type Verdict = 'refused' | 'same' | 'as defined' | 'alone' | { readonly fault: string };

/** Numbers that are fed, at most: a size that was changed can be anything. */
const MOST = 100_000;

const arrays = {
  uint8: Uint8Array,
  int8: Int8Array,
  int32: Int32Array,
  float32: Float32Array,
  bool: Uint8Array,
} as const;

/** Something to feed a graph; undefined where an input cannot be fed. */
export function feedsOf(inputs: readonly ValueInfo[], seed: number): HostTensors | undefined {
  const random = Random.fromSeed(seed, 'feeds');
  const feeds: Record<string, HostTensor> = {};
  for (const { name, type, dims } of inputs) {
    if (!dims || !type || !Object.hasOwn(arrays, type)) return undefined;
    const sizes = dims.map((size) => (typeof size === 'number' ? size : 2));
    const length = sizeOf(sizes);
    if (!(length > 0 && length <= MOST && sizes.every((size) => size > 0))) return undefined;
    const known = type as keyof typeof arrays;
    const isState = name.startsWith('state.');
    const data = new arrays[known](length);
    if (!isState) for (let at = 0; at < length; at++) data[at] = random.nextBelow(2);
    feeds[name] = { type: known, dims: sizes, data };
  }
  return feeds;
}

const isRefusal = (thrown: unknown): boolean =>
  thrown instanceof UserError && !thrown.message.includes('\n') && thrown.message.length < 2000;

/** Opens and runs a file on the engine and elsewhere. */
export async function judge(bytes: Uint8Array, seed: number, elsewhere = true): Promise<Verdict> {
  let found: HostTensors;
  let feeds: HostTensors | undefined;
  try {
    const runner = await openBits(bytes, { simd: seed % 4 > 0 }, 'damaged');
    feeds = feedsOf(readModel(bytes).graph.inputs, seed);
    if (!feeds) return 'refused';
    // Twice: what a run leaves behind must not change the next.
    runner.runNow(feeds, runner.outputs);
    found = runner.runNow(feeds, runner.outputs);
    await runner.release();
  } catch (error) {
    return isRefusal(error) ? 'refused' : { fault: String((error as Error).stack ?? error) };
  }
  if (!elsewhere) return 'alone';
  const theirs = await outputsOf(bytes, feeds, 'all');
  if (!theirs) {
    const defined = definedOutputs(bytes, feeds, Object.keys(found));
    const gap = defined && differenceOf(found, defined);
    return gap === undefined ? 'alone' : { fault: `${gap} (the reference)` };
  }
  const gap = differenceOf(found, theirs);
  if (gap === undefined) return 'same';
  const others = [
    await outputsOf(bytes, feeds, 'disabled'),
    definedOutputs(bytes, feeds, Object.keys(found)),
  ];
  if (others.some((each) => each && differenceOf(found, each) === undefined)) return 'as defined';
  return { fault: gap };
}

const outputsOf = (bytes: Uint8Array, feeds: HostTensors, optimisation: 'all' | 'disabled') =>
  openPlain(bytes, 'cpu', optimisation)
    .then((session) => session.run(feeds).finally(() => session.release()))
    .catch(() => undefined);

function definedOutputs(
  bytes: Uint8Array,
  feeds: HostTensors,
  names: readonly string[],
): HostTensors | undefined {
  try {
    return new Reference(readModel(bytes)).run(feeds as never, names) as unknown as HostTensors;
  } catch {
    return undefined;
  }
}

/** What two runs say differently: shapes, types, or numbers by more than rounding. */
function differenceOf(ours: HostTensors, theirs: HostTensors): string | undefined {
  for (const [name, { type, dims, data }] of Object.entries(theirs)) {
    const own = ours[name];
    if (own?.dims.join() !== dims.join() || own.type !== type)
      return `${name} is ${own?.type} [${own?.dims}], elsewhere ${type} [${dims}]`;
    let largest = 1;
    for (const value of data)
      if (Math.abs(Number(value)) < Infinity) largest = Math.max(largest, Math.abs(Number(value)));
    const place = Array.prototype.findIndex.call(data, (value: number | bigint, at: number) => {
      const [a, b] = [Number(value), Number(own.data[at])];
      return !(Object.is(a, b) || a === b || Math.abs(a - b) <= 1e-4 * largest);
    });
    if (place >= 0) return `${name}[${place}] is ${own.data[place]}, elsewhere ${data[place]}`;
  }
  return undefined;
}
