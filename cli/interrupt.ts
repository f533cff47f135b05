import { constants } from 'node:os';

/** The user, or the system, asked to stop. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals, message = `stopped by ${signal}`) {
    super(message);
    this.signal = signal;
  }

  get exitCode(): number {
    return 128 + constants.signals[this.signal];
  }
}

const signals = ['SIGINT', 'SIGTERM'] as const;

/**
 * Runs an action that stops in good order: the first signal aborts it with an `Interrupted`, the second ends the
 * program at once, as ever.
 *
 * @param told called when the first signal comes
 */
export async function interruptible<Result>(
  action: (signal: AbortSignal) => Promise<Result>,
  told: () => void,
): Promise<Result> {
  const controller = new AbortController();
  const stop = (signal: NodeJS.Signals): void => {
    ignore();
    told();
    controller.abort(new Interrupted(signal));
  };
  const ignore = (): void => signals.forEach((signal) => process.off(signal, stop));
  for (const signal of signals) process.on(signal, stop);
  try {
    return await action(controller.signal);
  } finally {
    ignore();
  }
}
