import { UserError } from '../../schemas/errors.ts';

/** What onnxruntime-web takes its number of threads from, once, when it opens its first model. */
export interface ThreadSetting {
  numThreads?: number;
}

/** What decides how many threads WebAssembly may have. */
export interface ThreadSurroundings {
  /** Logical cores. */
  readonly cores: number;
  /** Whether memory can be shared between threads; a page must be cross-origin isolated for that. */
  readonly isolated: boolean;
}

/** Of this page or worker. */
export const pageSurroundings = (): ThreadSurroundings => {
  const { navigator, crossOriginIsolated } = globalThis as Partial<Page>;
  return {
    cores: navigator?.hardwareConcurrency ?? 1,
    isolated: typeof SharedArrayBuffer !== 'undefined' && crossOriginIsolated === true,
  };
};

/** What is used here of a page's globals, which the types of Node do not know. */
interface Page {
  readonly navigator: { readonly hardwareConcurrency: number };
  readonly crossOriginIsolated: boolean;
}

export const ISOLATION_REMEDY =
  'serve the page with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp';

/** More than this gains little: the default of onnxruntime-web. */
const MOST_BY_DEFAULT = 4;

const settled = new WeakMap<ThreadSetting, number>();

/**
 * Settles the number of threads of onnxruntime-web with its first model; it cannot change after that.
 *
 * @param threads as many as the user asked for
 * @returns what the user should know
 * @throws UserError where another number was settled before
 */
export function settleThreads(
  setting: ThreadSetting,
  threads: number | undefined,
  { cores, isolated }: ThreadSurroundings,
): string[] {
  const before = settled.get(setting);
  const wanted = threads ?? before ?? Math.min(MOST_BY_DEFAULT, Math.ceil(cores / 2));
  const given = isolated ? wanted : 1;
  if (before !== undefined && before !== given) {
    throw new UserError(
      `threads: onnxruntime-web has had ${before} since its first model and cannot change that; give threads: ${before} or none, or load this model in a worker of its own`,
    );
  }
  settled.set(setting, given);
  setting.numThreads = given;
  if (isolated || (threads ?? cores) === 1) return [];
  return [
    `It computes on one thread${threads === undefined ? '' : `, not ${threads}`}, as this page is not cross-origin isolated: ${ISOLATION_REMEDY}.`,
  ];
}
