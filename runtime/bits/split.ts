import { readModel } from '../../schemas/onnx/index.ts';
import type { HostTensor, HostTensors } from '../runner.ts';
import {
  type BatchAxes,
  batchAxesOf,
  batchOf,
  canSplit,
  Joined,
  partOf,
  type Span,
  takeExamples,
  viewOfExamples,
} from './batch.ts';
import { arrayOf, sizeOf } from './reference/index.ts';
import { type BitsOptions, type BitsRunner, openBits } from './runner.ts';

/** Bytes of activations of one part, by default. Smaller parts save no time: sequences are copied to make them. */
const ROOM = 2 ** 24;

/** Examples that are measured: blocks that do not grow with the batch count little then. */
const MEASURED = 4;

/** A network whose large batches are computed part by part, so that its memory does not grow with them. */
export interface SplitRunner extends BitsRunner {
  /** Where it has its examples; undefined where that is not known: batches are computed as a whole then. */
  readonly axes: BatchAxes | undefined;
  /** Computes some examples of what is fed, in this thread, and puts what they give where all is joined. */
  putNow(joined: Joined, feeds: HostTensors, outputs: readonly string[], span: Span): void;
}

/** Opens the bytes of an .onnx file. @throws UserError where a part of it cannot be computed here */
export async function openSplit(bytes: Uint8Array, options: BitsOptions, what: string): Promise<SplitRunner> {
  const runner = await openBits(bytes, options, what);
  return splitting(runner, batchAxesOf(readModel(bytes, what), what));
}

/**
 * Computes parts of a batch one after another: the same bits as the whole, in memory that is bounded.
 *
 * @param room bytes of activations of one part
 */
export function splitting(runner: BitsRunner, axes: BatchAxes | undefined, room = ROOM): SplitRunner {
  if (!axes) return { ...runner, axes, putNow: noParts };
  /** Examples of one part, by the dims of what is fed besides them. */
  const sizes = new Map<string, number>();
  /** Room for the feeds of a part: memory that is asked for anew costs more than what is copied into it. */
  const rooms = new Map<string, HostTensor['data']>();
  const part = (feeds: HostTensors, span: Span): HostTensors =>
    partOf(axes, feeds, span, (name, feed, axis, dims) => {
      const view = viewOfExamples(feed, axis, span);
      if (view) return view;
      const length = sizeOf(dims);
      let all = rooms.get(name);
      if (!all || all.length < length) {
        all = arrayOf(feed.type, length);
        rooms.set(name, all);
      }
      const data = all.subarray(0, length) as HostTensor['data'];
      takeExamples(feed, axis, span, data);
      return data;
    });
  const sizeOfPart = (feeds: HostTensors, batch: number): number => {
    const key = keyOf(axes, feeds);
    let size = sizes.get(key);
    if (size === undefined) {
      const count = Math.min(MEASURED, batch);
      size = fitting(runner.bytes(part(feeds, { first: 0, count })) / count, room);
      // A batch that is too small to be measured well tells little about others.
      if (count === MEASURED) sizes.set(key, size);
    }
    return size;
  };

  const putNow: SplitRunner['putNow'] = (joined, feeds, outputs, { first, count }) => {
    const size = sizeOfPart(feeds, count);
    for (let done = 0; done < count; done += size) {
      const span = { first: first + done, count: Math.min(size, count - done) };
      joined.put(runner.runNow(part(feeds, span), outputs), span);
    }
  };
  const runNow = (feeds: HostTensors, outputs: readonly string[]): HostTensors => {
    const batch = batchOf(axes, feeds) ?? 1;
    if (batch <= 1 || !canSplit(axes, outputs)) return runner.runNow(feeds, outputs);
    if (batch <= sizeOfPart(feeds, batch)) return runner.runNow(feeds, outputs);
    const joined = new Joined(axes, feeds, batch);
    putNow(joined, feeds, outputs, { first: 0, count: batch });
    return joined.outputs;
  };
  return { ...runner, axes, putNow, runNow, run: async (feeds, outputs) => runNow(feeds, outputs) };
}

function noParts(): never {
  throw new Error('a network of which it is not known where its examples are has no parts');
}

function keyOf({ inputs }: BatchAxes, feeds: HostTensors): string {
  let key = '';
  for (const name in inputs)
    key += `${(feeds[name] as HostTensor).dims.toSpliced(inputs[name] as number, 1).join()};`;
  return key;
}

/** A power of two, so that batches of the usual sizes leave no rest: rests are programs of their own. */
const fitting = (bytesOfOne: number, room: number): number =>
  2 ** Math.max(0, Math.floor(Math.log2(room / Math.max(1, bytesOfOne))));
