/** How the cost of a training step grows with the time steps, the width and the batch: a table, and a plot of it. */
import { writeFile } from 'node:fs/promises';
import { UserError } from '../schemas/errors.ts';
import type { Clock, Findings, Row } from './harness.ts';
import { nets, type TrainStep } from './nets.ts';
import { sweepChart } from './train-step-chart.ts';

interface Sweep {
  /** What is varied, in words. */
  readonly label: string;
  readonly points: (step: TrainStep) => readonly number[];
  readonly at: (step: TrainStep, point: number) => TrainStep;
}

const doubled = (from: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => from * 2 ** index);

/** What can be varied: halves, the usual size, and multiples. */
export const swept = {
  time: {
    label: 'time steps',
    points: ({ net }) => (nets[net].time > 1 ? doubled(nets[net].time / 2, 4) : []),
    at: (step, time) => ({ ...step, time }),
  },
  width: {
    label: 'units of the first hidden layer',
    points: ({ net }) => doubled(nets[net].hidden[0] / 2, 4),
    at: (step, width) => ({
      ...step,
      hidden: nets[step.net].hidden.map((units) => (units * width) / nets[step.net].hidden[0]),
    }),
  },
  batch: {
    label: 'batch',
    points: ({ net }) => doubled(nets[net].batch / 4, 4),
    at: (step, batch) => ({ ...step, batch }),
  },
} satisfies Record<string, Sweep>;

export type SweepName = keyof typeof swept;

/** What a contender took at a point of a sweep. */
export interface Cost {
  /** What was varied, in words. */
  readonly varied: string;
  readonly point: number;
  readonly contender: string;
  readonly milliseconds: number;
}

interface SweepOptions {
  /** Measures one step of ours against the peers. */
  readonly compare: (step: TrainStep) => Promise<Findings>;
  readonly clock: Clock;
  /** Where the plot goes. */
  readonly svg?: string | undefined;
}

/** Measures every point of the sweeps of a net, one after the other. */
export async function sweepOf(
  step: TrainStep,
  names: readonly SweepName[],
  { compare, clock, svg }: SweepOptions,
): Promise<Findings> {
  const [rows, notes, costs]: [Row[], string[], Cost[]] = [[], [], []];
  const table: string[] = [];
  for (const sweep of names) {
    const { label, points, at } = swept[sweep];
    if (points(step).length === 0)
      throw new UserError(`--sweep ${sweep}: net ${step.net} has one time step; sweep width or batch`);
    for (const point of points(step)) {
      const found = await compare(at(step, point));
      rows.push(...found.rows);
      notes.push(...found.notes);
      const here = costsOf(label, point, found.rows);
      costs.push(...here);
      table.push(`${label} ${point}: ${here.map(inWords).join(', ')}`);
    }
  }
  if (svg) await writeFile(svg, sweepChart(`A training step of net ${step.net}`, costs, clock));
  return { rows, notes: [...table, ...notes, ...(svg ? [`drew ${svg}`] : [])] };
}

const inWords = ({ contender, milliseconds }: Cost): string => `${contender} ${milliseconds} ms`;

/** What each contender took at a point: ours is in the row of every peer. */
function costsOf(varied: string, point: number, rows: readonly Row[]): Cost[] {
  const cost = (contender: string, milliseconds: number | null): Cost[] =>
    milliseconds === null ? [] : [{ varied, point, contender, milliseconds }];
  return [
    ...cost('bitspike', rows[0]?.ours ?? null),
    ...rows.flatMap(({ peer, theirs }) => cost(peer, theirs)),
  ];
}
