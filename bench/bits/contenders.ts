import { z } from 'zod';
import { toOnnx } from '../../export/index.ts';
import { type BitsRunner, openBits } from '../../runtime/bits/runner.ts';
import type { DeviceModule, HostTensor, HostTensors, Runner } from '../../runtime/runner.ts';
import { describe } from '../../schemas/description.ts';
import { sizeOf } from '../../schemas/layer.ts';
import { readModel } from '../../schemas/onnx/index.ts';
import type { Absent, Contender } from '../harness.ts';
import { startPython } from '../peers/python.ts';
import { type Case, inputsOf, randomNetwork } from './cases.ts';

export const SEED = 1;

export const peers = ['ort-web-float32', 'ort-web', 'ort-node', 'snntorch'] as const;
export type PeerName = (typeof peers)[number];

/** Where each peer runs, and in which form the network is written for it. */
const runtimes = {
  'ort-web-float32': { open: () => import('../../runtime/devices/wasm-node.ts'), target: 'gpu' },
  'ort-web': { open: () => import('../../runtime/devices/wasm-node.ts'), target: 'any' },
  'ort-node-float32': { open: () => import('../../runtime/devices/cpu.ts'), target: 'gpu' },
  'ort-node': { open: () => import('../../runtime/devices/cpu.ts'), target: 'any' },
} as const;

interface Feeding {
  readonly feeds: HostTensors;
  readonly carried: readonly { readonly input: string; readonly output: string }[];
}

/** What a call is fed; a stream carries its states from step to step. */
function feedingOf(given: Case, isStream: boolean, bytes: Uint8Array): Feeding {
  const { dims, data } = inputsOf(given, SEED);
  if (!isStream) return { feeds: { input: { type: 'uint8', dims, data } }, carried: [] };
  const [, ...step] = dims;
  const states = describe(readModel(bytes), 'stream').states ?? [];
  const zeros = states.map(({ input, dims: of }): [string, HostTensor] => {
    const sizes = of.map((size) => (size === 'batch' ? given.batch : Number(size)));
    return [input, { type: 'float32', dims: sizes, data: new Float32Array(sizeOf(sizes)) }];
  });
  const input: HostTensor = { type: 'uint8', dims: [1, ...step], data: data.slice(0, sizeOf(step)) };
  return { feeds: { input, ...Object.fromEntries(zeros) }, carried: states };
}

/** The network as a file in the form that a runtime is at its best with. */
export const bytesOf = ({ model }: Case, isStream: boolean, target: 'any' | 'gpu'): Uint8Array =>
  toOnnx(randomNetwork(model, SEED), { form: isStream ? 'stream' : 'whole', target, functions: false });

/** Calls at once, so that the clock's own time does not count. */
const atOnce = (isStream: boolean): number => (isStream ? 100 : 1);

async function timed(count: number, calls: number, call: () => unknown): Promise<number[]> {
  const times: number[] = [];
  for (let step = 0; step < count; step++) {
    const start = performance.now();
    for (let each = 0; each < calls; each++) {
      const found = call();
      if (found instanceof Promise) await found;
    }
    times.push((performance.now() - start) / calls);
  }
  return times;
}

/** Our engine; packing the inputs is part of a call. */
export function bitsContender(given: Case, isStream: boolean): Contender {
  let runner: BitsRunner | undefined;
  let call: (() => unknown) | undefined;
  return {
    name: 'bits',
    async prepare() {
      const bytes = bytesOf(given, isStream, 'any');
      const { feeds, carried } = feedingOf(given, isStream, bytes);
      const opened = await openBits(bytes, {}, 'network');
      runner = opened;
      const stepper = isStream ? opened.stepper(feeds, ['logits'], carried) : undefined;
      call = stepper ? () => stepper.step() : () => opened.runNow(feeds, ['logits']);
    },
    steps: (count) => timed(count, atOnce(isStream), () => call?.()),
    close: async () => runner?.release(),
  };
}

/** onnxruntime on one thread, with the same network. */
export function runtimeContender(name: keyof typeof runtimes, given: Case, isStream: boolean): Contender {
  const { open, target } = runtimes[name];
  let runner: Runner | undefined;
  let call: (() => Promise<void>) | undefined;
  return {
    name,
    async prepare() {
      const bytes = bytesOf(given, isStream, target);
      const { feeds, carried } = feedingOf(given, isStream, bytes);
      const device: DeviceModule = await open();
      const opened = await device.open(bytes, { threads: 1 }, 'network');
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
