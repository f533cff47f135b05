import { z } from 'zod';
import { type BitsRunner, openBits } from '../../runtime/index.ts';
import { open as openOnThreads } from '../../runtime/devices/bits-node.ts';
import type { DeviceModule, HostTensor, Runner } from '../../runtime/runner.ts';
import type { Absent, Contender } from '../harness.ts';
import { startPython } from '../peers/python.ts';
import type { Case } from './cases.ts';
import { bytesOf, feedingOf } from './feeds.ts';
import { timed } from './timed.ts';

export const peers = [
  'ort-web-float32',
  'ort-web',
  'ort-node',
  'ort-node-bare',
  'ort-node-preallocated',
  'snntorch',
] as const;
export type PeerName = (typeof peers)[number];

/** Where each peer runs, and in which form the network is written for it. */
const runtimes = {
  'ort-web-float32': { open: () => import('../../runtime/devices/wasm-node.ts'), target: 'gpu' },
  'ort-web': { open: () => import('../../runtime/devices/wasm-node.ts'), target: 'any' },
  'ort-node-float32': { open: () => import('../../runtime/devices/cpu.ts'), target: 'gpu' },
  'ort-node': { open: () => import('../../runtime/devices/cpu.ts'), target: 'any' },
} as const;

/** Calls at once, so that the clock's own time does not count. */
const atOnce = (isStream: boolean): number => (isStream ? 100 : 1);

/** Our engine; packing the inputs is part of a call. Of several threads each computes some of the examples. */
export function bitsContender(given: Case, isStream: boolean, threads = 1): Contender {
  let runner: BitsRunner | undefined;
  let call: (() => unknown) | undefined;
  return {
    name: 'bits',
    async prepare() {
      const bytes = bytesOf(given, isStream, 'any');
      const { feeds, carried } = feedingOf(given, isStream, bytes);
      const opened =
        threads === 1 ? await openBits(bytes) : await openOnThreads(bytes, { threads }, 'network');
      runner = opened;
      const stepper = isStream ? opened.stepper(feeds, ['logits'], carried) : undefined;
      const run = threads === 1 ? opened.runNow : opened.run;
      call = stepper ? () => stepper.step() : () => run(feeds, ['logits']);
    },
    steps: (count) => timed(count, atOnce(isStream), () => call?.()),
    close: async () => runner?.release(),
  };
}

/** onnxruntime with the same network. */
export function runtimeContender(
  name: keyof typeof runtimes,
  given: Case,
  isStream: boolean,
  threads = 1,
): Contender {
  const { open, target } = runtimes[name];
  let runner: Runner | undefined;
  let call: (() => Promise<void>) | undefined;
  return {
    name,
    async prepare() {
      const bytes = bytesOf(given, isStream, target);
      const { feeds, carried } = feedingOf(given, isStream, bytes);
      const device: DeviceModule = await open();
      const opened = await device.open(bytes, { threads }, 'network');
      runner = opened;
      const held: Record<string, HostTensor> = { ...feeds };
      const outputs = ['logits', ...carried.map(({ output }) => output)];
      call = async () => {
        const found = await opened.run(held, outputs);
        for (const { input, output } of carried) held[input] = found[output] as HostTensor;
      };
    },
    steps: (count) => timed(count, atOnce(isStream), () => call?.()),
    close: async () => runner?.release(),
  };
}

const prepared = z.object({ version: z.string() });
const stepped = z.object({ ms: z.array(z.number()) });

/** The spiking network as users of snnTorch write it, without gradients. */
export async function snnTorchContender({ batch }: Case, isStream: boolean): Promise<Contender | Absent> {
  const peer = await startPython('bench/peers/snntorch_inference.py', { module: 'snntorch', threads: 1 });
  if (!peer) {
    return {
      absent:
        'skipped snnTorch: no Python here imports it; pip install --no-deps --target FOLDER snntorch==0.6.4, then PYTHONPATH=FOLDER',
    };
  }
  return {
    name: 'snntorch',
    prepare: async () => {
      await peer.request({ op: 'prepare', batch, time: isStream ? 1 : 100 }, prepared);
    },
    steps: async (count) => (await peer.request({ op: 'steps', count }, stepped)).ms,
    close: () => peer.close(),
  };
}
