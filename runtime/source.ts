/** Where a model comes from: bytes, or an address that is fetched. */
import { reasonOf, UserError } from '../schemas/errors.ts';

/** Path, address or bytes of an .onnx file. */
export type Source = string | URL | Uint8Array;

/** @throws UserError unless it is a text, a URL or bytes */
export function checkSource(source: unknown): asserts source is Source {
  if (typeof source === 'string' || source instanceof URL || source instanceof Uint8Array) return;
  const kind = (source as object | null)?.constructor?.name ?? typeof source;
  throw new UserError(
    `load: expected the path or URL of an .onnx file, or its bytes as Uint8Array; got ${kind}`,
  );
}

/**
 * Fetches a model.
 *
 * @param seconds how long it may take
 * @throws UserError when it cannot be fetched, is not there, or comes in part
 */
export async function fetchModel(address: string | URL, seconds: number): Promise<Uint8Array> {
  const failed = (reason: string, cause?: unknown): UserError =>
    new UserError(`${String(address)}: cannot fetch the model: ${reason}`, { cause });
  const signal = AbortSignal.timeout(seconds * 1000);
  try {
    const response = await fetch(address, { signal });
    const { status, statusText, headers } = response;
    if (!response.ok) throw failed(`the server says ${status} ${statusText}`.trim());
    if (headers.get('content-type')?.startsWith('text/html')) {
      throw failed('the server sends a page (text/html) in its place; is the address right?');
    }
    const bytes = new Uint8Array(await response.arrayBuffer());
    // Compressed on the way, a file is longer than what was sent.
    const sent = headers.has('content-encoding') ? null : headers.get('content-length');
    if (sent !== null && Number(sent) !== bytes.length) {
      throw failed(`${bytes.length} of ${sent} bytes came`);
    }
    if (bytes.length === 0) throw failed('the file is empty');
    return bytes;
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw failed(signal.aborted ? `it took more than ${seconds} s` : whyOf(cause), cause);
  }
}

/** Node says why only in the cause of what it throws. */
const whyOf = (error: unknown): string =>
  error instanceof Error && error.cause !== undefined
    ? `${reasonOf(error)}: ${reasonOf(error.cause)}`
    : reasonOf(error);
