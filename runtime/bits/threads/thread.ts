import type { Order, Report } from './messages.ts';

/** A thread of Node or a worker of a page: what the pool needs of either. */
export interface Thread {
  tell(order: Order): void;
  /** Whether the program has to wait for it; at first it has. */
  hold(isNeeded: boolean): void;
  /** Ends it, whatever it computes. */
  end(): Promise<void>;
}

export interface Listener {
  onReport(report: Report): void;
  /** It is gone, and answers no more. Called once. */
  onEnd(why: string): void;
}

/** @throws Error where none can be started */
export type StartThread = (listener: Listener) => Thread;
