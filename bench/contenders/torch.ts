import { z } from 'zod';
import type { Absent, Clock, Contender } from '../harness.ts';
import type { TrainStep } from '../nets.ts';
import { startPython } from '../peers/python.ts';

const prepared = z.object({ version: z.string() });
const stepped = z.object({ ms: z.array(z.number()), loss: z.number() });
const measured = z.object({ peak: z.number() });
const profiled = z.object({ table: z.string() });

const withoutTorch =
  'no Python here imports torch; on Debian, apt-get install python3-torch libopenblas0-pthread, ' +
  'or name a Python that has it in BITSPIKE_PYTHON';

/** Those who train in PyTorch: a Python program each. */
export const torchPeers = {
  /** What does not depend on the step before is computed for all times at once. */
  pytorch: {
    module: 'torch',
    script: 'pytorch_train_step.py',
    spikingOnly: false,
    absent: `skipped PyTorch: ${withoutTorch}`,
  },
  /** The same in one loop over time, as it is usually written. */
  'pytorch-stepwise': {
    module: 'torch',
    script: 'pytorch_stepwise_train_step.py',
    spikingOnly: true,
    absent: `skipped PyTorch step by step: ${withoutTorch}`,
  },
  snntorch: {
    module: 'snntorch',
    script: 'snntorch_train_step.py',
    spikingOnly: true,
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
export const torchTrainStep = async (
  name: TorchPeer,
  step: TrainStep,
  clock: Clock = 'wall',
): Promise<TorchContender | Absent> => {
  const { module, script, absent } = torchPeers[name];
  const peer = await startPython(`bench/peers/${script}`, { module, threads: step.threads });
  if (peer === undefined) return { absent };
  return {
    name,
    prepare: async () => {
      await peer.request({ op: 'prepare', ...step }, prepared);
    },
    steps: async (count) => (await peer.request({ op: 'steps', count, clock }, stepped)).ms,
    profile: async () => (await peer.request({ op: 'profile', count: 20 }, profiled)).table,
    peak: async () => (await peer.request({ op: 'memory' }, measured)).peak,
    close: () => peer.close(),
  };
};
