import type { Heap } from './memory.ts';
import { type Numbers, plain } from './reference/index.ts';

/** Bits by outputs: each has a row of its inputs. */
export interface ByOutputs {
  readonly at: number;
  /** Bytes of a row, a multiple of 16. */
  readonly bytes: number;
  /** Rows, a multiple of 4. */
  readonly outputs: number;
}

/** Bits, or floats, by inputs: each has a row of its outputs. */
export interface ByInputs {
  readonly at: number;
  readonly bytes: number;
}

/**
 * A weight matrix [groups][taps][inputs of a tap][outputs]. Binary weights have one magnitude and two signs, and one
 * bit each. Bits of a tap begin at a byte. Layouts are made when they are wanted.
 */
export interface Weights {
  readonly groups: number;
  readonly taps: number;
  /** Inputs of a tap, in one group. */
  readonly inputs: number;
  /** Outputs of a group. */
  readonly outputs: number;
  /** Of binary weights; undefined where they are real. */
  readonly magnitude: number | undefined;
  byOutputs(group: number): ByOutputs;
  /** [taps · inputs] rows. */
  byInputs(group: number): ByInputs;
  real(group: number): ByInputs;
  bytes(): number;
}

/** @param arrange unpacks them as [groups, taps, inputs, outputs]; they are kept packed alone */
export function weightsOf(heap: Heap, arrange: () => Numbers): Weights {
  let numbers: Numbers | undefined = arrange();
  const [groups = 0, taps = 0, inputs = 0, outputs = 0] = numbers.dims;
  const magnitude = magnitudeOf(plain(numbers));
  const rows = taps * inputs;
  let total = 0;
  const made = new Map<string, ByOutputs & ByInputs>();
  const once = (
    key: string,
    make: (values: ArrayLike<number>) => ByOutputs & ByInputs,
  ): ByOutputs & ByInputs => {
    const found = made.get(key) ?? make(plain(numbers ?? arrange()));
    numbers = undefined;
    made.set(key, found);
    return found;
  };
  const room = (bytes: number): number => {
    const { at } = heap.allocate(bytes);
    total += bytes;
    return at;
  };

  return {
    groups,
    taps,
    inputs,
    outputs,
    magnitude,
    bytes: () => total,
    byOutputs: (group) =>
      once(`outputs ${group}`, (values) => {
        const each = Math.ceil(inputs / 8);
        const bytes = Math.ceil((taps * each) / 16) * 16;
        const count = Math.ceil(outputs / 4) * 4;
        const at = room(count * bytes);
        const memory = heap.bytes;
        for (let tap = 0; tap < taps; tap++) {
          for (let byte = 0; byte < each; byte++) {
            const from = (group * rows + tap * inputs + byte * 8) * outputs;
            const here = Math.min(8, inputs - byte * 8);
            const start = at + tap * each + byte;
            for (let output = 0; output < outputs; output++) {
              let found = 0;
              for (let bit = 0; bit < here; bit++)
                if ((values[from + bit * outputs + output] as number) > 0) found |= 1 << bit;
              memory[start + output * bytes] = found;
            }
          }
        }
        return { at, bytes, outputs: count };
      }),
    byInputs: (group) =>
      once(`inputs ${group}`, (values) => {
        const bytes = Math.ceil(outputs / 128) * 16;
        const at = room(rows * bytes);
        const memory = heap.bytes;
        for (let row = 0; row < rows; row++) {
          const from = (group * rows + row) * outputs;
          for (let first = 0; first < outputs; first += 8) {
            let found = 0;
            const here = Math.min(8, outputs - first);
            for (let bit = 0; bit < here; bit++)
              if ((values[from + first + bit] as number) > 0) found |= 1 << bit;
            memory[at + row * bytes + (first >> 3)] = found;
          }
        }
        return { at, bytes, outputs };
      }),
    real: (group) =>
      once(`real ${group}`, (values) => {
        const bytes = Math.ceil(outputs / 16) * 64;
        const at = room(rows * bytes);
        const target = new Float32Array(heap.memory.buffer, at, (rows * bytes) / 4);
        for (let row = 0; row < rows; row++) {
          const start = (group * rows + row) * outputs;
          for (let output = 0; output < outputs; output++)
            target[(row * bytes) / 4 + output] = values[start + output] as number;
        }
        return { at, bytes, outputs };
      }),
  };
}

/** The one magnitude that all have; undefined where there is none. */
function magnitudeOf(values: ArrayLike<number>): number | undefined {
  const magnitude = Math.abs(values[0] ?? 0);
  if (!(magnitude > 0 && magnitude < Number.POSITIVE_INFINITY)) return undefined;
  for (let index = 0; index < values.length; index++)
    if (Math.abs(values[index] as number) !== magnitude) return undefined;
  return magnitude;
}
