import type { Engine } from './engine.ts';
import { type Expression, type Form, load, partsOf, rangeOfNumbers, type Rows } from './expression.ts';
import { ENTRY, LANES } from './emit-kernel.ts';
import { type Assignment, lower } from './lanes.ts';
import type { Block } from './memory.ts';
import { featuresOf, type RowsValue, rowsOf } from './values.ts';

/** A part of a program. @param time which step of a loop; 0 outside of loops */
export type Step = (time: number) => void;

/** Bytes of a row of so many features. */
export const strideOf = (form: Form, features: number): number => {
  if (form === 'bits') return Math.ceil(features / 128) * 16;
  const padded = Math.ceil(features / LANES) * LANES;
  return form === 'u8' ? padded : padded * 4;
};

/** A target of a kernel: where the numbers go. */
export interface Target extends Assignment {
  readonly rows: Rows;
}

/** How a kernel walks: so many rows of so many features, at so many times. */
export interface Walk {
  readonly rows: number;
  readonly features: number;
}

/** Puts a program together: steps over memory that was allocated for them. */
export class Builder {
  readonly engine: Engine;
  readonly steps: Step[] = [];
  /** Memory of the program, freed with it. */
  readonly blocks: Block[];
  /** Whether the steps are repeated over time. */
  readonly inLoop: boolean;
  readonly #placed = new Map<Expression, Map<Form, Rows>>();
  /** Constants that lie in memory as rows, by the numbers that they are of. */
  readonly #tables: Map<Float32Array, Expression>;

  constructor(
    engine: Engine,
    blocks: Block[] = [],
    inLoop = false,
    tables = new Map<Float32Array, Expression>(),
  ) {
    this.engine = engine;
    this.blocks = blocks;
    this.inLoop = inLoop;
    this.#tables = tables;
  }

  /** The steps of a loop, over the same memory. */
  loop(): Builder {
    return new Builder(this.engine, this.blocks, true, this.#tables);
  }

  allocate(bytes: number): number {
    const block = this.engine.heap.allocate(bytes);
    this.blocks.push(block);
    return block.at;
  }

  /** Room for rows, zeros at first. */
  room(form: Form, { rows, features }: Walk, times = 1): Rows {
    const stride = strideOf(form, features);
    const time = stride * rows;
    return { form, at: this.allocate(time * times), stride, time: times > 1 ? time : 0 };
  }

  /** Numbers that are known, as rows of so many features. */
  table(data: Float32Array, features: number): Expression {
    const known = this.#tables.get(data);
    if (known) return known;
    const at = this.allocate(data.byteLength);
    new Float32Array(this.engine.heap.memory.buffer, at, data.length).set(data);
    const found = load({ form: 'f32', at, stride: features * 4, time: 0 }, rangeOfNumbers(data));
    this.#tables.set(data, found);
    return found;
  }

  /**
   * Where a value's numbers are, in a form; computes them there if they are nowhere yet.
   *
   * @param features room for more than the value has: zeros behind its own
   */
  place(value: RowsValue, form: Form, features = featuresOf(value)): Rows {
    const { expression } = value;
    const { rows: there } = expression;
    const fits = features === featuresOf(value);
    if (expression.op === 'load' && there && there.form === form && !there.sums && fits) return there;
    const known = this.#placed.get(expression)?.get(form);
    if (known && fits) return known;
    const walk = { rows: rowsOf(value), features: featuresOf(value) };
    const rows = this.room(form, { rows: walk.rows, features });
    this.run([{ form, value: expression, rows }], walk);
    if (fits) {
      const forms = this.#placed.get(expression) ?? new Map<Form, Rows>();
      this.#placed.set(expression, forms.set(form, rows));
    }
    return rows;
  }

  /** Computes a value now, in the form that holds it best, for all who use it. */
  settle(value: RowsValue): RowsValue {
    const { expression } = value;
    if (expression.op === 'load' && !expression.rows?.sums) return value;
    const { lane, low, high, whole, amount } = expression;
    const form = lane === 'mask' ? 'bits' : lane === 'f32' ? 'f32' : low >= 0 && high <= 255 ? 'u8' : 'i32';
    value.expression = load(this.place(value, form), { low, high, whole }, amount);
    return value;
  }

  /** A step that computes expressions into rows, a few rows at a time where sums have to be computed for them. */
  run(targets: readonly Target[], walk: Walk): void {
    this.steps.push(this.kernel(targets, walk, 1));
  }

  /**
   * One kernel over rows and times. Sums that it needs are computed before it.
   *
   * @param times 1, or the steps that one call walks through
   */
  kernel(targets: readonly Target[], { rows, features }: Walk, times: number): Step {
    const { engine } = this;
    const loads = partsOf(targets.map(({ value }) => value)).flatMap(({ rows: each }) =>
      each ? [each] : [],
    );
    const pending = [...new Set(loads)].filter(({ sums }) => sums);
    const [only] = pending;
    const tiled = pending.length === 1 && !this.inLoop && times === 1 ? only : undefined;
    const sums = tiled?.sums;
    const tile = sums ? Math.min(rows, sums.tile) : rows;
    if (!tiled) for (const each of pending) this.#compute(each);

    const lowered = lower(targets);
    const run = engine.kernel(lowered);
    const table = this.allocate((lowered.streams.length + targets.length) * ENTRY);
    const scratch = tiled ? this.allocate(tile * tiled.stride) : 0;
    const entries = lowered.streams.map(({ kind, expression }) => {
      if (kind === 'vector') return [engine.vector(expression.vector as Float32Array), 0, 0, 1];
      const each = expression.rows as Rows;
      if (each === tiled) return [scratch, 0, each.stride, 1];
      if (kind === 'repeat') {
        const readers = tiled ? tile : each.time > 0 ? rows : 0;
        return [each.at, readers, each.stride, expression.count as number];
      }
      return [each.at, tiled ? tile * each.stride : each.time, each.stride, 1];
    });
    for (const { rows: each } of targets)
      entries.push([each.at, tiled ? tile * each.stride : each.time, each.stride, 1]);
    new Int32Array(engine.heap.memory.buffer, table, entries.length * 4).set(entries.flat());

    const compute = sums?.prepare();
    const blocks = Math.ceil(features / LANES);
    const tail = 2 ** (features - (blocks - 1) * LANES) - 1;
    if (rows === 0 || features === 0) return () => {};
    if (!compute) {
      return times > 1 || !this.inLoop
        ? () => run(table, 0, times, rows, blocks, tail)
        : (time) => run(table, time, time + 1, rows, blocks, tail);
    }
    return () => {
      for (let first = 0, index = 0; first < rows; first += tile, index++) {
        const count = Math.min(tile, rows - first);
        compute(first, count, scratch);
        run(table, index, index + 1, count, blocks, tail);
      }
    };
  }

  /** Computes all rows of sums, where they are not there yet. */
  #compute(rows: Rows): void {
    const { sums } = rows;
    if (!sums) return;
    rows.at = this.allocate(sums.rows * sums.stride);
    rows.sums = undefined;
    const { at } = rows;
    const tile = Math.min(sums.rows, sums.tile);
    const compute = sums.prepare();
    this.steps.push(() => {
      for (let first = 0; first < sums.rows; first += tile)
        compute(first, Math.min(tile, sums.rows - first), at + first * sums.stride);
    });
  }

  /** Sums that something walks through over time have to be there as a whole. */
  complete(expression: Expression): void {
    for (const { rows } of partsOf([expression])) if (rows) this.#compute(rows);
  }
}
