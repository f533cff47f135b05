/** GPUs by the WebGPU that onnxruntime-node carries (Dawn, over Vulkan, Metal or Direct3D 12). */
import { reasonOf } from '../../schemas/errors.ts';
import type { Availability, Runner, RunnerOptions } from '../runner.ts';
import { onnxruntime, openSession } from '../session.ts';
import { availableAfter } from './probe-model.ts';
import { sessionRunner, Turns } from './session-runner.ts';
import { Unavailable } from './unavailable.ts';

const remedy =
  "install a driver of the GPU (on Linux a Vulkan one, and libvulkan.so.1), or load(…, { device: 'cpu' })";

/** One GPU computes for all. */
const turns = new Turns();

export async function open(model: Uint8Array, { threads }: RunnerOptions, what: string): Promise<Runner> {
  const { listSupportedBackends, ...api } = await onnxruntime();
  if (!listSupportedBackends().some(({ name }) => name === 'webgpu')) {
    const why = `onnxruntime-node has no WebGPU for ${process.platform} on ${process.arch}`;
    throw new Unavailable('webgpu', why, "load(…, { device: 'cpu' })");
  }
  const options = { provider: 'webgpu', ...(threads !== undefined && { threads }) } as const;
  try {
    const session = await turns.take(() => openSession(model, options, what));
    return sessionRunner(session, api, { turns });
  } catch (cause) {
    const adapter = /Failed to get a WebGPU adapter: (.*)/.exec(reasonOf(cause))?.[1];
    if (adapter === undefined) throw cause;
    throw new Unavailable('webgpu', `no GPU was found (${adapter})`, remedy, { cause });
  }
}

export function probe(): Promise<Availability> {
  return availableAfter(open, {
    detail: async () => `onnxruntime-node ${(await onnxruntime()).env.versions.node}`,
    remedy,
  });
}
