import { z } from 'zod';
import type { Absent, Contender } from '../harness.ts';
import type { TrainStep } from '../nets.ts';
import { startPython } from '../peers/python.ts';

const prepared = z.object({ version: z.string() });
const stepped = z.object({ ms: z.array(z.number()), loss: z.number() });
const measured = z.object({ peak: z.number() });
const profiled = z.object({ table: z.string() });

/** The names of those who train in PyTorch: a Python program each, `peers/NAME_train_step.py`. */
export const torchPeers = {
  pytorch: {
    module: 'torch',
    absent:
      'skipped PyTorch: no Python here imports torch; on Debian, apt-get install python3-torch libopenblas0-pthread, ' +
      'or name a Python that has it in BITSPIKE_PYTHON',
  },
  snntorch: {
    module: 'snntorch',
    absent:
      'skipped snnTorch: no Python here imports snntorch; pip install --no-deps --target FOLDER snntorch==0.6.4 beside a ' +
      'PyTorch, and PYTHONPATH=FOLDER',
  },
} as const;

export type TorchPeer = keyof typeof torchPeers;

export interface TorchContender extends Contender {
  /** PyTorch's own table of where the time goes, of a peer that has one. */
  profile(): Promise<string>;
  /** Bytes of memory that were resident at most. */
  peak(): Promise<number>;
}

/** A step of a peer. */
export const torchTrainStep = async (name: TorchPeer, step: TrainStep): Promise<TorchContender | Absent> => {
  const { module, absent } = torchPeers[name];
  const peer = await startPython(`bench/peers/${name}_train_step.py`, { module, threads: step.threads });
  if (peer === undefined) return { absent };
  return {
    name,
    prepare: async () => {
      await peer.request({ op: 'prepare', ...step }, prepared);
    },
    steps: async (count) => (await peer.request({ op: 'steps', count }, stepped)).ms,
    profile: async () => (await peer.request({ op: 'profile', count: 20 }, profiled)).table,
    peak: async () => (await peer.request({ op: 'memory' }, measured)).peak,
    close: () => peer.close(),
  };
};
