import { type Shape, sizeOf } from '../schemas/layer.ts';
import type { Convolution, Ops, PoolKind, Scan } from '../schemas/ops.ts';
import { stopsOver, type Window } from '../schemas/window.ts';
import type { Activity, LayerOperations, Operand } from './operations.ts';
import { convolved, pooled, widened } from './oracle-planes.ts';

/** What of a value counts: its size, what its numbers are, and where there was an example, which are not 0. */
export interface Counted {
  /** Of one example at one time. */
  readonly shape: Shape;
  readonly operand: Operand;
  /** [rows, …shape] */
  readonly numbers?: Float64Array | undefined;
  /** What a loop carries from the step before. */
  readonly isState?: true;
  /** Of weights: none on a unit itself. */
  readonly noSelf?: boolean;
}

interface Counts {
  operand?: Operand;
  synaptic: number;
  triggered: number;
  additions: number;
  multiplications: number;
}

/**
 * Layers on shapes: every operation adds to what its layer costs. What neurons fire is taken from an activity, so that
 * sums behind them know which of their inputs were 0.
 */
export class CountingOps implements Ops<Counted> {
  readonly #steps: number;
  readonly #activity: Activity | undefined;
  readonly #layers = new Map<string, Counts>();
  #scope = '';

  constructor(steps: number, activity?: Activity) {
    this.#steps = steps;
    this.#activity = activity;
  }

  /** Operations from now on are those of that layer. */
  enter(name: string): void {
    this.#scope = name;
  }

  signal(shape: Shape, operand: Operand, numbers?: ArrayLike<number>): Counted {
    return { shape, operand, numbers: numbers && Float64Array.from(numbers) };
  }

  parameter(shape: Shape, noSelf: boolean): Counted {
    return { shape, operand: 'real', noSelf };
  }

  /** What a layer costs for one example. */
  layer(name: string): LayerOperations {
    const { operand, triggered, ...counts } = this.#countsOf(name);
    return {
      name,
      ...(operand && { operand }),
      ...counts,
      ...(this.#activity && { triggered: triggered / this.#activity.examples }),
    };
  }

  linear(x: Counted, { shape, noSelf }: Counted): Counted {
    const [inputs = 0, outputs = 0] = shape;
    const each = noSelf ? outputs - 1 : outputs;
    this.#sum(x.isState ? 'spikes' : x.operand, inputs * each, () => nonzero(this.#carried(x)) * each);
    return { shape: [outputs], operand: 'real' };
  }

  conv2d(x: Counted, { shape }: Counted, how: Convolution): Counted {
    const [height = 0, width = 0, seen = 0, filters = 0] = shape;
    const [rows = 0, columns = 0] = x.shape;
    const window = { size: [height, width] as const, stride: how.stride };
    const [down, across] = stopsOver([rows, columns], window, how.padding);
    const places = down.stops * across.stops;
    this.#sum(x.operand, places * height * width * seen * filters, () => {
      const { numbers } = x;
      if (!numbers) return 0;
      // Of each group one filter that counts what is not 0; the others of the group see the same.
      const ones = {
        shape: [height, width, seen, how.groups],
        data: new Float64Array(height * width * seen * how.groups).fill(1),
      };
      const fired = {
        shape: [numbers.length / sizeOf(x.shape), ...x.shape],
        data: numbers.map((value) => (value === 0 ? 0 : 1)),
      };
      const { data } = convolved(fired, ones, how);
      return (data.reduce((sum, value) => sum + value, 0) * filters) / how.groups;
    });
    return { shape: [down.stops, across.stops, filters], operand: 'real' };
  }

  pool(x: Counted, kind: PoolKind, window?: Window): Counted {
    const [height = 0, width = 0, channels = 0] = x.shape;
    const used = window ?? { size: [height, width] as const, stride: [1, 1] as const };
    const [down, across] = stopsOver([height, width], used, 'valid');
    const shape = [down.stops, across.stops, channels];
    const operand = kind === 'maximum' || x.operand === 'real' ? x.operand : 'counts';
    return this.#mapped(x, { shape, operand }, (numbers) => pooled(numbers, kind, used).data);
  }

  flatten(x: Counted): Counted {
    return { ...x, shape: [sizeOf(x.shape)] };
  }

  padChannels(x: Counted, count: number): Counted {
    const shape = [...x.shape.slice(0, -1), (x.shape.at(-1) as number) + count];
    return this.#mapped(x, { shape, operand: x.operand }, (numbers) => widened(numbers, count).data);
  }

  normalise(x: Counted): Counted {
    this.#elementwise(x, 1, 1);
    return { shape: x.shape, operand: 'real', numbers: x.numbers?.map(() => 1) };
  }

  multiply(x: Counted): Counted {
    this.#elementwise(x, 0, 1);
    return { shape: x.shape, operand: 'real' };
  }

  add(x: Counted, term: Counted): Counted {
    this.#elementwise(x, 1, 0);
    if (x.operand === 'real' || term.operand === 'real') return { shape: x.shape, operand: 'real' };
    const [a, b] = [x.numbers, term.numbers];
    const numbers = a && b && a.map((value, index) => value + (b[index] as number));
    return { shape: x.shape, operand: 'counts', numbers };
  }

  spike(membrane: Counted): Counted {
    this.#elementwise(membrane, 1, 0);
    return this.#fired(membrane.shape);
  }

  leak(membrane: Counted, decay: Counted | number): Counted {
    if (decay !== 1) this.#elementwise(membrane, 0, 1);
    return { shape: membrane.shape, operand: 'real' };
  }

  reset(membrane: Counted): Counted {
    this.#elementwise(membrane, 1, 1);
    return { shape: membrane.shape, operand: 'real' };
  }

  detach(x: Counted): Counted {
    return x;
  }

  read(current: Counted): Counted {
    return current;
  }

  overTime(x: Counted): Counted {
    if (this.#steps > 1) this.#elementwise(x, 1, 0);
    return x;
  }

  scan({ input, parameters, state, step }: Scan<Counted>): Counted {
    const before = Object.fromEntries(
      Object.entries(state).map(([name, shape]): [string, Counted] => [
        name,
        { shape, operand: 'real', isState: true },
      ]),
    );
    return step(this, parameters, before, input)[0];
  }

  /** What the neurons of this layer fired. */
  #fired(shape: Shape): Counted {
    const spikes = this.#activity?.layers[this.#scope];
    return this.signal(shape, 'spikes', spikes && Array.from(spikes, (value) => (value > 0 ? 1 : 0)));
  }

  /** The numbers of a value; of spikes that a loop carries, those of all steps but the last. */
  #carried(x: Counted): Float64Array | undefined {
    if (!x.isState) return x.numbers;
    const { numbers } = this.#fired(x.shape);
    return numbers?.subarray(0, (numbers.length / this.#steps) * (this.#steps - 1));
  }

  #mapped(
    x: Counted,
    to: { readonly shape: Shape; readonly operand: Operand },
    change: (numbers: { readonly shape: Shape; readonly data: Float64Array }) => Float64Array,
  ): Counted {
    const { numbers } = x;
    if (!numbers) return to;
    return {
      ...to,
      numbers: change({ shape: [numbers.length / sizeOf(x.shape), ...x.shape], data: numbers }),
    };
  }

  #sum(operand: Operand, products: number, triggered: () => number): void {
    const counts = this.#countsOf(this.#scope);
    counts.operand ??= operand;
    counts.synaptic += products * this.#steps;
    if (this.#activity) counts.triggered += triggered();
  }

  #elementwise({ shape }: Counted, additions: number, multiplications: number): void {
    const counts = this.#countsOf(this.#scope);
    counts.additions += additions * sizeOf(shape) * this.#steps;
    counts.multiplications += multiplications * sizeOf(shape) * this.#steps;
  }

  #countsOf(name: string): Counts {
    const known = this.#layers.get(name) ?? { synaptic: 0, triggered: 0, additions: 0, multiplications: 0 };
    this.#layers.set(name, known);
    return known;
  }
}

const nonzero = (numbers: Float64Array | undefined): number =>
  numbers?.reduce((count, value) => (value === 0 ? count : count + 1), 0) ?? 0;
