import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { z } from 'zod';

const failure = z.object({ error: z.string() });

/**
 * A long-lived child process that answers each line of JSON on its stdin by one on its stdout. It stays up
 * between requests, so that measuring it can take turns with measuring us.
 */
export class Peer {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  #complaints = '';

  constructor(command: string, options: { arguments: string[]; environment: NodeJS.ProcessEnv }) {
    this.#child = spawn(command, options.arguments, { env: { ...process.env, ...options.environment } });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    const complain = (reason: unknown) => {
      this.#complaints = `${this.#complaints}${reason}`.slice(-2000);
    };
    this.#child.on('error', complain);
    this.#child.stdin.on('error', complain);
    this.#child.stderr.on('data', complain);
  }

  /** @throws Error when the peer reports one, ends, answers in another shape, or takes too long */
  async request<Answer>(
    message: object,
    schema: z.ZodType<Answer>,
    timeoutMilliseconds = 120_000,
  ): Promise<Answer> {
    let late = false;
    // Killing the child closes its stdout, which ends the wait below.
    const timer = setTimeout(() => {
      late = true;
      this.#child.kill('SIGKILL');
    }, timeoutMilliseconds);
    this.#child.stdin.write(`${JSON.stringify(message)}\n`);
    const line = await this.#lines.next();
    clearTimeout(timer);
    if (line.done) {
      const reason = late ? `gave no answer in ${timeoutMilliseconds} ms` : 'ended';
      throw new Error(`The peer ${this.#child.spawnargs.join(' ')} ${reason}. ${this.#complaints}`.trim());
    }
    const answer: unknown = JSON.parse(line.value);
    const failed = failure.safeParse(answer);
    if (failed.success) throw new Error(`The peer failed: ${failed.data.error}`);
    return schema.parse(answer);
  }

  /** Ends the child: it stops at the end of its stdin, or is killed after a second. */
  async close(): Promise<void> {
    if (this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null)
      return;
    const exit = once(this.#child, 'exit');
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 1000);
    await exit;
    clearTimeout(timer);
  }
}
