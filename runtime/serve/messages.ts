import type { LoadOptions } from '../index.ts';
import type { Numbers, Signature, Tensor } from './signature.ts';

/**
 * The memory to move with a message: what is small is copied, which takes less time than moving it.
 *
 * @param arrays each with memory of its own
 */
export const movable = (arrays: readonly Numbers[]): ArrayBuffer[] =>
  arrays.filter(({ byteLength }) => byteLength > 65_536).map(({ buffer }) => buffer as ArrayBuffer);

/** What the thread of a network is started with. */
export interface ThreadStart {
  readonly file: string;
  readonly options: LoadOptions;
}

/** What it is told: compute these examples, or stop. */
export type Order =
  | { readonly kind: 'run'; readonly examples: Numbers; readonly count: number }
  | { readonly kind: 'close' };

/** What it says. */
export type Report =
  | { readonly kind: 'ready'; readonly signature: Signature; readonly classes: readonly string[] }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'done'; readonly outputs: Readonly<Record<string, Tensor>> }
  | { readonly kind: 'failed'; readonly reason: string };
