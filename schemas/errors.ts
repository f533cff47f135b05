/**
 * A mistake in what a user gave: an option, a file, a model.
 *
 * Its message is one line that says what is wrong, where, what was expected and what to do. The command
 * line prints it alone and exits with 1; any other error is a defect of ours and keeps its stack.
 */
export class UserError extends Error {
  override readonly name = 'UserError';

  constructor(message: string, options?: ErrorOptions) {
    super(message.replace(/\s*\n\s*/g, ' '), options);
  }
}

/** The reason in an unknown thrown value, in one line. */
export const reasonOf = (thrown: unknown): string =>
  (thrown instanceof Error ? thrown.message : String(thrown)).replace(/\s*\n\s*/g, ' ').trim();
