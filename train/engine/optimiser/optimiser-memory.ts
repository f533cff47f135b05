import { sizeOf } from '../../../schemas/layer.ts';
import type { LearnedTensor } from '../../../schemas/posterior.ts';
import { optimiserOf } from '../../optimisers/index.ts';
import { type RateGroup, rateGroups } from '../../rates.ts';
import type { StepFunction } from '../../step.ts';
import type { State } from '../engine.ts';
import { clipKernel, type Move, moveKernel } from './kernels.ts';

/** Tensors that share a learning rate: neighbours in every part of the memory. */
interface Group {
  readonly name: RateGroup;
  readonly count: number;
  /** In bytes, from the start of a part. */
  readonly offset: number;
}

type Views = Readonly<Record<string, Float32Array>>;

const BYTES = Float32Array.BYTES_PER_ELEMENT;
const PAGE = 65_536;

/** Numbers are stepped four at a time, so each group is padded to a multiple of four. */
const padded = (count: number): number => Math.ceil(count / 4) * 4;

/**
 * Learned tensors, what the optimiser keeps of them, and their gradients, in the memory of WebAssembly kernels
 * that step them in place.
 *
 * Each of these is a part of the memory: all tensors, group after group, in the same order. As nodes of a graph,
 * Adam reads and writes each weight ten times; its kernel does so once.
 */
export class OptimiserMemory {
  /** Of each learned tensor, views of the memory: values to read, gradients to fill. */
  readonly values: Views;
  readonly gradients: Views;
  /** Views too, by the names that a step's state has. */
  readonly #state: State;
  readonly #groups: readonly Group[];
  /** Byte offset of each part. */
  readonly #starts: Readonly<Record<string, number>>;
  readonly #move: Move;
  /** Clips the gradients and returns their length before. */
  readonly #clip: (() => number) | undefined;

  /** @param state learned tensors and what the optimiser keeps of them, at the start */
  constructor(step: StepFunction, state: State) {
    const { learned, optimiser, clipNorm } = step;
    const { groups, offsets, count } = layOut(step);
    const { keeps } = optimiserOf(optimiser);
    const parts = ['value', ...keeps, 'gradient'];
    const memory = new WebAssembly.Memory({ initial: Math.ceil((parts.length * count * BYTES) / PAGE) });
    this.#groups = groups;
    this.#starts = Object.fromEntries(parts.map((part, index) => [part, index * count * BYTES]));

    const view = (part: string, name: string) =>
      new Float32Array(memory.buffer, this.#startOf(part) + offsets[name]!, sizeOf(learned[name]!));
    const names = Object.keys(learned);
    this.values = Object.fromEntries(names.map((name) => [name, view('value', name)]));
    this.gradients = Object.fromEntries(names.map((name) => [name, view('gradient', name)]));
    const views: Record<string, LearnedTensor> = {};
    for (const name of names) {
      const shape = learned[name]!;
      views[name] = { shape, data: view('value', name) };
      for (const kept of keeps) views[`${name}.${kept}`] = { shape, data: view(kept, name) };
    }
    this.#state = views;
    for (const [name, { data }] of Object.entries(state)) {
      const known = views[name];
      if (!known) throw new Error(`the state has a tensor ${name} that the step does not know`);
      known.data.set(data);
    }

    this.#move = moveKernel(memory, optimiser);
    if (clipNorm === undefined) return;
    const clip = clipKernel(memory);
    this.#clip = () => clip(this.#startOf('gradient'), count, clipNorm);
  }

  /**
   * Moves every value by its gradient; returns what there is to report of it.
   *
   * @param scalar the scalars that the step is fed, by name
   */
  step(scalar: (name: string) => number): Readonly<Record<string, number>> {
    const gradientNorm = this.#clip?.();
    if (gradientNorm !== undefined && !Number.isFinite(gradientNorm)) return { gradientNorm };
    for (const { name, count, offset } of this.#groups) {
      this.#move((part) => this.#startOf(part) + offset, count, scalar(`rate.${name}`), scalar);
    }
    return gradientNorm === undefined ? {} : { gradientNorm };
  }

  /** A copy of the state, by the names that a step's state has. */
  state(): State {
    return Object.fromEntries(
      Object.entries(this.#state).map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]),
    );
  }

  #startOf(part: string): number {
    const start = this.#starts[part];
    if (start === undefined) throw new Error(`the memory of the optimiser has no part ${part}`);
    return start;
  }
}

/** Where every learned tensor lies in a part, in bytes, and how many numbers a part has. */
function layOut({ learned, groups }: StepFunction) {
  const offsets: Record<string, number> = {};
  let count = 0;
  const laid = rateGroups.map((group): Group => {
    const start = count;
    for (const [name, shape] of Object.entries(learned)) {
      if (groups[name] !== group) continue;
      offsets[name] = count * BYTES;
      count += sizeOf(shape);
    }
    count = padded(count);
    return { name: group, count: count - start, offset: start * BYTES };
  });
  return { groups: laid, offsets, count };
}
