import { expect } from 'vitest';
import { UserError } from '../../schemas/errors.ts';

/** The line of the UserError that `attempt` throws. */
export async function lineOf(attempt: () => unknown): Promise<string> {
  const error = await Promise.resolve()
    .then(attempt)
    .then(
      () => undefined,
      (error: unknown) => error,
    );
  expect(error).toBeInstanceOf(UserError);
  const { message } = error as UserError;
  expect(message).not.toContain('\n');
  return message;
}
