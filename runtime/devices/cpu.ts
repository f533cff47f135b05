/** The CPU by onnxruntime-node: Node alone. */
import type { Availability, Runner, RunnerOptions } from '../runner.ts';
import { onnxruntime, openSession } from '../session.ts';
import { availableAfter } from './probe-model.ts';
import { sessionRunner } from './session-runner.ts';

export async function open(model: Uint8Array, { threads }: RunnerOptions, what: string): Promise<Runner> {
  const session = await openSession(model, threads === undefined ? {} : { threads }, what);
  return sessionRunner(session, await onnxruntime());
}

export function probe(): Promise<Availability> {
  return availableAfter(open, {
    detail: async () => `onnxruntime-node ${(await onnxruntime()).env.versions.node}`,
    remedy: 'npm install onnxruntime-node',
  });
}
