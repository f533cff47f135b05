/**
 * One training step (forward, backward, Adam) on every engine: traced into one ONNX graph, and eagerly on each
 * backend of tfjs. Net A: 784-512-512-10, batch 128, one fixed batch with fresh noise in every step.
 */
import { parseArgs } from 'node:util';
import { UserError } from '../schemas/errors.ts';
import { useBackend } from '../train/engine/backends.ts';
import { tfjsEngine } from '../train/engine/tfjs.ts';
import { engineTrainStep } from './contenders/engine.ts';
import {
  type Absent,
  type Contender,
  type Findings,
  isPresent,
  measure,
  median,
  type Row,
  type Rounds,
  rounded,
} from './harness.ts';
import { trainStepOf } from './nets.ts';
import { integers } from './options.ts';

/** The backends of tfjs that Node has, and whether they take a number of threads; those that do not compute on one. */
const BACKENDS = { wasm: false, cpu: false, tensorflow: true };
type BackendName = keyof typeof BACKENDS;

const SETUP = 'node bench/peers/tfjs-node.mjs sets it up where its own installer cannot';

const trainStep = (threads: number) => trainStepOf('A', { threads });

/** The eager engine on a backend, if that is here. */
const eager = async (backend: BackendName, threads: number): Promise<Contender | Absent> => {
  const taken = BACKENDS[backend] ? { threads } : {};
  try {
    await useBackend(backend, taken.threads);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { absent: `skipped ${backend}: ${error.message}${backend === 'tensorflow' ? `; ${SETUP}` : ''}` };
  }
  return engineTrainStep(trainStep(threads), tfjsEngine(backend, taken));
};

/** A contender that also notes the processor time of its steps: other work on the machine hardly changes that. */
const timed = (contender: Contender) => {
  const milliseconds: number[] = [];
  const steps = async (count: number): Promise<number[]> => {
    const before = process.cpuUsage();
    const times = await contender.steps(count);
    const { user, system } = process.cpuUsage(before);
    milliseconds.push((user + system) / 1000 / count);
    return times;
  };
  return { ...contender, steps, processorTime: () => rounded(median(milliseconds)) };
};

/** A row for the traced step, and one for each backend with the ratio of the traced step to it. */
export const compareEngines = async (threads: number, rounds: Rounds): Promise<Findings> => {
  const traced = timed(await engineTrainStep(trainStep(threads)));
  const sides: { backend: BackendName; side: ReturnType<typeof timed> | Absent }[] = [];
  for (const backend of Object.keys(BACKENDS) as BackendName[]) {
    const side = await eager(backend, threads);
    sides.push({ backend, side: isPresent(side) ? timed(side) : side });
  }
  const here = sides.flatMap(({ backend, side }) => ('absent' in side ? [] : [{ backend, side }]));
  const present = [traced, ...here.map(({ side }) => side)];
  try {
    const medians = await measure(present, rounds);
    const ours = medians[0]!;
    const rowOf = ({ backend }: (typeof sides)[number]): Row => {
      const theirs = medians[1 + here.findIndex((known) => known.backend === backend)];
      return {
        name: `A/tfjs-${backend}`,
        peer: `tfjs ${backend}`,
        ours: rounded(ours),
        theirs: theirs === undefined ? null : rounded(theirs),
        unit: 'ms',
        ratio: theirs === undefined ? null : rounded(ours / theirs),
      };
    };
    const own: Row = {
      name: 'A/onnx',
      peer: '–',
      ours: rounded(ours),
      theirs: null,
      unit: 'ms',
      ratio: null,
    };
    const processorTimes = here.map(({ backend, side }) => `tfjs-${backend} ${side.processorTime()}`);
    return {
      rows: [own, ...sides.map(rowOf)],
      notes: [
        `ours: the step traced into one ONNX graph; it and tensorflow on ${threads} thread(s), wasm and cpu on one`,
        `processor time of a step in ms: onnx ${traced.processorTime()}, ${processorTimes.join(', ')}`,
        ...sides.flatMap(({ side }) => ('absent' in side ? [side.absent] : [])),
      ],
    };
  } finally {
    for (const side of present) await side.close();
  }
};

/** Runs every engine on `--threads`: tensorflow takes them once in a process, so there is one count in a run. */
export const run = async (options: string[]): Promise<Findings> => {
  const { values } = parseArgs({
    args: options,
    options: {
      threads: { type: 'string', default: '1' },
      rounds: { type: 'string', default: '7' },
      steps: { type: 'string', default: '5' },
    },
  });
  const [threads, rounds, steps] = (['threads', 'rounds', 'steps'] as const).map((name) => {
    const [value, ...others] = integers(name, values[name]);
    if (others.length > 0) throw new UserError(`--${name} is '${values[name]}'; give one integer.`);
    return value!;
  });
  return compareEngines(threads!, { rounds: rounds!, steps: steps!, warmUp: steps! });
};
