/** What a process that runs hostile inputs is told, and what it tells. */
import type { Judged } from './case.ts';

export type Order =
  | { readonly kind: 'fixtures'; readonly folder: string }
  | {
      readonly kind: 'run';
      readonly seed: number;
      readonly numbers: readonly number[];
      /** That of the fixtures. */
      readonly folder: string;
    };

export type Report =
  | { readonly kind: 'ready' }
  | { readonly kind: 'begun'; readonly number: number }
  /** `memory`: bytes that the process held at most so far. */
  | { readonly kind: 'judged'; readonly judged: Judged; readonly memory: number }
  | { readonly kind: 'done' }
  /** The harness itself failed. */
  | { readonly kind: 'broken'; readonly reason: string };
