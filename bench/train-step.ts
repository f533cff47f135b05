/**
 * One training step (forward, backward, Adam) against the same mathematics in PyTorch, and of spiking nets against
 * snnTorch's usual way, on one fixed batch with fresh noise in every step. The nets are in `nets.ts`.
 */
import { parseArgs } from 'node:util';
import { UserError } from '../schemas/errors.ts';
import { onnxEngine } from '../train/engine/onnx.ts';
import { type EngineContender, engineTrainStep } from './contenders/engine.ts';
import { type TorchPeer, torchPeers, torchTrainStep } from './contenders/torch.ts';
import { type Absent, type Clock, clocks, compareAll, type Findings, type Rounds } from './harness.ts';
import { type NetName, nets, type TrainStep, trainStepOf } from './nets.ts';
import { integers, oneOf, severalOf } from './options.ts';
import { sweepOf, swept } from './train-step-sweep.ts';

export interface TrainStepOptions extends Rounds {
  readonly peers: readonly TorchPeer[];
  /** Adds tables of where the time goes. */
  readonly profile: boolean;
  readonly clock: Clock;
}

/** `B/1`, or `B-1000/1` with another number of time steps than the net has by itself, and so of hidden units and batch. */
const rowName = ({ net, time, hidden, batch, threads }: TrainStep): string => {
  const usual = nets[net];
  const parts = [
    ...(time === usual.time ? [] : [time]),
    ...(hidden.join() === usual.hidden.join() ? [] : [`hidden${hidden.join('x')}`]),
    ...(batch === usual.batch ? [] : [`batch${batch}`]),
  ];
  return `${[net, ...parts].join('-')}/${threads}`;
};

/** Some have spiking neurons alone. */
const trains = (peer: TorchPeer, net: NetName): boolean =>
  !torchPeers[peer].spikingOnly || nets[net].time > 1;

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;

/** Rows for a step of ours against each peer, all taking turns. */
export const compareTrainStep = async (
  ours: EngineContender | Absent,
  step: TrainStep,
  { peers, profile, clock, ...rounds }: TrainStepOptions,
): Promise<Findings> => {
  const name = rowName(step);
  const wanted = peers.filter((peer) => trains(peer, step.net));
  const theirs = await Promise.all(wanted.map((peer) => torchTrainStep(peer, step, clock)));
  const memory: string[] = [];
  const tables: string[] = [];
  const found = await compareAll(name, wanted, [ours, ...theirs], rounds, async () => {
    for (const side of theirs) {
      if (!('peak' in side)) continue;
      memory.push(`${side.name} ${megabytes(await side.peak())}`);
      if (profile && side.name === 'pytorch') tables.push(await side.profile());
    }
  });
  const own = megabytes(process.resourceUsage().maxRSS * 1024);
  if (profile && 'profile' in ours) {
    tables.push(`where ${name} goes in the graph of ours, by onnxruntime's clock:\n${await ours.profile()}`);
  }
  const peaks = `${name}: memory at its peak: this process so far ${own}${memory.map((peak) => `, ${peak}`).join('')}`;
  return { rows: found.rows, notes: [...found.notes, peaks, ...tables] };
};

const options = {
  nets: { type: 'string', default: 'A' },
  threads: { type: 'string', default: '1' },
  peers: { type: 'string', default: Object.keys(torchPeers).join() },
  rounds: { type: 'string', default: '7' },
  steps: { type: 'string', default: '20' },
  kl: { type: 'boolean', default: false },
  profile: { type: 'boolean', default: false },
  posterior: { type: 'string' },
  penalty: { type: 'string' },
  time: { type: 'string' },
  batch: { type: 'string' },
  hidden: { type: 'string' },
  clock: { type: 'string', default: 'wall' },
  sweep: { type: 'string' },
  svg: { type: 'string' },
} as const;

/** Runs a row for each net, number of time steps, of threads, and peer. */
export const run = async (given: string[]): Promise<Findings> => {
  const { values } = parseArgs({ args: given, options });
  const [rounds, steps] = [integers('rounds', values.rounds)[0]!, integers('steps', values.steps)[0]!];
  const chosen = {
    kl: values.kl,
    ...(values.posterior && { posterior: oneOf('posterior', values.posterior, ['bernoulli', 'gaussian']) }),
    ...(values.penalty && { penalty: oneOf('penalty', values.penalty, ['none', 'current', 'membrane']) }),
    ...(values.batch && { batch: integers('batch', values.batch)[0]! }),
    ...(values.hidden && { hidden: integers('hidden', values.hidden) }),
  };
  const peers = severalOf('peers', values.peers, Object.keys(torchPeers) as TorchPeer[]);
  const clock = oneOf('clock', values.clock, clocks);
  const measured = { peers, profile: values.profile, clock, rounds, steps, warmUp: Math.min(steps, 5) };
  const compare = async (step: TrainStep): Promise<Findings> =>
    compareTrainStep(
      await engineTrainStep(step, onnxEngine({ threads: step.threads }), clock),
      step,
      measured,
    );
  const names = severalOf('nets', values.nets, Object.keys(nets) as NetName[]);
  if (values.svg && (!values.sweep || names.length > 1)) {
    throw new UserError('--svg draws the sweep of one net; give --sweep time,width,batch and one of --nets.');
  }
  if (values.sweep && values.time) throw new UserError('--sweep chooses the sizes; leave out --time.');
  const found: Findings[] = [];
  for (const net of names) {
    if (values.sweep) {
      const step = trainStepOf(net, { ...chosen, threads: integers('threads', values.threads)[0]! });
      const sweeps = severalOf('sweep', values.sweep, Object.keys(swept) as (keyof typeof swept)[]);
      found.push(await sweepOf(step, sweeps, { compare, svg: values.svg, clock }));
      continue;
    }
    const times = values.time && nets[net].time > 1 ? integers('time', values.time) : [nets[net].time];
    if (values.hidden && chosen.hidden?.length !== 2) {
      throw new UserError(`--hidden is '${values.hidden}'; give two numbers, such as 256,256.`);
    }
    for (const time of times) {
      for (const threads of integers('threads', values.threads)) {
        found.push(await compare(trainStepOf(net, { ...chosen, time, threads })));
      }
    }
  }
  return { rows: found.flatMap(({ rows }) => rows), notes: found.flatMap(({ notes }) => notes) };
};
