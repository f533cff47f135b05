/** NVIDIA's GPUs by onnxruntime-node: Linux on x64, with files that its npm package downloads when told to. */
import { access } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { reasonOf } from '../../schemas/errors.ts';
import type { Availability, Runner, RunnerOptions } from '../runner.ts';
import { onnxruntime, openSession } from '../session.ts';
import { availableAfter, probeModel } from './probe-model.ts';
import { sessionRunner } from './session-runner.ts';
import { Unavailable } from './unavailable.ts';

const remedies = {
  platform: "load(…, { device: 'cpu' }), or Linux on x64 with an NVIDIA GPU",
  files: 'ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node',
  libraries: "install CUDA 12 and cuDNN 9 and put them on LD_LIBRARY_PATH, and NVIDIA's driver",
} as const;

/** The file without which there is no CUDA, where onnxruntime-node looks for it. */
function providerFile(): string {
  const main = createRequire(import.meta.url).resolve('onnxruntime-node');
  const name = 'libonnxruntime_providers_cuda.so';
  return join(dirname(dirname(main)), 'bin', 'napi-v6', process.platform, process.arch, name);
}

/** What keeps CUDA from being tried at all. */
async function obstacle(): Promise<{ readonly why: string; readonly remedy: string } | undefined> {
  const { listSupportedBackends } = await onnxruntime();
  if (!listSupportedBackends().some(({ name }) => name === 'cuda')) {
    return {
      why: `onnxruntime-node has no CUDA for ${process.platform} on ${process.arch}`,
      remedy: remedies.platform,
    };
  }
  const file = providerFile();
  const isThere = await access(file).then(
    () => true,
    () => false,
  );
  return isThere
    ? undefined
    : { why: `onnxruntime-node lies here without its CUDA files (no ${file})`, remedy: remedies.files };
}

export async function open(model: Uint8Array, { threads }: RunnerOptions, what: string): Promise<Runner> {
  const found = await obstacle();
  if (found) throw new Unavailable('cuda', found.why, found.remedy);
  const options = { provider: 'cuda', ...(threads !== undefined && { threads }) } as const;
  try {
    return sessionRunner(await openSession(model, options, what), await onnxruntime());
  } catch (cause) {
    // Where the least model does not open either, the model is not to blame.
    const works = await openSession(probeModel(), { provider: 'cuda' }).then(
      (session) => session.release().then(() => true),
      () => false,
    );
    if (works) throw cause;
    throw new Unavailable('cuda', reasonOf(cause), remedies.libraries, { cause });
  }
}

export async function probe(): Promise<Availability> {
  try {
    const found = await obstacle();
    if (found) return { available: false, ...found };
  } catch (error) {
    return { available: false, why: reasonOf(error), remedy: 'npm install onnxruntime-node' };
  }
  return availableAfter(open, {
    detail: async () => `onnxruntime-node ${(await onnxruntime()).env.versions.node} with CUDA`,
    remedy: remedies.libraries,
  });
}
