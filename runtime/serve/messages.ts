import type { LoadOptions } from '../index.ts';
import type { Numbers, Signature, Tensor } from './signature.ts';

/**
 * The memory to move with a message: what is small is copied, which takes less time than moving it.
 *
 * @param arrays each with memory of its own
 */
export const movable = (arrays: readonly Numbers[]): ArrayBuffer[] =>
  arrays.filter(({ byteLength }) => byteLength > 65_536).map(({ buffer }) => buffer as ArrayBuffer);

/** What a thread tells of the network that it has opened. */
export interface Opened {
  readonly signature: Signature;
  /** Names of the classes, or of the numbers of a regression. */
  readonly classes: readonly string[];
  /** Where it computes. */
  readonly device: string;
  /** Seconds that one example alone takes there, without the way to the thread. */
  readonly seconds: number;
}

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
  | ({ readonly kind: 'ready' } & Opened)
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'done'; readonly outputs: Readonly<Record<string, Tensor>> }
  | { readonly kind: 'failed'; readonly reason: string };
