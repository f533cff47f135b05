import type { Value } from '../schemas/onnx/index.ts';
import type { Plane } from './signal.ts';

/** A parameter, by name: what becomes of it depends on how it is used. */
export interface NoisyParameter {
  readonly kind: 'parameter';
  readonly name: string;
}

/** A value that the posterior makes uncertain, while it becomes a graph: float32, channels first on planes. */
export interface NoisyValue {
  readonly kind: 'value';
  readonly mean: Value;
  /** Absent where it is certain; it broadcasts to the shape of the mean. */
  readonly variance?: Value;
  /** Variance that adds at the moment of firing and is never accumulated: that of a bias. */
  readonly firingVariance?: Value;
  /** Whether that has the axes of time and batch: that of a bias has none. */
  readonly firingMoves?: true;
  /** The mean is 0 or 1 everywhere, and so its own square. */
  readonly binary?: true;
  readonly plane?: Plane;
}

export type NoisySignal = NoisyParameter | NoisyValue;

/** The fields of a value that are values of the graph. */
export const fields = ['mean', 'variance', 'firingVariance'] as const;
export type Field = (typeof fields)[number];

export function valueOf(x: NoisySignal): NoisyValue {
  if (x.kind !== 'value') throw new Error(`expected a value, got the parameter ${x.name}`);
  return x;
}

export function parameterOf(x: NoisySignal): string {
  if (x.kind !== 'parameter') throw new Error('expected a parameter, got a value');
  return x.name;
}

/** What is known of a value. */
interface Known {
  readonly plane?: Plane | undefined;
  readonly binary?: true | undefined;
  readonly firingMoves?: true | undefined;
}

/** A value with these fields, those that are undefined left out. */
export function noisy(
  {
    mean,
    variance,
    firingVariance,
  }: { mean: Value; variance?: Value | undefined; firingVariance?: Value | undefined },
  { plane, binary, firingMoves }: Known = {},
): NoisyValue {
  return {
    kind: 'value',
    mean,
    ...(variance !== undefined && { variance }),
    ...(firingVariance !== undefined && { firingVariance }),
    ...(binary && { binary }),
    ...(firingMoves && firingVariance !== undefined && { firingMoves }),
    ...(plane && { plane }),
  };
}
