/** What a thread that computes examples is told, and what it says. Numbers lie in memory that both see. */
import { reasonOf, UserError } from '../../../schemas/errors.ts';
import type { BatchAxes } from '../batch.ts';
import type { HostTensor, HostTensors } from '../../runner.ts';
import { type Numbers, sizeOf } from '../reference/index.ts';
import type { MemoryUse } from '../runner.ts';

/** A tensor in shared memory: where it begins, in bytes. */
export interface SharedTensor {
  readonly type: HostTensor['type'];
  readonly dims: readonly number[];
  readonly at: number;
}

export type SharedTensors = Readonly<Record<string, SharedTensor>>;

/** Examples to compute. */
export interface Work {
  readonly kind: 'run';
  /** Which of the places of this thread they are in: its answers stay there until the next work for it. */
  readonly place: number;
  readonly memory: SharedArrayBuffer;
  readonly feeds: SharedTensors;
  readonly outputs: readonly string[];
}

/** The first thing that a thread is told. */
export interface Start {
  readonly kind: 'open';
  /** The bytes of the file. */
  readonly model: SharedArrayBuffer;
  readonly axes: BatchAxes;
  readonly what: string;
}

export type Order = Start | Work;

/** An error as data: a copy of one that crosses threads loses its class. */
export interface Failure {
  readonly message: string;
  readonly isUserError: boolean;
}

export interface Answer {
  readonly kind: 'done';
  readonly place: number;
  readonly memory: SharedArrayBuffer;
  readonly outputs: SharedTensors;
  /** Milliseconds that computing took. */
  readonly took: number;
  readonly use: MemoryUse;
}

export type Report =
  | { readonly kind: 'ready'; readonly use: MemoryUse }
  | { readonly kind: 'refused'; readonly failure: Failure }
  | Answer
  | { readonly kind: 'failed'; readonly place: number; readonly failure: Failure };

export const failureOf = (error: unknown): Failure => ({
  message: reasonOf(error),
  isUserError: error instanceof UserError,
});

/** The error again, as it would have been without a thread. */
export const errorOf = ({ message, isUserError }: Failure): Error =>
  isUserError ? new UserError(message) : new Error(message);

type Kind = {
  new (buffer: SharedArrayBuffer, at: number, length: number): Numbers['data'];
  readonly BYTES_PER_ELEMENT: number;
};

const kinds = {
  float32: Float32Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  int8: Int8Array,
  int32: Int32Array,
  int64: BigInt64Array,
} as unknown as Readonly<Record<HostTensor['type'], Kind>>;

/** The numbers of a tensor, where they are. */
export const viewOf = (memory: SharedArrayBuffer, { type, dims, at }: SharedTensor): Numbers['data'] =>
  new kinds[type](memory, at, sizeOf(dims));

export const viewsOf = (memory: SharedArrayBuffer, tensors: SharedTensors): HostTensors =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => {
      const { type, dims } = tensor;
      return [name, { type, dims, data: viewOf(memory, tensor) }];
    }),
  );

/** Tensors begin at multiples of this, in bytes. */
const ALIGNMENT = 64;

/** Puts tensors one behind another. @returns where they are, and the bytes of all */
export function laidOut(tensors: Readonly<Record<string, Pick<HostTensor, 'type' | 'dims'>>>): {
  readonly tensors: SharedTensors;
  readonly bytes: number;
} {
  let bytes = 0;
  const found: Record<string, SharedTensor> = {};
  for (const [name, { type, dims }] of Object.entries(tensors)) {
    found[name] = { type, dims, at: bytes };
    bytes += Math.ceil((sizeOf(dims) * kinds[type].BYTES_PER_ELEMENT) / ALIGNMENT) * ALIGNMENT;
  }
  return { tensors: found, bytes };
}

/** Shared memory of at least so many bytes: what there is, or more. */
export const roomFor = (bytes: number, there: SharedArrayBuffer | undefined): SharedArrayBuffer =>
  there && there.byteLength >= bytes ? there : new SharedArrayBuffer(Math.max(bytes, ALIGNMENT));
