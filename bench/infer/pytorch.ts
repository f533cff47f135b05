import { z } from 'zod';
import type { Absent, Contender } from '../harness.ts';
import { startPython } from '../peers/python.ts';
import type { InferCase } from './cases.ts';

const prepared = z.object({ version: z.string() });
const stepped = z.object({ ms: z.array(z.number()) });

/** The same network in eager PyTorch, float32, on one thread. */
export async function pytorchContender({ batch, activity, pytorch }: InferCase): Promise<Contender | Absent> {
  const peer = await startPython('bench/peers/pytorch_inference.py', { module: 'torch', threads: 1 });
  if (!peer)
    return { absent: 'skipped PyTorch: no Python here imports torch; apt-get install python3-torch' };
  return {
    name: 'pytorch',
    prepare: async () => {
      await peer.request({ op: 'prepare', batch, activity, ...pytorch }, prepared);
    },
    steps: async (count) => (await peer.request({ op: 'steps', count }, stepped)).ms,
    close: () => peer.close(),
  };
}
