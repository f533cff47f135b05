import { UserError } from '../../../schemas/errors.ts';
import type { BatchPlan } from './plan.ts';

/** Room for one batch, in shared memory. */
export interface Slot {
  readonly inputs: Float32Array;
  readonly targets: Float32Array;
}

/** What a worker is started with. */
export interface WorkerStart {
  readonly plan: BatchPlan;
  readonly slots: readonly Slot[];
}

/** A batch to make, and where. */
export interface Job {
  readonly epoch: number;
  readonly index: number;
  readonly slot: number;
}

/** What a worker says once a slot is filled, or cannot be. */
export interface Report {
  readonly slot: number;
  readonly failure?: Failure;
}

/** An error as data: a copy of one that crosses threads loses its class. */
export interface Failure {
  readonly message: string;
  readonly isUserError: boolean;
  readonly stack: string;
}

export const failureOf = (error: unknown): Failure =>
  error instanceof Error
    ? { message: error.message, isUserError: error instanceof UserError, stack: error.stack ?? '' }
    : { message: String(error), isUserError: false, stack: '' };

/** The error again, where its caller waits. A mistake of the user's reads as it would without workers. */
export function errorOf({ message, isUserError, stack }: Failure, where: string): Error {
  const cause = Object.assign(new Error(message), { stack });
  return isUserError ? new UserError(message, { cause }) : new Error(`${where}: ${message}`, { cause });
}
