import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { onnxruntime, openSession, type Tensor } from '../../runtime/session.ts';
import type { State } from '../../train/engine/engine.ts';
import { traceStep } from '../../train/engine/trace/trace.ts';
import { NoiseSource } from '../../train/noise/noise-source.ts';
import type { StepFunction } from '../../train/step.ts';

const events = z.array(
  z.object({
    name: z.string(),
    dur: z.number(),
    args: z.object({ op_name: z.string().optional() }).optional(),
  }),
);

const RUNS = 40;

const line = (label: string, milliseconds: number, nodes: number): string =>
  `  ${label.padEnd(12)} ${milliseconds.toFixed(2).padStart(6)} ms  ${nodes} nodes`;

/** Where the time of a traced step goes: milliseconds per step and operator, the largest first. */
export async function profileGraph(step: StepFunction, state: State, threads: number): Promise<string> {
  const { Tensor } = await onnxruntime();
  const traced = await traceStep(step, { reports: ['loss'], gradients: true });
  const folder = await mkdtemp(join(tmpdir(), 'bitspike-profile-'));
  try {
    const session = await openSession(traced.bytes, { threads, profile: join(folder, 'step') });
    const noise = NoiseSource.fromSeed(1, 'profile');
    const inputs: Record<string, Tensor> = {};
    for (const name of traced.inputs) {
      const known = state[name];
      const shape = known?.shape ?? step.feeds[name]!;
      const data =
        known?.data.slice() ?? new Float32Array(shape.reduce((product, size) => product * size, 1));
      if (!known) noise.fillGaussian(data);
      inputs[name] = new Tensor('float32', data, [...shape]);
    }
    for (let run = 0; run < RUNS; run++) await session.run(inputs);
    session.endProfiling();
    await session.release();
    const [file] = await readdir(folder);
    return tableOf(events.parse(JSON.parse(await readFile(join(folder, file!), 'utf8'))));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function tableOf(found: z.output<typeof events>): string {
  const totals = new Map<string, { milliseconds: number; nodes: Set<string> }>();
  for (const { name, dur, args } of found) {
    if (!name.endsWith('_kernel_time') || !args?.op_name) continue;
    const total = totals.get(args.op_name) ?? { milliseconds: 0, nodes: new Set() };
    total.milliseconds += dur / 1000 / RUNS;
    total.nodes.add(name);
    totals.set(args.op_name, total);
  }
  const rows = [...totals].toSorted(([, a], [, b]) => b.milliseconds - a.milliseconds);
  const sum = rows.reduce((all, [, { milliseconds }]) => all + milliseconds, 0);
  return rows
    .slice(0, 8)
    .map(([op, { milliseconds, nodes }]) => line(op, milliseconds, nodes.size))
    .concat(
      line(
        'all',
        sum,
        rows.reduce((all, [, { nodes }]) => all + nodes.size, 0),
      ),
    )
    .join('\n');
}
