import { UserError } from '../schemas/errors.ts';

/** Seconds in which a model has to be fetched, and again in which it has to be opened, unless `load` is told others. */
export const DEFAULT_TIMEOUT = 120;

/**
 * What a promise resolves to, if it does so in time.
 *
 * @param seconds how long it may take
 * @param what begins the error: `model: opening on wasm`
 * @param late is called with a value that came after the error
 * @throws UserError when the time is over
 */
export function within<Value>(
  promise: Promise<Value>,
  seconds: number,
  what: string,
  late: (value: Value) => unknown = () => {},
): Promise<Value> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    const timer = setTimeout(() => {
      isOver = true;
      reject(new UserError(`${what} took more than ${seconds} s; give a longer timeout, or another device`));
    }, seconds * 1000);
    promise.then(
      (value) => {
        clearTimeout(timer);
        if (isOver) late(value);
        else resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
