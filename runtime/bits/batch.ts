import { describe } from '../../schemas/description.ts';
import { UserError } from '../../schemas/errors.ts';
import type { Dimension, Model } from '../../schemas/onnx/index.ts';
import type { HostTensor, HostTensors } from '../runner.ts';
import { arrayOf, holds, type NumberType, numberType, sizeOf } from './reference/index.ts';

/** What the exporter calls the axis of the examples. */
const EXAMPLES = 'batch';

/** Where the examples of a tensor are: an axis of theirs, or the first one, of [time × batch, …]. */
type Place = number | 'folded';

/**
 * Where a graph has its examples, as plain data. Only files of this toolkit tell: that examples do not depend on each
 * other follows from how they were exported, not from the name of an axis.
 */
export interface BatchAxes {
  /** Of every input of the graph. */
  readonly inputs: Readonly<Record<string, number>>;
  readonly types: Readonly<Record<string, NumberType>>;
  /** Of those outputs that have one. */
  readonly outputs: Readonly<Record<string, Place>>;
}

/** Where a file has its examples; undefined where it does not say. */
export function batchAxesOf(model: Model, what: string): BatchAxes | undefined {
  const layers = layersOf(model, what);
  if (!layers) return undefined;
  const inputs: Record<string, number> = {};
  const types: Record<string, NumberType> = {};
  for (const { name, type, dims } of model.graph.inputs) {
    const axis = axisOf(dims);
    if (axis === undefined) return undefined;
    inputs[name] = axis;
    types[name] = numberType(type, name);
  }
  const outputs: Record<string, Place> = {};
  for (const { name, dims } of model.graph.outputs) {
    const place = dims ? axisOf(dims) : layers.has(name) ? 'folded' : undefined;
    if (place !== undefined) outputs[name] = place;
  }
  return { inputs, types, outputs };
}

/** Layers that can be observed. */
function layersOf(model: Model, what: string): ReadonlySet<string> | undefined {
  try {
    return new Set(describe(model, what).layers.flat());
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return undefined;
  }
}

function axisOf(dims: readonly Dimension[] = []): number | undefined {
  const axis = dims.indexOf(EXAMPLES);
  return axis >= 0 && axis === dims.lastIndexOf(EXAMPLES) ? axis : undefined;
}

type Data = HostTensor['data'];

/** How many examples are fed; undefined where feeds are not what the graph takes: then all is refused at once. */
export function batchOf({ inputs, types }: BatchAxes, feeds: HostTensors): number | undefined {
  let batch: number | undefined;
  for (const name in inputs) {
    const feed = feeds[name];
    const size = feed?.dims[inputs[name] as number];
    if (!feed || size === undefined || size !== (batch ?? size)) return undefined;
    const type = types[name] as NumberType;
    const isRight = feed.type === type && holds(type, feed.data);
    if (!isRight || feed.data.length !== sizeOf(feed.dims)) return undefined;
    batch = size;
  }
  return batch;
}

/** Whether it is known where all of these have their examples. */
export const canSplit = (axes: BatchAxes, outputs: readonly string[]): boolean =>
  outputs.every((name) => Object.hasOwn(axes.outputs, name));

/** Examples of a batch: so many from the first on. */
export interface Span {
  readonly first: number;
  readonly count: number;
}

/** The dims of a feed for so many examples. */
export const dimsWith = (dims: readonly number[], axis: number, count: number): number[] =>
  dims.map((size, index) => (index === axis ? count : size));

/** Some examples of a feed where they lie, if that is side by side. */
export function viewOfExamples({ dims, data }: HostTensor, axis: number, span: Span): Data | undefined {
  if (sizeOf(dims.slice(0, axis)) !== 1) return undefined;
  const behind = sizeOf(dims.slice(axis + 1));
  return data.subarray(span.first * behind, (span.first + span.count) * behind) as Data;
}

/** Copies some examples of a feed, [before, batch, behind], into an array. */
export function takeExamples({ dims, data }: HostTensor, axis: number, span: Span, into: Data): void {
  const behind = sizeOf(dims.slice(axis + 1));
  const length = (dims[axis] as number) * behind;
  const [from, wide] = [span.first * behind, span.count * behind];
  for (let start = from, at = 0; start < data.length; start += length, at += wide)
    into.set(data.subarray(start, start + wide) as never, at);
}

/** Some examples of all feeds. @param take gives their numbers, of these dims */
export function partOf(
  { inputs }: BatchAxes,
  feeds: HostTensors,
  span: Span,
  take: (name: string, feed: HostTensor, axis: number, dims: readonly number[]) => Data,
): HostTensors {
  const part: Record<string, HostTensor> = {};
  for (const name in inputs) {
    const axis = inputs[name] as number;
    const feed = feeds[name] as HostTensor;
    const dims = dimsWith(feed.dims, axis, span.count);
    part[name] = { type: feed.type, dims, data: take(name, feed, axis, dims) };
  }
  return part;
}

/** Outputs for all examples, put together from those of some. */
export class Joined {
  readonly #axes: BatchAxes;
  readonly #batch: number;
  /** Steps of time in a folded axis. */
  readonly #times: number;
  readonly outputs: Record<string, HostTensor> = {};

  constructor(axes: BatchAxes, feeds: HostTensors, batch: number) {
    const [name] = Object.keys(axes.inputs) as [string];
    this.#axes = axes;
    this.#batch = batch;
    this.#times = sizeOf((feeds[name] as HostTensor).dims.slice(0, axes.inputs[name]));
  }

  /** @throws Error where an output has not as many examples as were fed */
  put(part: HostTensors, { first, count }: Span): void {
    for (const [name, { type, dims, data }] of Object.entries(part)) {
      const place = this.#axes.outputs[name] as Place;
      const axis = place === 'folded' ? 0 : place;
      const before = place === 'folded' ? this.#times : sizeOf(dims.slice(0, axis));
      const folded = place === 'folded' ? this.#times : 1;
      if (dims[axis] !== folded * count)
        throw new Error(`the output '${name}' has [${dims.join(', ')}] for ${count} examples`);
      this.outputs[name] ??= {
        type,
        dims: dimsWith(dims, axis, folded * this.#batch),
        data: arrayOf(type, (data.length / count) * this.#batch),
      };
      const whole = this.outputs[name].data;
      const behind = data.length / before / count;
      for (let row = 0; row < before; row++) {
        const piece = data.subarray(row * count * behind, (row + 1) * count * behind);
        whole.set(piece as never, (row * this.#batch + first) * behind);
      }
    }
  }
}
