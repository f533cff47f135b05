import type { Examples } from './inputs.ts';
import { type Answer, type Feeds, feedsOf, type Subject } from './subject.ts';

/** The spikes of a layer for all examples. */
export interface SpikeTrain {
  /** One bit each, the first in the lowest bit; every example begins with a new byte. */
  readonly packed: Uint8Array;
  /** Bytes of an example. */
  readonly stride: number;
  /** Neurons × steps × examples. */
  readonly values: number;
  readonly exact: boolean;
}

/** An output for all examples. */
export interface AnswerRows {
  /** Example after example. */
  readonly rows: Float32Array;
  /** Numbers of an example. */
  readonly width: number;
  readonly exact: boolean;
}

/** All that a network gave, to be hashed and compared. */
export interface Answers {
  readonly examples: number;
  readonly layers: ReadonlyMap<string, SpikeTrain>;
  readonly outputs: ReadonlyMap<string, AnswerRows>;
}

/** A value that a run gave. */
export interface GivenValue {
  readonly dims: readonly number[];
  readonly data: ArrayLike<number>;
  /** Absent: nothing is known of it. */
  readonly exact?: boolean;
}

/** Runs a batch. @returns spikes and answers by name; those over time have it outermost */
export type RunBatch = (feeds: Feeds, batch: number) => Promise<Readonly<Record<string, GivenValue>>>;

/** Runs all examples, batch by batch. @param onProgress told after some how many are done */
export async function answersOf(
  subject: Subject,
  examples: Examples,
  seed: number,
  run: RunBatch,
  onProgress: (done: number) => void = () => {},
): Promise<Answers> {
  const { count } = examples;
  const layers = new Map<string, SpikeTrain>();
  const outputs = new Map<string, AnswerRows>();
  for (let start = 0; start < count; start += subject.batch) {
    const taken = examples.take(start, Math.min(subject.batch, count - start));
    const { feeds, batch } = feedsOf(subject, taken, start, seed);
    const found = await run(feeds, batch);
    for (const name of subject.layers)
      keepSpikes(layers, name, found[name], { start, batch, count, steps: subject.steps });
    for (const answer of subject.answers)
      keepRows(outputs, answer, found[answer.name], { start, batch, count });
    onProgress(start + batch);
  }
  return { examples: count, layers, outputs };
}

interface Part {
  /** The first example of the batch, and how many of all are in it. */
  readonly start: number;
  readonly batch: number;
  readonly count: number;
}

function keepSpikes(
  layers: Map<string, SpikeTrain>,
  name: string,
  value: GivenValue | undefined,
  { start, batch, count, steps }: Part & { readonly steps: number },
): void {
  if (!value) throw new Error(`there are no spikes of ${name}`);
  const units = value.data.length / (batch * steps);
  const stride = Math.ceil((units * steps) / 8);
  const packed = layers.get(name)?.packed ?? new Uint8Array(count * stride);
  for (let example = 0; example < batch; example++) {
    const to = (start + example) * stride;
    let bit = 0;
    for (let step = 0; step < steps; step++) {
      const from = (step * batch + example) * units;
      for (let unit = 0; unit < units; unit++, bit++) {
        // A spike is 1 or 255, as what follows wants it.
        if ((value.data[from + unit] as number) > 0)
          packed[to + (bit >> 3)] = (packed[to + (bit >> 3)] as number) | (1 << (bit & 7));
      }
    }
  }
  const exact = (layers.get(name)?.exact ?? true) && (value.exact ?? false);
  layers.set(name, { packed, stride, values: units * steps * count, exact });
}

function keepRows(
  outputs: Map<string, AnswerRows>,
  { name, axis }: Answer,
  value: GivenValue | undefined,
  { start, batch, count }: Part,
): void {
  if (!value) throw new Error(`there is no output ${name}`);
  const width = value.data.length / batch;
  const inner = value.dims.slice(axis + 1).reduce((product, size) => product * size, 1);
  const rows = outputs.get(name)?.rows ?? new Float32Array(count * width);
  for (let example = 0; example < batch; example++) {
    for (let index = 0; index < width; index++) {
      const outer = Math.floor(index / inner);
      const found = value.data[(outer * batch + example) * inner + (index % inner)] as number;
      // Of the two zeros one.
      rows[(start + example) * width + index] = found + 0;
    }
  }
  const exact = (outputs.get(name)?.exact ?? true) && (value.exact ?? false);
  outputs.set(name, { rows, width, exact });
}
