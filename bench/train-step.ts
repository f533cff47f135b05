/**
 * One training step (forward, backward, Adam) against the same mathematics in PyTorch, on one fixed batch
 * with fresh noise in every step. Net A: 784-512-512-10, batch 128, binary weights and activations.
 */
import { parseArgs } from 'node:util';
import { type EngineContender, engineTrainStep } from './contenders/engine.ts';
import { pytorchTrainStep } from './contenders/pytorch.ts';
import { type Absent, compare, type Findings, type Rounds } from './harness.ts';
import { integers } from './options.ts';

/** What both sides train. */
export interface TrainStep {
  readonly net: 'A';
  readonly threads: number;
  /** Adds the KL term, weight 1 / 60,000. */
  readonly kl: boolean;
  /** Adds the membrane penalty, weight 10⁻⁶. */
  readonly penalty: boolean;
}

export interface TrainStepOptions extends TrainStep, Rounds {
  /** Adds PyTorch's table of where its time goes. */
  readonly profile: boolean;
}

export const compareTrainStep = async (
  ours: EngineContender | Absent,
  { net, threads, kl, penalty, profile, ...rounds }: TrainStepOptions,
): Promise<Findings> => {
  const theirs = await pytorchTrainStep({ net, threads, kl, penalty });
  const notes: string[] = [];
  if (profile && 'profile' in theirs) {
    await theirs.prepare();
    notes.push(await theirs.profile());
  }
  if ('profile' in ours) {
    notes.push(
      `where ${net}/${threads} goes in the graph of ours, by onnxruntime's clock:\n${await ours.profile()}`,
    );
  }
  const found = await compare(`${net}/${threads}`, 'pytorch', [ours, theirs], rounds);
  return { rows: found.rows, notes: [...found.notes, ...notes] };
};

/** Runs a row for each count in `--threads 1,2`. */
export const run = async (options: string[]): Promise<Findings> => {
  const { values } = parseArgs({
    args: options,
    options: {
      threads: { type: 'string', default: '1' },
      rounds: { type: 'string', default: '7' },
      steps: { type: 'string', default: '20' },
      kl: { type: 'boolean', default: false },
      penalty: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
    },
  });
  const [rounds, steps] = [integers('rounds', values.rounds)[0]!, integers('steps', values.steps)[0]!];
  const { kl, penalty, profile } = values;
  const found: Findings[] = [];
  for (const threads of integers('threads', values.threads)) {
    const step: TrainStep = { net: 'A', threads, kl, penalty };
    const ours = await engineTrainStep(step);
    found.push(await compareTrainStep(ours, { ...step, profile, rounds, steps, warmUp: steps }));
  }
  return { rows: found.flatMap(({ rows }) => rows), notes: found.flatMap(({ notes }) => notes) };
};
