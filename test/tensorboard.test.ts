import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { loadPosterior } from '../schemas/checkpoint/index.ts';
import { encodeEvent, histogramOf, stepOfEvent } from '../schemas/tensorboard/event.ts';
import { crc32c, recordOf, recordsIn } from '../schemas/tensorboard/records.ts';
import { readHistory, resumeTraining, trainInFolder } from '../train/index.ts';
import { networkFor, noiseData } from './support/data.ts';
import { lineOf } from './support/error-line.ts';
import { readEvents, readRecords, type ReadEvent } from './support/event-reader.ts';
import { freshFolder } from './support/folder.ts';
import { gaussians } from './support/numbers.ts';
import { Random } from '../schemas/random.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('records', () => {
  test('have the checksums of the standard', () => {
    // RFC 3720, appendix B.4, and the check value of CRC-32C.
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, index) => index))).toBe(0x46dd794e);
    expect(crc32c(bytesOf('123456789'))).toBe(0xe3069283);
  });

  test('are read back, also by who knows nothing of their writer', () => {
    const texts = ['', 'a', 'spike '.repeat(1000)];
    const file = Buffer.concat(texts.map((text) => recordOf(bytesOf(text))));
    expect(readRecords(file).map((bytes) => Buffer.from(bytes).toString())).toEqual(texts);
    expect([...recordsIn(file)].map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(texts);
    expect([...recordsIn(file)].at(-1)?.end).toBe(file.length);
  });

  test('end where one is damaged or cut short', () => {
    const file = Buffer.concat(['one', 'two', 'three'].map((text) => recordOf(bytesOf(text))));
    for (let at = 0; at < file.length; at++) {
      const damaged = Buffer.from(file);
      damaged[at]! ^= 0x10;
      const sound = Math.floor(at / 19);
      expect([...recordsIn(damaged)]).toHaveLength(Math.min(sound, 2));
      expect([...recordsIn(file.subarray(0, at))]).toHaveLength(Math.min(sound, 2));
      expect(() => readRecords(damaged)).toThrow(/^byte \d+: |out of range|beyond/);
    }
  });
});

describe('a histogram', () => {
  test('counts every number once, in the interval that it lies in', () => {
    const numbers = gaussians(1000, Random.fromSeed(3));
    const { min, max, count, sum, sumOfSquares, limits, counts } = histogramOf(numbers);
    const sorted = Array.from(numbers).sort((a, b) => a - b);
    expect([min, max, count]).toEqual([sorted[0], sorted.at(-1), 1000]);
    expect(sum).toBeCloseTo(
      sorted.reduce((total, each) => total + each, 0),
      9,
    );
    expect(sumOfSquares).toBeCloseTo(
      sorted.reduce((total, each) => total + each * each, 0),
      9,
    );
    expect(limits.at(-1)).toBe(max);
    let below = 0;
    limits.forEach((limit, bucket) => {
      const upTo = sorted.filter((each) => each <= limit + 1e-12).length;
      expect(counts[bucket]).toBe(upTo - below);
      below = upTo;
    });
  });

  test('of equal numbers has one interval', () => {
    expect(histogramOf([2, 2, 2])).toEqual({
      min: 2,
      max: 2,
      count: 3,
      sum: 6,
      sumOfSquares: 12,
      limits: [2],
      counts: [3],
    });
  });
});

test('an event keeps its step beyond 32 bits', () => {
  expect(stepOfEvent(encodeEvent(1.5, 2 ** 40 + 1, { scalars: { a: 1 } }))).toBe(2 ** 40 + 1);
});

test('the generated code is what event.proto says', async () => {
  const root = dirname(import.meta.dirname);
  const folder = mkdtempSync(join(tmpdir(), 'bitspike-events-'));
  try {
    await promisify(execFile)('node', [join(root, 'build/generate-tensorboard.mjs'), folder]);
    for (const name of ['event.js', 'event.d.ts']) {
      const there = readFileSync(join(root, 'schemas/tensorboard/generated', name), 'utf8');
      expect(readFileSync(join(folder, name), 'utf8')).toBe(there);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const data = noiseData(96);
const model = networkFor(data, 8);
const options = { epochs: 4, batchSize: 16, seed: 4, threads: 1, monitor: true } as const;
const folder = freshFolder();

const eventsIn = (path: string): ReadEvent[][] =>
  readdirSync(path)
    .sort()
    .map((name) => readEvents(readFileSync(join(path, name))));

afterEach(() => {
  vi.restoreAllMocks();
});

async function trainTo(step: number, tensorboard: string): Promise<void> {
  const controller = new AbortController();
  const reason = new Error('stopped by the test');
  const onProgress = (progress: { readonly step: number }): void => {
    if (progress.step === step) controller.abort(reason);
  };
  const hooks = { tensorboard, onProgress, signal: controller.signal };
  await expect(trainInFolder(folder.path('run'), model, data, { ...options, ...hooks })).rejects.toBe(reason);
}

describe('the events of a training', () => {
  test('are the figures of its history, and how its posterior is spread', async () => {
    const tensorboard = folder.path('run/tensorboard');
    await trainInFolder(folder.path('run'), model, data, { ...options, validation: 0.2, tensorboard });
    const [file, ...others] = eventsIn(tensorboard);
    expect(others).toEqual([]);
    const [version, ...events] = file!;
    expect(version).toMatchObject({ version: 'brain.Event:2', step: 0 });
    const history = await readHistory(folder.path('run'));
    expect(events.map(({ step }) => step)).toEqual(history.map(({ step }) => step));
    events.forEach(({ scalars }, epoch) => {
      const { reports, validation, schedules, layers } = history[epoch]!;
      expect(scalars['training/crossEntropy']).toBe(Math.fround(reports['crossEntropy']!));
      expect(scalars['validation/accuracy']).toBe(Math.fround(validation!.accuracy!));
      expect(scalars['schedules/learningRate']).toBe(Math.fround(schedules['learningRate']!));
      const rate = layers!.find(({ layer }) => layer === '1.binary')!.firing!.rate;
      expect(scalars['spikes/1.binary/rate']).toBe(Math.fround(rate));
      expect(scalars['gradients/0.dense/weight']).toBeGreaterThan(0);
    });
    const { learned } = await loadPosterior(folder.path('run'));
    const last = events.at(-1)!.histograms;
    const names = Object.keys(learned).map((name) => `posterior/${name}`);
    expect(Object.keys(last).sort()).toEqual(names.sort());
    const weights = Array.from(learned['0.dense.weight.lambda']!.data);
    const found = last['posterior/0.dense.weight.lambda']!;
    expect(found).toMatchObject({
      min: Math.min(...weights),
      max: Math.max(...weights),
      num: weights.length,
    });
    expect(found.counts.reduce((sum, count) => sum + count, 0)).toBe(weights.length);
    expect(found.limits).toHaveLength(found.counts.length);
  });

  test('go on in a new file, with no step twice', async () => {
    const tensorboard = folder.path('events');
    await trainTo(20, tensorboard);
    // As after a kill between the events and the checkpoint of an epoch, and in the middle of a record.
    const [name] = readdirSync(tensorboard);
    const path = join(tensorboard, name!);
    const whole = readFileSync(path);
    const orphan = recordOf(encodeEvent(2e9, 24, { scalars: { 'training/crossEntropy': 9 } }));
    writeFileSync(path, Buffer.concat([whole, orphan, orphan.subarray(0, 20)]));
    await resumeTraining(folder.path('run'), data, { threads: 1, monitor: true, tensorboard });
    const [before, after] = eventsIn(tensorboard);
    expect(readFileSync(path)).toEqual(whole);
    expect(before!.map(({ step }) => step)).toEqual([0, 6, 12, 18]);
    expect(after!.map(({ step, isStart }) => [step, isStart])).toEqual([
      [0, false],
      [21, true],
      [24, false],
    ]);
    const all = [...before!, ...after!].map(({ time }) => time);
    expect(all.every((time, index) => index === 0 || time >= all[index - 1]! - 1)).toBe(true);
  });

  test('stay in order where the clock goes back', async () => {
    let now = 1.9e12;
    vi.spyOn(Date, 'now').mockImplementation(() => (now -= 3_600_000));
    const tensorboard = folder.path('events');
    await trainTo(13, tensorboard);
    await resumeTraining(folder.path('run'), data, { threads: 1, monitor: true, tensorboard });
    const files = eventsIn(tensorboard);
    expect(files.map((events) => events.map(({ step }) => step))).toEqual([
      [0, 6, 12],
      [0, 14, 18, 24],
    ]);
    const times = files.flat().map(({ time }) => time);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  test('of one training only', async () => {
    const tensorboard = folder.path('events');
    await trainTo(7, tensorboard);
    const other = folder.path('other');
    expect(await lineOf(() => trainInFolder(other, model, data, { ...options, tensorboard }))).toBe(
      `${tensorboard}: holds the events of another training; choose another folder for TensorBoard`,
    );
    expect(readdirSync(folder.path())).not.toContain('other');
    truncateSync(join(tensorboard, readdirSync(tensorboard)[0]!), 5);
    await resumeTraining(folder.path('run'), data, { threads: 1, tensorboard });
    expect(eventsIn(tensorboard)[0]).toEqual([]);
  });
});

/** A Python that has TensorBoard. */
const python = [process.env['BITSPIKE_PYTHON'], 'python3', '/usr/bin/python3'].find((command) => {
  if (!command) return false;
  try {
    execFileSync(command, ['-c', 'import tensorboard'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

const script = fileURLToPath(new URL('../bench/peers/tensorboard_read.py', import.meta.url));

/** What TensorBoard's own package found in a folder. */
interface Looked {
  readonly files: readonly { readonly file: string; readonly records: number; readonly error?: string }[];
  /** The steps of every tag. */
  readonly shown: Readonly<Record<string, readonly number[]>>;
}

/** TensorBoard's own reader, which keeps what it has read as a running TensorBoard does. */
function tensorBoard(path: string) {
  const child = spawn(python!, [script, path], { stdio: ['pipe', 'pipe', 'pipe'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const told = async (): Promise<Record<string, unknown>> => {
    const { value, done } = await lines.next();
    if (done) throw new Error('the reader ended');
    return JSON.parse(value as string) as Record<string, unknown>;
  };
  let isAsked = true;
  const version = told();
  return {
    async look(): Promise<Looked> {
      await version;
      if (!isAsked) child.stdin.write('\n');
      isAsked = false;
      const files: Looked['files'][number][] = [];
      for (;;) {
        const line = await told();
        if ('shown' in line) return { files, shown: line['shown'] as Looked['shown'] };
        files.push(line as unknown as Looked['files'][number]);
      }
    },
    close: () => child.stdin.end(),
  };
}

describe.skipIf(!python)(`TensorBoard itself (needs a Python with it: pip install tensorboard)`, () => {
  test('reads every record, and after a kill shows every epoch once, also where it read what was lost', async () => {
    const tensorboard = folder.path('run/tensorboard');
    await trainTo(20, tensorboard);
    const [name] = readdirSync(tensorboard);
    const path = join(tensorboard, name!);
    // As after a kill between the events and the checkpoint of an epoch, and in the middle of a record.
    const orphan = recordOf(
      encodeEvent(Date.now() / 1000, 24, {
        scalars: { 'training/crossEntropy': 9 },
        histograms: { 'posterior/0.dense.weight.lambda': histogramOf([9, 10]) },
      }),
    );
    writeFileSync(path, Buffer.concat([readFileSync(path), orphan, orphan.subarray(0, 20)]));
    const running = tensorBoard(tensorboard);
    try {
      const before = await running.look();
      expect(before.files).toEqual([{ file: name, records: 5, error: expect.stringMatching(/truncated/) }]);
      expect(before.shown['training/crossEntropy']).toEqual([6, 12, 18, 24]);

      await resumeTraining(folder.path('run'), data, { threads: 1, monitor: true, tensorboard });
      const fresh = tensorBoard(tensorboard);
      for (const looking of [fresh, running]) {
        const { files, shown } = await looking.look();
        expect(files.map(({ records, error }) => [records, error])).toEqual([
          [4, undefined],
          [3, undefined],
        ]);
        const steps = (await readHistory(folder.path('run'))).map(({ step }) => step);
        expect(steps).toEqual([6, 12, 18, 24]);
        expect(Object.keys(shown).length).toBeGreaterThan(10);
        for (const [tag, own] of Object.entries(shown)) expect([tag, own]).toEqual([tag, steps]);
      }
      fresh.close();
    } finally {
      running.close();
    }
  });

  test('would say if a record were damaged', async () => {
    const tensorboard = folder.path('run/tensorboard');
    await trainTo(20, tensorboard);
    const path = join(tensorboard, readdirSync(tensorboard)[0]!);
    const bytes = readFileSync(path);
    bytes[bytes.length - 40]! ^= 1;
    writeFileSync(path, bytes);
    const reader = tensorBoard(tensorboard);
    const { files } = await reader.look();
    reader.close();
    expect(files[0]).toMatchObject({ records: 3, error: expect.stringMatching(/crc/i) });
  });
});
