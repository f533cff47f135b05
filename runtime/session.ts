import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { reasonOf, UserError } from '../schemas/errors.ts';

type Runtime = typeof import('onnxruntime-node');
export type { InferenceSession, Tensor };

export interface SessionOptions {
  /** Threads that compute one operator; by default all cores. */
  readonly threads?: number;
  /** Start of the path of a file in which onnxruntime notes what each node took; `endProfiling` writes it. */
  readonly profile?: string;
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

/**
 * Opens an ONNX model on the CPU.
 *
 * @param what names the model in errors
 */
export async function openSession(
  model: Uint8Array,
  { threads, profile }: SessionOptions = {},
  what = 'model',
): Promise<InferenceSession> {
  const { InferenceSession } = await onnxruntime();
  try {
    return await InferenceSession.create(model, {
      executionProviders: ['cpu'],
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      interOpNumThreads: 1,
      ...(threads !== undefined && { intraOpNumThreads: threads }),
      ...(profile !== undefined && { enableProfiling: true, profileFilePrefix: profile }),
      logSeverityLevel: 3,
    });
  } catch (cause) {
    throw new UserError(`${what}: onnxruntime cannot open it: ${reasonOf(cause)}`, { cause });
  }
}
