/** What a thread that trains is told, and what it tells. */
import { UserError } from '../../schemas/errors.ts';
import type { Model } from '../../schemas/model.ts';
import type { Posterior } from '../../schemas/posterior.ts';
import type { TrainingData } from '../data/index.ts';
import type { TrainingSettings } from '../options.ts';
import type { MonitorProgress, Progress, ValidationProgress } from '../progress.ts';
import type { FolderRunOptions } from '../run-folder.ts';

/** What decides a training and how it runs, as data: no functions. */
export type WorkerOptions = TrainingSettings &
  Omit<FolderRunOptions, 'onProgress' | 'onValidation' | 'onMonitor' | 'onEpoch' | 'signal' | 'warn'>;

/** What a thread is started with. */
export interface Task {
  readonly run: string;
  /** Without it the training in the folder is resumed. */
  readonly model?: Model | undefined;
  readonly resume: boolean;
  readonly data: TrainingData;
  readonly options: WorkerOptions;
  /** What to tell of: no more is sent than someone listens to. */
  readonly tells: { readonly monitor: boolean };
  /** Modules to load first, as URLs. */
  readonly modules: readonly string[];
}

/** To the thread: stop after this step, and save. */
export const STOP = 'stop';

/** From the thread. */
export type Told =
  | { readonly progress: Progress }
  | { readonly validation: ValidationProgress }
  | { readonly monitor: MonitorProgress }
  | { readonly warning: string }
  | { readonly posterior: Posterior }
  | { readonly stopped: true }
  | { readonly failure: Failure };

/** An error as data: a copy of one that crosses threads loses its class. */
export interface Failure {
  readonly message: string;
  readonly isUserError: boolean;
  readonly stack: string;
  /** Of the system or of Node, such as `ERR_MODULE_NOT_FOUND`. */
  readonly code?: string;
}

export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { message: String(error), isUserError: false, stack: '' };
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  return {
    message: error.message,
    isUserError: error instanceof UserError,
    stack: error.stack ?? '',
    ...code,
  };
}

/** The error again, as it would have been without a thread. */
export function errorOf({ message, isUserError, stack, code }: Failure): Error {
  const error = isUserError ? new UserError(message) : new Error(message);
  if (stack !== '') error.stack = stack;
  return code === undefined ? error : Object.assign(error, { code });
}
