import * as tf from '@tensorflow/tfjs-core';
import { reasonOf, UserError } from '../../schemas/errors.ts';
import { completeKernels } from './composed-kernels.ts';

/** How a tfjs backend comes by its threads. */
interface Backend {
  /** The package that registers it. */
  readonly module: string;
  /** The environment variables by which it is told its threads before it is loaded; without them it has no choice. */
  readonly threadVariables?: readonly string[];
}

const backends: Readonly<Record<string, Backend>> = {
  cpu: { module: '@tensorflow/tfjs-backend-cpu' },
  // In Node it never starts its threaded build, and finds its .wasm files beside its own code.
  wasm: { module: '@tensorflow/tfjs-backend-wasm' },
  tensorflow: {
    module: '@tensorflow/tfjs-node',
    threadVariables: ['TF_NUM_INTRAOP_THREADS', 'TF_NUM_INTEROP_THREADS'],
  },
  webgl: { module: '@tensorflow/tfjs-backend-webgl' },
  webgpu: { module: '@tensorflow/tfjs-backend-webgpu' },
};

/** The threads that were asked for when a backend was loaded: it keeps them until the process ends. */
const threadsWhenLoaded = new Map<string, number | undefined>();

/**
 * Makes a tfjs backend the current one; the first use of one of the list above imports its package.
 *
 * @param threads only `tensorflow` can have more than one, and takes their number when it is loaded
 * @throws UserError for a backend that is unknown, not installed or does not start, and for threads it cannot have
 */
export async function useBackend(name: string, threads?: number): Promise<void> {
  if (!isRegistered(name)) await load(name, threads);
  if (threads !== undefined) checkThreads(name, threads);
  if (tf.getBackend() === name) return;
  if (!(await tf.setBackend(name))) {
    throw new UserError(`the tfjs backend '${name}' does not start on this machine; try engine 'onnx'`);
  }
}

const isRegistered = (name: string): boolean => Object.hasOwn(tf.engine().registryFactory, name);

async function load(name: string, threads: number | undefined): Promise<void> {
  const backend = Object.hasOwn(backends, name) ? backends[name] : undefined;
  if (!backend) {
    throw new UserError(
      `unknown tfjs backend '${name}'; expected one of ${Object.keys(backends).join(', ')}`,
    );
  }
  const { module, threadVariables = [] } = backend;
  if (threads !== undefined) {
    for (const variable of threadVariables) process.env[variable] = String(threads);
  }
  try {
    await import(module);
  } catch (cause) {
    throw isMissing(cause, module)
      ? new UserError(
          `the tfjs backend '${name}' needs the package ${module}: npm install ${module} (${reasonOf(cause)})`,
          { cause },
        )
      : new UserError(
          `the package ${module} of the tfjs backend '${name}' is installed but does not load: ${reasonOf(cause)}`,
          { cause },
        );
  }
  if (!isRegistered(name)) {
    throw new UserError(
      `${module} did not register the tfjs backend '${name}' with this @tensorflow/tfjs-core (${tf.version_core}); ` +
        'install the same version of both',
    );
  }
  completeKernels(name);
  threadsWhenLoaded.set(name, threads);
}

/** Whether it is the package itself that is not there, not something that it imports: as Node says it, and Vite. */
const isMissing = (thrown: unknown, module: string): boolean =>
  new RegExp(`(Cannot find package|Could not resolve) ['"]${module}['"]`).test(reasonOf(thrown));

function checkThreads(name: string, threads: number): void {
  if (!backends[name]?.threadVariables) {
    if (threads === 1) return;
    throw new UserError(
      `threads is ${threads}, but the tfjs backend '${name}' computes on one; leave threads out, or take engine 'onnx'`,
    );
  }
  const before = threadsWhenLoaded.get(name);
  if (before === threads) return;
  throw new UserError(
    `threads is ${threads}, but the tfjs backend '${name}' was loaded in this process with ` +
      `${before ?? 'as many as it likes'} and keeps them; start another process for ${threads}`,
  );
}
