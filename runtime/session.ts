import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { reasonOf, UserError } from '../schemas/errors.ts';

type Runtime = typeof import('onnxruntime-node');
export type { InferenceSession, Tensor };

/** Where onnxruntime-node computes. */
export type Provider = 'cpu' | 'cuda' | 'webgpu';

export interface SessionOptions {
  /** Threads that compute one operator; by default all cores. */
  readonly threads?: number;
  /** Start of the path of a file in which onnxruntime notes what each node took; `endProfiling` writes it. */
  readonly profile?: string;
  /** The CPU unless given. */
  readonly provider?: Provider;
}

let loaded: Promise<Runtime> | undefined;

/** onnxruntime-node, which is installed by whoever wants it. */
export function onnxruntime(): Promise<Runtime> {
  loaded ??= import('onnxruntime-node').catch((cause: unknown) => {
    throw new UserError(
      `onnxruntime-node cannot be loaded: npm install onnxruntime-node (${reasonOf(cause)})`,
      { cause },
    );
  });
  return loaded;
}

/** Of onnxruntime's levels of messages the one for errors, and the one for what ends the program. */
const SEVERITY = { error: 3, fatal: 4 } as const;

/**
 * Opens an ONNX model with onnxruntime-node. It does so in this very thread, which does nothing else meanwhile.
 *
 * @param what names the model in errors
 */
export async function openSession(
  model: Uint8Array,
  { threads, profile, provider = 'cpu' }: SessionOptions = {},
  what = 'model',
): Promise<InferenceSession> {
  const { InferenceSession } = await onnxruntime();
  try {
    return await InferenceSession.create(model, {
      executionProviders: [provider],
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      interOpNumThreads: 1,
      ...(threads !== undefined && { intraOpNumThreads: threads }),
      ...(profile !== undefined && { enableProfiling: true, profileFilePrefix: profile }),
      // Other providers print what they throw, too.
      logSeverityLevel: provider === 'cpu' ? SEVERITY.error : SEVERITY.fatal,
    });
  } catch (cause) {
    throw new UserError(`${what}: onnxruntime cannot open it: ${reasonOf(cause)}`, { cause });
  }
}
