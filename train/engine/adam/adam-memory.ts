import { sizeOf } from '../../../schemas/layer.ts';
import type { LearnedTensor } from '../../../schemas/posterior.ts';
import type { Adam } from '../../optimiser.ts';
import { rateGroupOf, type RateGroup, type Scalars, type Shapes } from '../../step.ts';
import type { State } from '../engine.ts';
import { wasm } from './generated/adam.ts';

type Kernel = (
  value: number,
  first: number,
  second: number,
  gradient: number,
  count: number,
  beta1: number,
  beta2: number,
  rate: number,
  epsilon: number,
) => void;

/** The four numbers that Adam keeps or reads for each learned one. */
const parts = ['value', 'first', 'second', 'gradient'] as const;
type Part = (typeof parts)[number];

/** Tensors that share a learning rate, one after another, once for each part. */
interface Group {
  readonly name: RateGroup;
  readonly count: number;
  /** Byte offsets. */
  readonly start: Readonly<Record<Part, number>>;
}

const BYTES = Float32Array.BYTES_PER_ELEMENT;
const PAGE = 65_536;
const groupNames: readonly RateGroup[] = ['weights', 'scales', 'others'];

/** Numbers are stepped four at a time, so each run is padded to a multiple of four. */
const padded = (count: number): number => Math.ceil(count / 4) * 4;

/**
 * Learned tensors, their moments and gradients in the memory of a WebAssembly kernel that steps them in place.
 *
 * As nodes of a graph, Adam reads and writes each weight ten times; the kernel does so once.
 */
export class AdamMemory {
  /** Of each learned tensor, views of the memory: values to read, gradients to fill. */
  readonly values: Readonly<Record<string, Float32Array>>;
  readonly gradients: Readonly<Record<string, Float32Array>>;
  readonly #adam: Adam;
  readonly #shapes: Shapes;
  readonly #groups: readonly Group[];
  readonly #views: Readonly<Record<Part, Record<string, Float32Array>>>;
  readonly #kernel: Kernel;

  /** @param learned shapes of the learned tensors @param state their values and moments at the start */
  constructor(adam: Adam, learned: Shapes, state: State) {
    this.#adam = adam;
    this.#shapes = learned;
    const names = (group: RateGroup) => Object.keys(learned).filter((name) => rateGroupOf(name) === group);
    let end = 0;
    this.#groups = groupNames.map((name) => {
      const count = padded(names(name).reduce((sum, tensor) => sum + sizeOf(learned[tensor]!), 0));
      const start = Object.fromEntries(parts.map((part, index) => [part, end + index * count * BYTES]));
      end += parts.length * count * BYTES;
      return { name, count, start: start as Group['start'] };
    });

    const memory = new WebAssembly.Memory({ initial: Math.ceil(end / PAGE) });
    const views: Record<Part, Record<string, Float32Array>> = {
      value: {},
      first: {},
      second: {},
      gradient: {},
    };
    for (const { name: group, start } of this.#groups) {
      let offset = 0;
      for (const name of names(group)) {
        const size = sizeOf(learned[name]!);
        for (const part of parts)
          views[part][name] = new Float32Array(memory.buffer, start[part] + offset, size);
        offset += size * BYTES;
      }
    }
    this.#views = views;
    this.values = views.value;
    this.gradients = views.gradient;
    for (const [name, tensor] of Object.entries(state)) this.#viewOf(name).set(tensor.data);

    const module = new WebAssembly.Module(Buffer.from(wasm, 'base64'));
    const instance = new WebAssembly.Instance(module, { env: { memory } });
    this.#kernel = instance.exports.adam as Kernel;
  }

  /** Moves every value by its gradient. The scalars are those of the step. */
  step(scalars: Scalars): void {
    const { beta1, beta2 } = this.#adam;
    for (const { name, count, start } of this.#groups) {
      const rate = scalars[`rate.${name}`];
      this.#kernel(
        start.value,
        start.first,
        start.second,
        start.gradient,
        count,
        beta1,
        beta2,
        rate,
        scalars.epsilon,
      );
    }
  }

  /** A copy of the values and moments, by the names that a step's state has. */
  state(): State {
    const state: Record<string, LearnedTensor> = {};
    for (const [name, shape] of Object.entries(this.#shapes)) {
      for (const key of [name, `${name}.adam.first`, `${name}.adam.second`]) {
        state[key] = { shape, data: this.#viewOf(key).slice() };
      }
    }
    return state;
  }

  #viewOf(key: string): Float32Array {
    const [name, moment] = key.split('.adam.') as [string, 'first' | 'second' | undefined];
    const view = this.#views[moment ?? 'value'][name];
    if (!view) throw new Error(`the state has a tensor ${key} that the step does not know`);
    return view;
  }
}
