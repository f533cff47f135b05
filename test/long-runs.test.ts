import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { freeze, toOnnx } from '../export/index.ts';
import { listCheckpoints, loadCheckpoint, loadPosterior } from '../schemas/checkpoint/index.ts';
import { UserError } from '../schemas/errors.ts';
import { Random } from '../schemas/random.ts';
import {
  type FolderRunOptions,
  readHistory,
  resumeInWorker,
  resumeTraining,
  trainInFolder,
  trainInWorker,
} from '../train/index.ts';
import { buildCli, startCli, writeImages } from './support/cli.ts';
import { networkFor, noiseData, patternData } from './support/data.ts';
import { lineOf } from './support/error-line.ts';
import { readEvents } from './support/event-reader.ts';
import { killTrainings, leftIn } from './support/kill-training.ts';

/** Counts file operations and makes them fail from the one numbered `at` on. */
const disk = vi.hoisted(() => {
  const disk = { operations: 0, at: 0, code: 'ENOSPC' };
  const error = () => Object.assign(new Error(`${disk.code}: made to fail`), { code: disk.code });
  const fails = (): boolean => ++disk.operations >= disk.at && disk.at > 0;
  const failing = <Call extends (...args: never[]) => Promise<unknown>>(call: Call): Call =>
    (async (...args: never[]) => {
      if (fails()) throw error();
      return call(...args);
    }) as Call;
  return Object.assign(disk, { error, fails, failing });
});

vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:fs/promises')>();
  const { error, fails, failing } = disk;
  const open: typeof real.open = async (...args) => {
    const handle = await real.open(...args);
    if (args[1] === 'r') return handle;
    const { sync, writeFile } = handle;
    handle.sync = failing(sync.bind(handle));
    handle.writeFile = async (data) => {
      if (!fails()) return writeFile.call(handle, data);
      // A full disk takes what it can.
      await writeFile.call(handle, data.slice(0, 5) as string);
      throw error();
    };
    return handle;
  };
  return {
    ...real,
    open,
    mkdir: failing(real.mkdir),
    rename: failing(real.rename),
    link: failing(real.link),
  };
});

const data = noiseData(96);
const model = networkFor(data, 8);
/** Four epochs of six steps. */
const options = { epochs: 4, batchSize: 16, seed: 4, threads: 1 } as const;

let root: string;
let run: string;
let straight: string;
const warnings: string[] = [];
const warn = (line: string): void => {
  warnings.push(line);
};

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'bitspike-long-'));
  straight = join(root, 'straight');
  await trainInFolder(straight, model, data, options);
});
beforeEach(() => {
  run = join(mkdtempSync(join(root, 'run-')), 'digits');
});
afterEach(() => {
  Object.assign(disk, { at: 0, operations: 0, code: 'ENOSPC' });
  warnings.length = 0;
  vi.restoreAllMocks();
});
afterAll(() => {
  rmSync(root, { recursive: true });
});

/** Trains until so many steps are done, and is then stopped. */
async function trainTo(step: number, more: FolderRunOptions = {}): Promise<void> {
  const controller = new AbortController();
  const reason = new Error('stopped by the test');
  const stopped = trainInFolder(run, model, data, {
    ...options,
    ...more,
    signal: controller.signal,
    onProgress: (progress) => {
      if (progress.step === step) controller.abort(reason);
    },
  });
  await expect(stopped).rejects.toBe(reason);
}

const steps = async (): Promise<number[]> => (await listCheckpoints(run)).map(({ step }) => step);

describe('checkpoints that stay', () => {
  const judged = { ...options, epochs: 6, validation: 0.25, learningRate: 0.3 } as const;

  test('the last so many', async () => {
    await trainInFolder(run, model, data, { ...options, keep: 3 });
    expect(await steps()).toEqual([24, 18, 12]);
    expect(await lineOf(() => trainInFolder(`${run} 2`, model, data, { keep: 0 }))).toContain('keep is 0');
  });

  test('and the best, however long ago it was', async () => {
    await trainInFolder(run, model, data, { ...judged, keep: 1, keepBest: true });
    const losses = (await readHistory(run)).map(({ validation }) => validation!.loss);
    // 72 examples are learned from, in four and a half batches.
    const best = 5 * (losses.indexOf(Math.min(...losses)) + 1);
    expect(best).toBeLessThan(30);
    expect(await steps()).toEqual([30, best]);
    const kept = await loadPosterior(join(run, `checkpoint-${String(best).padStart(6, '0')}`));
    expect(toOnnx(freeze(kept))).not.toEqual(toOnnx(freeze(await loadPosterior(run))));
  });

  test('the best needs something to judge by', async () => {
    expect(await lineOf(() => trainInFolder(run, model, data, { ...options, keepBest: true }))).toBe(
      'train: keepBest needs examples to judge the network on; set validation, such as 0.1',
    );
    expect(existsSync(run)).toBe(false);
  });

  test('one checkpoint is no folder of a training', async () => {
    await trainTo(6);
    expect(await lineOf(() => resumeTraining(join(run, 'checkpoint-000006'), data))).toContain(
      'checkpoint-000006: is one checkpoint; name the folder of the training',
    );
  });
});

describe('damage', () => {
  test('a damaged checkpoint is named, and the one before it is gone on from', async () => {
    await trainTo(20);
    truncateSync(join(run, 'checkpoint-000020', 'optimiser.safetensors'), 100);
    await resumeTraining(run, data, { warn, threads: 1 });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(
      /checkpoint-000020.optimiser\.safetensors: damaged, 100 bytes; \d+ were saved; went back to checkpoint-000018$/,
    );
    expect(leftIn(run)).toEqual(leftIn(straight));
  });

  test('of a history: what a kill cut short goes silently, all else with a word', async () => {
    await trainTo(20);
    const path = join(run, 'history.jsonl');
    const [first, ...others] = readFileSync(path, 'utf8').split('\n');
    writeFileSync(path, [first, '{"epoch":', ...others].join('\n'));
    appendFileSync(path, '{"epoch":3,"ep');
    expect(await lineOf(() => readHistory(run))).toMatch(/history\.jsonl: line 2: is not sound JSON/);
    await resumeTraining(run, data, { warn, threads: 1 });
    expect(warnings).toEqual([expect.stringContaining('line 2 is left out')]);
    expect(leftIn(run)).toEqual(leftIn(straight));
  });

  test('a history that is ahead of the checkpoint is cut back', async () => {
    await trainTo(20);
    cpSync(join(straight, 'history.jsonl'), join(run, 'history.jsonl'));
    await resumeTraining(run, data, { warn, threads: 1 });
    expect(leftIn(run)).toEqual(leftIn(straight));
    expect((await readHistory(run)).map(({ step }) => step)).toEqual([6, 12, 18, 24]);
  });
});

describe('a history', () => {
  test('has the means of whole epochs, wherever the training was stopped', async () => {
    await trainTo(9);
    await resumeTraining(run, data, { threads: 2 });
    expect(leftIn(run)).toEqual(leftIn(straight));
    const [first] = await readHistory(run);
    expect(first).toMatchObject({ epoch: 0, epochs: 4, step: 6 });
    expect(Object.keys(first!.reports)).toEqual(['crossEntropy', 'accuracy']);
    expect(first!.reports['accuracy']! * 96).toBeCloseTo(Math.round(first!.reports['accuracy']! * 96), 4);
    expect(first!.schedules['learningRate']).toBeGreaterThan(0.04);
  });
});

describe('a loss that is no number', () => {
  const examples = patternData(64);
  const network = networkFor(examples, 8);
  const lineWith = (more: object, of = examples) =>
    lineOf(() => trainInFolder(run, network, of, { ...options, ...more }));

  test.each(['onnx', 'tfjs'] as const)('names step, layer and likely cause: %s', async (engine) => {
    const line = await lineWith({ learningRate: 1e38, otherRates: 1, engine, backend: 'cpu' });
    expect(line).toMatch(
      /^train: the crossEntropy became NaN at step 2 \(epoch 1\): the membranes of layer 1 \(binary\) or their noise are beyond float32; lower the learning rate, which is 1e\+38 there, or clip gradients \(clipNorm\)$/,
    );
    expect(existsSync(run)).toBe(false);
  });

  test('learned numbers are named once they are none, with the step that spoilt them', async () => {
    await trainTo(2);
    const { files, step } = await loadCheckpoint(run);
    expect(Object.keys(files)).toContain('posterior.safetensors');
    // What is saved is checked: so the numbers are spoilt on the way, by a rate that only the second epoch has.
    rmSync(run, { recursive: true });
    const line = await lineWith({
      learningRate: { shape: 'step', from: 0.01, factor: 1e38, at: [0.3] },
      otherRates: 1,
      optimiser: { kind: 'sgd' },
      clipNorm: 1e38,
    });
    expect(step).toBe(2);
    expect(line).toMatch(/at step \d+ \(epoch 2\): .*layer \d \((dense|binary)\)/);
  });
});

/** A process that runs until it is told. */
async function withProcess(action: (id: number) => Promise<void>): Promise<void> {
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  await once(other, 'spawn');
  try {
    await action(other.pid!);
  } finally {
    other.kill('SIGKILL');
  }
}

const lockOf = (id: number, host = hostname(), began = ''): string =>
  `${JSON.stringify({ process: id, host, began })}\n`;

const putLock = (text: string): void => writeFileSync(join(run, 'training.lock'), text);

describe('one training at a time in a folder', () => {
  test('a second one is refused while the first runs, and the first goes on', async () => {
    let second: Promise<string> | undefined;
    await trainInFolder(run, model, data, {
      ...options,
      onProgress: ({ step }) => {
        if (step === 7) second = lineOf(() => resumeTraining(run, data));
      },
    });
    expect(await second).toBe(
      `${run}: process ${process.pid} trains there already; wait for it, or choose another folder`,
    );
    expect(leftIn(run)).toEqual(leftIn(straight));
    expect(readdirSync(run)).not.toContain('training.lock');
  });

  test('of another process that runs, or of another machine', async () => {
    await trainTo(7);
    await withProcess(async (id) => {
      putLock(lockOf(id));
      expect(await lineOf(() => resumeTraining(run, data))).toContain(`process ${id} trains there already`);
    });
    putLock(lockOf(1, 'elsewhere'));
    expect(await lineOf(() => resumeTraining(run, data))).toContain(
      'process 1 on elsewhere trains there; wait for it, or remove',
    );
    putLock('me');
    expect(await lineOf(() => resumeTraining(run, data))).toContain(
      'training.lock: is no lock of a training',
    );
    expect(await steps()).toEqual([7, 6]);
  });

  test('a lock that a dead process left is taken over', async () => {
    await trainTo(7);
    let dead = 0;
    await withProcess(async (id) => {
      dead = id;
    });
    while (isAlive(dead)) await new Promise((resolve) => setTimeout(resolve, 5));
    putLock(lockOf(dead));
    await resumeTraining(run, data, { threads: 1 });
    expect(leftIn(run)).toEqual(leftIn(straight));
    expect(readdirSync(run).filter((name) => name.includes('lock'))).toEqual([]);
  });

  test.runIf(process.platform === 'linux')('even where a new process has its number', async () => {
    await trainTo(7);
    await withProcess(async (id) => {
      putLock(lockOf(id, hostname(), 'another start 123'));
      await resumeTraining(run, data, { threads: 1 });
    });
    expect(leftIn(run)).toEqual(leftIn(straight));
  });
});

function isAlive(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a machine that misbehaves', () => {
  test('a clock that goes back changes nothing', async () => {
    let now = 2e12;
    vi.spyOn(Date, 'now').mockImplementation(() => (now -= 3_600_000));
    await trainTo(9);
    await resumeTraining(run, data, { threads: 1 });
    expect(leftIn(run)).toEqual(leftIn(straight));
  });

  test('a disk that is full at any operation: one line, earlier files intact, and it can be resumed', async () => {
    await trainTo(9);
    const before = leftIn(run);
    disk.operations = 0;
    const copy = `${run} to count`;
    cpSync(run, copy, { recursive: true });
    await resumeTraining(copy, data, { threads: 1 });
    const { operations } = disk;
    expect(operations).toBeGreaterThan(20);
    for (let at = 1; at <= operations; at += 3) {
      const tried = `${run} ${at}`;
      cpSync(run, tried, { recursive: true });
      Object.assign(disk, { operations: 0, at });
      const said: string[] = [];
      const more = { threads: 1, warn: (line: string) => said.push(line) };
      const failed = await resumeTraining(tried, data, more).then(
        () => [],
        (error: unknown) => [error],
      );
      expect(failed.filter((error) => !(error instanceof UserError))).toEqual([]);
      said.push(...failed.map((error) => (error as UserError).message));
      // What could only not be cleared away stops no training.
      expect(said).toEqual([expect.stringMatching(/ENOSPC/)]);
      disk.at = 0;
      const first = (await listCheckpoints(tried)).at(-1)!.path;
      expect(existsSync(join(first, 'manifest.json'))).toBe(true);
      expect(at > 1 || isDeepStrictEqual(leftIn(tried), before)).toBe(true);
      await resumeTraining(tried, data, { threads: 1, warn });
      expect(leftIn(tried)).toEqual(leftIn(straight));
      rmSync(tried, { recursive: true });
    }
    expect(warnings).toEqual([]);
  });

  test('a folder that cannot be written', async () => {
    await trainTo(9);
    const before = leftIn(run);
    Object.assign(disk, { operations: 0, at: 1, code: 'EROFS' });
    expect(await lineOf(() => resumeTraining(run, data))).toMatch(
      /: nothing can be saved there: EROFS.*; choose another folder$/,
    );
    disk.at = 0;
    expect(leftIn(run)).toEqual(before);
  });
});

describe('in a thread of its own', () => {
  test('the same bytes, and the thread that called stays free', async () => {
    const seen: number[] = [];
    const posterior = await trainInWorker(run, model, data, {
      ...options,
      onProgress: ({ step }) => seen.push(step),
    });
    expect(leftIn(run)).toEqual(leftIn(straight));
    expect(posterior).toEqual(await loadPosterior(run));
    // The end of every epoch is told, and of other steps some.
    expect(seen).toEqual(expect.arrayContaining([6, 12, 18, 24]));
  });

  test('stops when told, and goes on', async () => {
    const controller = new AbortController();
    const reason = new Error('stopped by the test');
    const many = { ...options, epochs: 400 };
    const stopped = trainInWorker(run, model, data, {
      ...many,
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    });
    await expect(stopped).rejects.toBe(reason);
    const { step } = await loadCheckpoint(run);
    expect(step).toBeLessThan(2400);
    expect(readdirSync(run)).not.toContain('training.lock');
    const handed = { ...data, inputs: Uint8Array.from({ length: 20_000 }) };
    expect(await lineOf(() => resumeInWorker(run, { ...handed, count: 95 }, { transfer: true }))).toContain(
      'cannot resume: the number of examples of noise is 95',
    );
    // It was handed over.
    expect(handed.inputs).toHaveLength(0);
    expect(data.inputs).toHaveLength(96 * 6);
  });

  test('mistakes of the user come back as such; functions cannot be sent', async () => {
    expect(await lineOf(() => trainInWorker(run, model, data, { ...options, batchSize: 1000 }))).toContain(
      'fewer than batchSize 1000',
    );
    const estimator = { name: 'mine', options: {}, noise: 'none', spike: () => 0 } as never;
    expect(await lineOf(() => trainInWorker(run, model, data, { ...options, estimator }))).toContain(
      'train: an option cannot be sent to a thread',
    );
    expect(existsSync(run)).toBe(false);
  });
});

const onnxOf = async (run: string): Promise<Uint8Array> => toOnnx(freeze(await loadPosterior(run)));

/** The steps whose figures TensorBoard is told, in the order in which it reads them. */
const stepsOfEvents = (folder: string): number[] =>
  readdirSync(folder)
    .sort()
    .flatMap((name) => readEvents(readFileSync(join(folder, name))))
    .filter(({ scalars }) => 'training/crossEntropy' in scalars)
    .map(({ step }) => step);

describe('a killed process', () => {
  /** `KILLS=50` for as many as one likes. */
  const kills = Number(process.env['KILLS'] ?? 2);

  test(`at ${kills} random instants ends at the same bytes`, {
    timeout: 120_000 + 60_000 * kills,
  }, async () => {
    const built = buildCli();
    try {
      writeImages(join(root, 'images'), { train: 300, t10k: 20 });
      const size = '--hidden 32 --batch-size 60 --epochs 40 --validation 0.2';
      const how = '--keep-best --threads 1 --quiet --tensorboard';
      const args = `train --data idx:images ${size} ${how}`.split(' ');
      const whole = await startCli(built, [...args, '--out', 'whole'], root).ended;
      expect(whole).toMatchObject({ code: 0, stderr: '', stdout: '' });
      const random = Random.fromSeed(kills, 'instants');
      const found = await killTrainings(built, root, args, { kills, within: 1200, random });
      expect(found.kills).toBe(kills);
      for (const name of found.runs) {
        expect(leftIn(join(root, name))).toEqual(leftIn(join(root, 'whole')));
        expect(await onnxOf(join(root, name))).toEqual(await onnxOf(join(root, 'whole')));
        const written = stepsOfEvents(join(root, name, 'tensorboard'));
        expect(written).toEqual(stepsOfEvents(join(root, 'whole', 'tensorboard')));
        expect(new Set(written).size).toBe(written.length);
        expect(readdirSync(join(root, name)).filter((entry) => /^\.|lock/.test(entry))).toEqual([]);
      }
      console.log(
        `${found.kills} kills, ${found.aimed} of them aimed at the writing of a checkpoint, ${found.halfWritten} left one half written, ${found.runs.length} trainings`,
      );
    } finally {
      rmSync(built, { recursive: true });
    }
  });
});
