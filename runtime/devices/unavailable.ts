import { UserError } from '../../schemas/errors.ts';

/** A device that is not there: why, and what to do. */
export class Unavailable extends UserError {
  readonly why: string;
  readonly remedy: string;

  constructor(device: string, why: string, remedy: string, options?: ErrorOptions) {
    super(`device '${device}': ${why}; ${remedy}`, options);
    this.why = why;
    this.remedy = remedy;
  }
}
