import type { Value } from '../schemas/onnx/index.ts';
import type { FrozenTensor } from './decisions.ts';
import type { Rounding } from './oracle.ts';

/** A parameter that is not in the graph yet: what becomes of it depends on how it is used. */
export interface ParameterSignal {
  readonly kind: 'parameter';
  readonly name: string;
  readonly tensor: FrozenTensor;
}

/** Whole numbers 0 … most in uint8; the value they stand for is unit × number. */
export interface WholeSignal {
  readonly kind: 'whole';
  readonly value: Value;
  readonly unit: number;
  readonly most: number;
}

/** One step from a sum of whole numbers to the current it stands for, per output channel. */
export interface AffineStep {
  readonly by: 'multiply' | 'add';
  /** Name of the parameter. */
  readonly name: string;
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
  /** −1 and +1, [inputs, outputs]. */
  readonly signs: Int8Array;
  readonly inputs: number;
  readonly outputs: number;
  readonly steps: readonly AffineStep[];
}

/** Real numbers in float32. */
export interface RealSignal {
  readonly kind: 'real';
  readonly value: Value;
}

/** What a value of a network is while it becomes a graph. */
export type Signal = ParameterSignal | WholeSignal | SumSignal | RealSignal;

/** The current that a sum of an output channel stands for, computed and rounded as the reference does. */
export function currentOf(
  { input, steps }: SumSignal,
  channel: number,
  sum: number,
  round: Rounding,
): number {
  let current = round(sum * round(input.unit));
  for (const { by, amounts } of steps) {
    const amount = amounts[channel] as number;
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
