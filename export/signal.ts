import type { Shape } from '../schemas/layer.ts';
import type { InputSpec } from '../schemas/model.ts';
import type { Value } from '../schemas/onnx/index.ts';
import type { Convolution } from '../schemas/ops.ts';
import type { FrozenTensor } from './decisions.ts';
import type { Rounding } from './oracle.ts';

/** A parameter that is not in the graph yet: what becomes of it depends on how it is used. */
export interface ParameterSignal {
  readonly kind: 'parameter';
  readonly name: string;
  readonly tensor: FrozenTensor;
}

/**
 * Features of a plane: their value has the shape [batch, channels, height, width], as ONNX wants it, or still
 * [batch, height, width, channels], as it was fed.
 */
export interface Plane {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly channelsLast?: true;
}

/** Whole numbers 0 … most; the value they stand for is unit × number. */
export interface WholeSignal {
  readonly kind: 'whole';
  readonly value: Value;
  readonly unit: number;
  readonly most: number;
  /** What is stored for a 1: 255 where a kernel that saturates made 0 or 255 of a spike. */
  readonly stored: 1 | 255;
  /** uint8 where the stored numbers fit it. */
  readonly type: 'uint8' | 'float32';
  readonly plane?: Plane;
}

/** One part of the way from a sum of whole numbers to the current it stands for, per output channel. */
export interface AffineStep {
  readonly by: 'multiply' | 'add';
  /** Name of the parameter. */
  readonly name: string;
  /** [channels], or [time, channels] */
  readonly amounts: Float32Array;
}

/**
 * Sums of whole numbers with signs, not computed yet, and the steps from a sum S to its current:
 * unit × S, then each step in order. A neuron needs only to compare S with a whole threshold; a readout
 * needs the current itself.
 */
export interface SumSignal {
  readonly kind: 'sum';
  readonly input: WholeSignal;
  readonly name: string;
  /** −1 and +1, [inputs, outputs]; of a convolution [height, width, channels / groups, filters]. */
  readonly signs: Int8Array;
  readonly shape: Shape;
  /** How many numbers a sum is of. */
  readonly inputs: number;
  readonly outputs: number;
  readonly steps: readonly AffineStep[];
  /** Of a convolution, how it moves, and the plane of sums that it makes. */
  readonly convolution?: Convolution;
  readonly plane?: Plane;
}

/** Real numbers in float32. */
export interface RealSignal {
  readonly kind: 'real';
  readonly value: Value;
  readonly plane?: Plane;
}

/** What a value of a network is while it becomes a graph. */
export type Signal = ParameterSignal | WholeSignal | SumSignal | RealSignal;

/** A signal that may lie on a plane. */
export const onPlane = <S extends object>(signal: S, plane: Plane | undefined): S & { plane?: Plane } =>
  plane ? { ...signal, plane } : signal;

/** What a network is fed. */
export function inputSignal({ shape, ...input }: InputSpec, value: Value): WholeSignal | RealSignal {
  const [height = 0, width = 0, channels = 0] = shape;
  const plane: Plane | undefined =
    shape.length === 3 ? { height, width, channels, channelsLast: true } : undefined;
  if (input.type === 'float32') return onPlane({ kind: 'real', value }, plane);
  return onPlane({ kind: 'whole', value, unit: input.scale, most: 255, stored: 1, type: 'uint8' }, plane);
}

/**
 * The current that a sum of an output channel stands for, computed and rounded as the reference does.
 *
 * @param time step at which it is, where amounts are of every step
 */
export function currentOf(
  { input, steps, outputs }: SumSignal,
  channel: number,
  sum: number,
  round: Rounding,
  time = 0,
): number {
  let current = round(sum * round(input.unit));
  for (const { by, amounts } of steps) {
    const amount = amounts[(time * outputs + channel) % amounts.length] as number;
    current = round(by === 'multiply' ? current * amount : current + amount);
  }
  return current;
}

/** The same as one factor and one offset: current = factor × S + offset. */
export function affineOf({ input, steps }: SumSignal, channel: number): { factor: number; offset: number } {
  let factor = input.unit;
  let offset = 0;
  for (const { by, amounts } of steps) {
    const amount = amounts[channel] as number;
    if (by === 'multiply') {
      factor *= amount;
      offset *= amount;
    } else {
      offset += amount;
    }
  }
  return { factor, offset };
}
