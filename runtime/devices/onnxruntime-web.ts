/** What the devices of onnxruntime-web have in common, in Node and in browsers. */
import type { Env } from 'onnxruntime-node';
import { reasonOf, UserError } from '../../schemas/errors.ts';
import type { Availability, Runner, RunnerOptions } from '../runner.ts';
import { type Onnxruntime, sessionRunner, type Turns } from './session-runner.ts';
import { ISOLATION_REMEDY, settleThreads, type ThreadSurroundings } from './threads.ts';

export interface OnnxruntimeWeb extends Onnxruntime {
  readonly env: Env;
}

/** Files of onnxruntime-web that a page without a bundler names by their address. */
type WebFile = 'ort.wasm.bundle.min.mjs' | 'ort.webgpu.bundle.min.mjs';

const installRemedy = 'npm install onnxruntime-web';
const browserRemedy = `${installRemedy}, or in a page without a bundler name the folder of its files: load(…, { onnxruntime: 'https://…/onnxruntime-web/dist/' })`;

/**
 * onnxruntime-web, from the package or from the address that a page gives.
 *
 * @param imported imports the package; a page's bundler wants to see its name
 */
export async function bringOnnxruntimeWeb(
  imported: () => Promise<OnnxruntimeWeb>,
  file?: WebFile,
  folder?: string,
): Promise<OnnxruntimeWeb> {
  const address =
    file !== undefined && folder !== undefined ? `${folder.replace(/\/?$/, '/')}${file}` : undefined;
  try {
    if (address === undefined) return await imported();
    const resolved = new URL(
      address,
      (globalThis as { readonly location?: { readonly href: string } }).location?.href,
    ).href;
    return (await import(/* @vite-ignore */ /* webpackIgnore: true */ resolved)) as OnnxruntimeWeb;
  } catch (cause) {
    const remedy = file === undefined ? installRemedy : browserRemedy;
    throw new UserError(
      address === undefined
        ? `onnxruntime-web cannot be loaded: ${remedy} (${reasonOf(cause)})`
        : `onnxruntime: cannot load ${address} (${reasonOf(cause)}); expected the folder of onnxruntime-web's files`,
      { cause },
    );
  }
}

interface Opening {
  readonly provider: 'wasm' | 'webgpu';
  readonly surroundings: ThreadSurroundings;
  /** Where runs have to wait for each other. */
  readonly turns?: Turns;
}

/** Opens a model with onnxruntime-web. @throws UserError when it refuses the model, or another number of threads */
export async function openOnnxruntimeWeb(
  ort: OnnxruntimeWeb,
  { provider, surroundings, turns }: Opening,
  model: Uint8Array,
  { threads }: RunnerOptions,
  what: string,
): Promise<Runner> {
  const settled = settleThreads(ort.env.wasm, threads, surroundings);
  // On a GPU threads matter to the few nodes that it leaves to the CPU, so only who asked for them is told.
  const notes = provider === 'wasm' || threads !== undefined ? settled : [];
  const create = () =>
    ort.InferenceSession.create(model, {
      executionProviders: [provider],
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      // Errors alone: what it throws is told by us.
      logSeverityLevel: 4,
    });
  try {
    const session = await (turns ? turns.take(create) : create());
    return sessionRunner(session, ort, { notes, ...(turns && { turns }) });
  } catch (cause) {
    throw new UserError(`${what}: onnxruntime cannot open it: ${reasonOf(cause)}`, { cause });
  }
}

/** The least WebAssembly there is: magic and version. */
const LEAST_WASM = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

/** Whether WebAssembly may run and onnxruntime-web is there. It opens nothing, as that would settle the threads. */
export async function probeWasm(
  bring: () => Promise<OnnxruntimeWeb>,
  { isolated }: ThreadSurroundings,
): Promise<Availability> {
  try {
    void new WebAssembly.Module(LEAST_WASM);
  } catch (error) {
    return {
      available: false,
      why: `WebAssembly: ${reasonOf(error)}`,
      remedy: "let the content security policy have script-src 'wasm-unsafe-eval'",
    };
  }
  try {
    const { env } = await bring();
    const threads = isolated ? 'with threads' : `one thread; for more ${ISOLATION_REMEDY}`;
    return { available: true, detail: `onnxruntime-web ${env.versions.web}, ${threads}` };
  } catch (error) {
    return { available: false, why: reasonOf(error), remedy: installRemedy };
  }
}
