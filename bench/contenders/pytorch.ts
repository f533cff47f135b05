import { z } from 'zod';
import type { Absent, Contender } from '../harness.ts';
import { startPython } from '../peers/python.ts';
import type { TrainStep } from '../train-step.ts';

const prepared = z.object({ torch: z.string() });
const stepped = z.object({ ms: z.array(z.number()), loss: z.number() });
const profiled = z.object({ table: z.string() });

export interface PytorchContender extends Contender {
  /** PyTorch's own table of where the time goes. */
  profile(): Promise<string>;
}

/** The same step, written in PyTorch (`peers/pytorch_train_step.py`). */
export const pytorchTrainStep = async (step: TrainStep): Promise<PytorchContender | Absent> => {
  const peer = await startPython('bench/peers/pytorch_train_step.py', {
    module: 'torch',
    threads: step.threads,
  });
  if (peer === undefined) {
    return {
      absent:
        'skipped PyTorch: no Python here imports torch; on Debian, apt-get install python3-torch libopenblas0-pthread, ' +
        'or name a Python that has it in BITSPIKE_PYTHON',
    };
  }
  return {
    name: 'pytorch',
    prepare: async () => {
      await peer.request({ op: 'prepare', ...step }, prepared);
    },
    steps: async (count) => (await peer.request({ op: 'steps', count }, stepped)).ms,
    profile: async () => (await peer.request({ op: 'profile', count: 20 }, profiled)).table,
    close: () => peer.close(),
  };
};
