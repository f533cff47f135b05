import { type Shape, sizeOf } from '../schemas/layer.ts';
import { forward, type Model, type Place, stepsOf } from '../schemas/model.ts';
import type { Ops, OverTime } from '../schemas/ops.ts';
import type { FrozenTensor } from './decisions.ts';
import type { Member, Network } from './freeze.ts';
import { convolved, type Numbers, pooled, widened } from './oracle-planes.ts';
import { commonUnit } from './units.ts';

/** A plain array of float64: activations [batch, …], parameters without a batch. */
export interface Plain {
  readonly shape: Shape;
  readonly data: Float64Array;
  /** What one of the numbers stands for, 1 unless given: where numbers are whole, sums of them are then exact. */
  readonly unit?: number;
  /** A parameter [time, channels], of which every step has its own part. */
  readonly perStep?: true;
}

const plain = (shape: Shape, data: Float64Array): Plain => ({ shape, data });

/** Other numbers of the same unit. */
const inUnitOf = ({ unit }: Plain, { shape, data }: Numbers): Plain =>
  unit === undefined ? { shape, data } : { shape, data, unit };

/** The numbers themselves. */
const valuesOf = ({ data, unit = 1 }: Plain): Float64Array =>
  unit === 1 ? data : data.map((value) => value * unit);

/** How the results of operations are rounded: `Math.fround` where a runtime's float32 is to be met bit by bit. */
export type Rounding = (x: number) => number;

/**
 * How a network's currents and membranes are rounded. What is carried from step to step is float32 in every runtime,
 * and a spike depends on its last bit; without time the sums are exact, and float64 is what thresholds are found in.
 */
export const roundingOf = (model: Model): Rounding => (stepsOf(model) === 1 ? (x) => x : Math.fround);

/**
 * The reference interpreter: every operation as its definition says, with no regard to speed.
 *
 * It is what every other way to run a frozen network is held against.
 *
 * @param steps time steps that the first axis holds
 */
export function oracleOps(steps = 1, round: Rounding = (x) => x): Ops<Plain> {
  /** The numbers that are computed with where they are no whole ones of a unit any more. */
  const numbersOf = ({ data, unit }: Plain): Float64Array =>
    unit === undefined ? data : scaled(data, unit, round);

  /** The last axis of `x` combined with a vector of its length, or with another activation of its shape. */
  const combine = (x: Plain, by: Plain | number, how: (value: number, by: number) => number): Plain => {
    const values = numbersOf(x);
    if (typeof by === 'number') {
      const amount = Math.fround(by);
      return plain(
        x.shape,
        values.map((value) => round(how(value, round === Math.fround ? amount : by))),
      );
    }
    const length = by.perStep ? (by.shape.at(-1) as number) : by.data.length;
    // Where in the parameter the part of a step begins.
    const each = by.perStep ? values.length / steps : values.length;
    return plain(
      x.shape,
      values.map((value, index) =>
        round(how(value, by.data[Math.floor(index / each) * length + (index % length)] as number)),
      ),
    );
  };

  /** Signals added in the unit of the finer one, so that whole numbers stay whole. */
  const addSignals = (x: Plain, y: Plain): Plain => {
    const common = commonUnit(x.unit ?? 1, y.unit ?? 1);
    if (!common) {
      const [first, second] = [x, y].map(({ data, unit = 1 }) => scaled(data, unit, round));
      return combine(plain(x.shape, first as Float64Array), plain(y.shape, second as Float64Array), plus);
    }
    const [first, second] = common.factors;
    const data = x.data.map((value, index) => value * first + (y.data[index] as number) * second);
    return { shape: x.shape, data, unit: common.unit };
  };

  return {
    linear(x, weight) {
      const [inputs, outputs] = weight.shape as [number, number];
      const rows = x.data.length / inputs;
      const sums = new Float64Array(rows * outputs);
      for (let row = 0; row < rows; row++) {
        const sum = sums.subarray(row * outputs, (row + 1) * outputs);
        for (let input = 0; input < inputs; input++) {
          const value = x.data[row * inputs + input] as number;
          // Most inputs of a binary network are zero, and zeros add nothing.
          if (value === 0) continue;
          const offset = input * outputs;
          for (let output = 0; output < outputs; output++) {
            sum[output] = (sum[output] as number) + value * (weight.data[offset + output] as number);
          }
        }
      }
      return plain(
        [...x.shape.slice(0, -1), outputs],
        x.unit === undefined ? sums : scaled(sums, x.unit, round),
      );
    },
    conv2d(x, weight, how) {
      const { shape, data } = convolved(x, weight, how);
      return plain(shape, x.unit === undefined ? data : scaled(data, x.unit, round));
    },
    pool(x, kind, window) {
      const [, height = 0, width = 0] = x.shape;
      const { size, stride } = window ?? { size: [height, width] as const, stride: [1, 1] as const };
      const found = pooled(x, kind, { size, stride });
      // The mean of whole numbers stays their sum, which stands for so much less.
      return kind === 'average'
        ? { ...found, unit: (x.unit ?? 1) / (size[0] * size[1]) }
        : inUnitOf(x, found);
    },
    flatten: (x) => inUnitOf(x, { shape: [x.shape[0] as number, sizeOf(x.shape.slice(1))], data: x.data }),
    padChannels: (x, count) => inUnitOf(x, widened(x, count)),
    normalise(x, mean, deviation) {
      const vector = (numbers: readonly number[]): Plain =>
        plain([numbers.length], Float64Array.from(numbers, Math.fround));
      const shifted = combine(plain(x.shape, valuesOf(x)), vector(mean), (value, amount) => value - amount);
      return combine(shifted, vector(deviation), (value, amount) => value / amount);
    },
    multiply: (x, factor) => combine(x, factor, times),
    add: (x, term) =>
      x.unit === undefined && term.unit === undefined ? combine(x, term, plus) : addSignals(x, term),
    spike(membrane, threshold) {
      const limits = typeof threshold === 'number' ? [round(threshold)] : threshold.data;
      return plain(
        membrane.shape,
        numbersOf(membrane).map((value, index) =>
          value > (limits[index % limits.length] as number) ? 1 : 0,
        ),
      );
    },
    leak: (membrane, decay) => combine(membrane, decay, times),
    reset(membrane, spikes, threshold, to) {
      if (to === 'zero') return combine(membrane, spikes, (value, spike) => value * (1 - spike));
      const lost = combine(spikes, threshold, times);
      return combine(membrane, lost, (value, amount) => value - amount);
    },
    detach: (x) => x,
    read: (current) => current,
    overTime(x, how) {
      if (steps === 1) return x;
      const size = x.data.length / steps;
      const found = new Float64Array(size);
      for (let index = 0; index < size; index++) {
        const values = Array.from({ length: steps }, (_, time) => x.data[time * size + index] as number);
        found[index] = overTime[how](values);
      }
      return plain([(x.shape[0] as number) / steps, ...x.shape.slice(1)], found);
    },
    scan({ input, parameters, state, step }) {
      const batch = (input.shape[0] as number) / steps;
      const inner = oracleOps(1, round);
      let before: Record<string, Plain> = Object.fromEntries(
        Object.entries(state).map(([name, shape]) => [
          name,
          plain([batch, ...shape], new Float64Array(batch * sizeOf(shape))),
        ]),
      );
      const size = input.data.length / steps;
      const sequence = numbersOf(input);
      const outputs: Plain[] = [];
      for (let time = 0; time < steps; time++) {
        const now = plain(
          [batch, ...input.shape.slice(1)],
          sequence.subarray(time * size, (time + 1) * size),
        );
        const [output, after] = step(inner, partsAt(parameters, time), before, now);
        outputs.push(output);
        before = { ...after };
      }
      return joined(outputs);
    },
  };
}

/** The parameters of one step. */
const partsAt = (parameters: Readonly<Record<string, Plain>>, time: number): Record<string, Plain> =>
  Object.fromEntries(
    Object.entries(parameters).map(([name, { shape, data, perStep }]) => {
      if (!perStep) return [name, parameters[name] as Plain];
      const channels = shape.at(-1) as number;
      return [name, plain([channels], data.subarray(time * channels, (time + 1) * channels))];
    }),
  );

const times = (a: number, b: number): number => a * b;
const plus = (a: number, b: number): number => a + b;

const overTime: Record<OverTime, (values: readonly number[]) => number> = {
  mean: (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
  maximum: (values) => Math.max(...values),
  last: (values) => values.at(-1) as number,
};

const scaled = (sums: Float64Array, unit: number, round: Rounding): Float64Array =>
  sums.map((sum) => round(sum * round(unit)));

/** Batches of all times below one another. */
function joined(parts: readonly Plain[]): Plain {
  const [first] = parts as readonly [Plain, ...Plain[]];
  const data = new Float64Array(first.data.length * parts.length);
  parts.forEach((part, index) => data.set(part.data, index * first.data.length));
  return plain([(first.shape[0] as number) * parts.length, ...first.shape.slice(1)], data);
}

/** What the oracle found for a batch. */
export interface OracleResult {
  /** [batch, classes] */
  readonly logits: Float64Array;
  /** Outputs of every layer by name, [time × batch, …]. */
  readonly layers: Readonly<Record<string, Float64Array>>;
}

/** A parameter in float64. */
export const parameterOf = (tensor: FrozenTensor): Plain => ({
  ...plain(tensor.shape, Float64Array.from(tensor.data)),
  ...('perStep' in tensor && tensor.perStep && { perStep: true }),
});

/**
 * Runs one member of a frozen network.
 *
 * @param inputs [time × batch, …], time outermost: bytes where the model takes bytes, else the values themselves
 */
export function runOracle(
  { model }: Network,
  member: Member,
  inputs: Uint8Array | Float32Array,
): OracleResult {
  const { input } = model;
  const rows = inputs.length / sizeOf(input.shape);
  const parameters: Record<string, Plain> = {};
  for (const [name, tensor] of Object.entries(member)) parameters[name] = parameterOf(tensor);
  const layers: Record<string, Float64Array> = {};
  const after = ({ name }: Place, output: Plain): void => {
    layers[name] = valuesOf(output);
  };
  const start: Plain = {
    ...plain([rows, ...input.shape], Float64Array.from(inputs)),
    ...(input.type === 'uint8' && { unit: input.scale }),
  };
  const logits = forward(oracleOps(stepsOf(model), roundingOf(model)), model, parameters, start, { after });
  return { logits: logits.data, layers };
}
