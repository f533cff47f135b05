/** A request that gets an error for an answer. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  /** Of HTTP. */
  readonly status: 400 | 404 | 405 | 408 | 413 | 415 | 500 | 503 | 504;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: Refusal['status'], message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}
