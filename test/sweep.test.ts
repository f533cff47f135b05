import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { runProgram } from '../cli/program.ts';
import { grid, random, readSpace } from '../cli/sweep/read-space.ts';
import { sideBySide } from '../cli/sweep/side-by-side.ts';
import { choicesOf, settingsWith, spaceSchema } from '../cli/sweep/space.ts';
import { sharedData } from '../train/data/index.ts';
import { sweepJsonSchema, sweepSchemaPath, sweepSchemaText } from '../cli/sweep/space-schema.ts';
import { trainingOptionsSchema } from '../train/index.ts';
import { filesIn, writeImages } from './support/cli.ts';
import { noiseData } from './support/data.ts';
import { lineOf } from './support/error-line.ts';

const spaceOf = (given: object) => spaceSchema.parse(given);

describe('what a sweep tries', () => {
  test('every combination of a grid', () => {
    const choices = choicesOf(spaceOf({ grid: { learningRate: [0.1, 0.2], seed: [1, 2, 3] } }));
    expect(choices).toHaveLength(6);
    expect(choices[0]).toEqual({ learningRate: 0.1, seed: 1 });
    expect(choices[1]).toEqual({ learningRate: 0.1, seed: 2 });
    expect(new Set(choices.map((choice) => JSON.stringify(choice))).size).toBe(6);
  });

  test('draws, the same for the same seed, whatever is drawn besides', () => {
    const some = { penaltyWeight: { from: 1e-6, to: 1e-2, scale: 'log' }, batchSize: [16, 32] };
    const drawn = choicesOf(spaceOf({ random: some, runs: 200, seed: 3 }));
    expect(choicesOf(spaceOf({ random: some, runs: 200, seed: 3 }))).toEqual(drawn);
    expect(choicesOf(spaceOf({ random: some, runs: 200, seed: 4 }))).not.toEqual(drawn);
    const weights = drawn.map((choice) => choice['penaltyWeight'] as number);
    expect(Math.min(...weights)).toBeGreaterThanOrEqual(1e-6);
    expect(Math.max(...weights)).toBeLessThanOrEqual(1e-2);
    // On a logarithmic scale half of them lie below the geometric mean.
    expect(weights.filter((weight) => weight < 1e-4).length).toBeGreaterThan(80);
    expect(weights.filter((weight) => weight < 1e-4).length).toBeLessThan(120);
    expect(new Set(drawn.map((choice) => choice['batchSize']))).toEqual(new Set([16, 32]));
    const more = { ...some, epochs: { from: 2, to: 4, whole: true } };
    const with3 = choicesOf(spaceOf({ random: more, runs: 200, seed: 3 }));
    expect(with3.map((choice) => choice['penaltyWeight'])).toEqual(weights);
    expect(new Set(with3.map((choice) => choice['epochs']))).toEqual(new Set([2, 3, 4]));
  });

  test('each draw meets every combination', () => {
    const choices = choicesOf(spaceOf({ grid: { seed: [1, 2] }, random: { shift: [0, 1] }, runs: 3 }));
    expect(choices).toHaveLength(6);
    for (let draw = 0; draw < 3; draw++)
      expect(choices[2 * draw]!['shift']).toBe(choices[2 * draw + 1]!['shift']);
  });

  test('a part of an option, beside what it was', () => {
    expect(settingsWith({ epochs: 3 }, { 'estimator.mix': 0.5, seed: 2 })).toEqual({
      epochs: 3,
      estimator: { kind: 'importanceWeighted', mix: 0.5, noise: 'gaussian' },
      seed: 2,
    });
    expect(
      settingsWith({ learningRate: { shape: 'linear', from: 1, to: 0 } }, { 'learningRate.from': 2 }),
    ).toEqual({
      learningRate: { shape: 'linear', from: 2, to: 0 },
    });
  });

  test('mistakes are named', async () => {
    expect(await lineOf(() => settingsWith({}, { learningrate: 1 }))).toBe(
      "sweep: no option is called 'learningrate' (did you mean learningRate?); bitspike train --help lists them",
    );
    expect(await lineOf(() => choicesOf(spaceOf({})))).toContain('nothing to try');
    expect(await lineOf(() => choicesOf(spaceOf({ grid: { seed: [1] }, random: { seed: [2] } })))).toContain(
      'seed is both in grid and in random',
    );
    const many = { seed: Array.from({ length: 200 }, (_, index) => index) };
    expect(await lineOf(() => choicesOf(spaceOf({ grid: { ...many, shift: many.seed } })))).toContain(
      '40000 trainings',
    );
    expect(() => random('a=1:2:cubic')).toThrow('Expected OPTION=FROM:TO');
    expect(() => grid('a')).toThrow('Expected OPTION=VALUES');
    expect(await lineOf(() => readSpace(undefined, { random: random('epochs=5:2') }))).toContain(
      'expected from < to',
    );
  });

  test('is read from flags', () => {
    expect(grid('b=true,x', grid('a=0.1,2'))).toEqual({ a: [0.1, 2], b: [true, 'x'] });
    expect(grid('hidden=[64,64],[128]')).toEqual({ hidden: [[64, 64], [128]] });
    expect(random('a=1e-3:1:log')).toEqual({ a: { from: 0.001, to: 1, scale: 'log' } });
    expect(random('a=2:9:whole')).toEqual({ a: { from: 2, to: 9, whole: true } });
    expect(random('a=1,2')).toEqual({ a: [1, 2] });
  });
});

describe('the JSON Schema of a sweep', () => {
  test('in the package is that of the sources', () => {
    const path = join(dirname(import.meta.dirname), 'schemas', 'generated', basename(sweepSchemaPath));
    expect(readFileSync(path, 'utf8'), 'npm run generate:schema').toBe(sweepSchemaText());
  });

  test('takes what a sweep takes, refuses the rest, and says what every option means', () => {
    const schema = z.fromJSONSchema(sweepJsonSchema() as Parameters<typeof z.fromJSONSchema>[0]);
    const takes = (space: unknown): boolean => schema.safeParse(space).success;
    const range = { from: 1e-7, to: 1e-4, scale: 'log' };
    const $schema = sweepSchemaPath;
    expect(takes({ $schema, grid: { learningRate: [0.1], hidden: [8, [4, 4]] }, runs: 3 })).toBe(true);
    expect(takes({ grid: { 'estimator.mix': [0, 1] }, random: { penaltyWeight: range } })).toBe(true);
    expect(takes({ grid: { epochs: [0] } })).toBe(false);
    expect(takes({ grid: { epochs: 3 } })).toBe(false);
    expect(takes({ random: { penaltyWeight: { ...range, scale: 'logarithmic' } } })).toBe(false);
    expect(takes({ runs: 0 })).toBe(false);
    expect(takes({ girid: {} })).toBe(false);
    interface Described {
      readonly description?: string;
      readonly $ref?: string;
      readonly properties?: Record<string, Described>;
    }
    const whole = sweepJsonSchema() as Described & { $defs: Record<string, Described> };
    for (const { description } of Object.values(whole.properties!)) expect(description).toMatch(/\w/);
    const { $ref = '', properties } = whole.properties!['grid']!;
    const options = properties ?? whole.$defs[$ref.replace('#/$defs/', '')]!.properties!;
    expect(Object.keys(options).sort()).toEqual(
      [...Object.keys(trainingOptionsSchema.shape), 'hidden'].sort(),
    );
    for (const { description } of Object.values(options)) expect(description).toMatch(/\w/);
  });
});

let root: string;
const said: string[] = [];

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'bitspike-sweep-'));
  writeImages(join(root, 'images'), { train: 120, t10k: 20 });
});
afterEach(() => {
  vi.restoreAllMocks();
  said.length = 0;
});
afterAll(() => {
  rmSync(root, { recursive: true });
});

/** Runs the command line here; gives its exit code and the object of its last line. A function is called after all said. */
async function run(
  ...given: (string | (() => void))[]
): Promise<{ code: number; json: Record<string, unknown>; error: string }> {
  const args = given.filter((each) => typeof each === 'string');
  const hear = given.find((each) => typeof each === 'function');
  let error = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said.push(String(text));
    hear?.();
    return true;
  });
  vi.spyOn(console, 'error').mockImplementation((text) => {
    error += String(text);
  });
  const code = await runProgram(args);
  vi.restoreAllMocks();
  const last = said.join('').trimEnd().split('\n').at(-1) ?? '';
  return { code, json: last.startsWith('{') ? (JSON.parse(last) as Record<string, unknown>) : {}, error };
}

interface Ran {
  readonly name: string;
  readonly choice: Record<string, unknown>;
  readonly best?: { readonly reports: Record<string, number> };
  readonly failure?: string;
}

const small = '--hidden 8 --epochs 2 --batch-size 20 --threads 1'.split(' ');

const sweep = (out: string, ...more: string[]): string[] =>
  ['sweep', '--data', `idx:${join(root, 'images')}`, ...small, '--out', join(root, out), '--json'].concat(
    more,
  );

describe('a sweep', () => {
  test('trains each choice in a folder, and ranks them', async () => {
    const { code, json } = await run(
      ...sweep('grid', '--grid', 'learningRate=0.001,0.05', '--grid', 'seed=1,2'),
    );
    expect(code).toBe(0);
    const runs = json['runs'] as Ran[];
    expect(runs.map(({ name }) => name).sort()).toEqual(['001', '002', '003', '004']);
    const accuracies = runs.map(({ best }) => best!.reports['accuracy']!);
    expect(accuracies).toEqual([...accuracies].sort((a, b) => b - a));
    expect(runs[0]!.choice['learningRate']).toBe(0.05);
    expect(json['best']).toBe(runs[0]!.name);
    expect(readdirSync(join(root, 'grid')).sort()).toEqual(['001', '002', '003', '004', 'sweep.json']);
    expect(said.join('')).toMatch(/run +learningRate +seed +accuracy +loss +epoch\n00\d +0\.05/);
  });

  test('goes on where it was stopped, and does nothing twice', async () => {
    const args = ['--grid', 'seed=1,2,3'];
    await run(...sweep('whole', ...args));
    const whole = filesIn(join(root, 'whole'));
    // As if the process had died in the middle of the second training: its history is ahead of its checkpoint.
    cpSync(join(root, 'whole'), join(root, 'again'), { recursive: true });
    rmSync(join(root, 'again', '003'), { recursive: true });
    rmSync(join(root, 'again', '002', 'checkpoint-000012'), { recursive: true });
    const { code, json } = await run(...sweep('again', ...args));
    expect(code).toBe(0);
    expect((json['runs'] as Ran[]).length).toBe(3);
    expect(filesIn(join(root, 'again'))).toEqual(whole);
  });

  test('of something else is not mixed with one that is there', async () => {
    await run(...sweep('first', '--grid', 'seed=1'));
    const before = filesIn(join(root, 'first'));
    const { code, error } = await run(...sweep('first', '--grid', 'seed=2'));
    expect(code).toBe(1);
    expect(error).toContain(
      'first: holds another sweep: space.grid.seed.0 is 2, there it is 1; give the same',
    );
    expect(filesIn(join(root, 'first'))).toEqual(before);
  });

  test('counts a training that fails as a result, the last', async () => {
    const { code, json } = await run(...sweep('some', '--grid', 'learningRate=1e30,0.05'));
    expect(code).toBe(0);
    const [first, second] = json['runs'] as [Ran, Ran];
    expect(first.name).toBe('002');
    expect(second.failure).toMatch(/became NaN at step \d+/);
    expect(said.join('')).toMatch(/001 +1e\+30 +– +– +failed/);
  });

  test('checks every choice before it trains the first', async () => {
    const { code, error } = await run(...sweep('wrong', '--grid', 'epochs=1,0'));
    expect(code).toBe(1);
    expect(error).toContain('sweep: training 002: epochs:');
    expect(readdirSync(root)).not.toContain('wrong');
  });

  test('reads its space from a file with comments, and sizes of networks', async () => {
    const file = join(root, 'space.json');
    writeFileSync(file, '{ "$schema": "x", // sizes\n "grid": { "hidden": [[4], [6, 4]], }, "runs": 1 }');
    const args = sweep('sizes', '--space', file).filter((arg) => arg !== '--hidden' && arg !== '8');
    const { code, json } = await run(...args);
    expect(code).toBe(0);
    expect((json['runs'] as Ran[]).map(({ choice }) => choice['hidden'])).toContainEqual([6, 4]);
    const model = JSON.parse(
      readFileSync(join(root, 'sizes', '002', 'checkpoint-000012', 'model.json'), 'utf8'),
    ) as { model: { layers: { units?: number }[] } };
    expect(model.model.layers.flatMap(({ units }) => units ?? [])).toEqual([6, 4, 10]);
  });

  test('side by side ends at the same bytes and the same table, also when it was stopped', async () => {
    const grids = ['--grid', 'seed=1,2', '--grid', 'learningRate=1e30,0.05'];
    const one = await run(...sweep('one', ...grids));
    const table = said.join('').slice(said.join('').indexOf('run  '));
    said.length = 0;

    const more = ['--jobs', '2'];
    let isStopped = false;
    const stopped = await run(...sweep('several', ...grids, ...more), () => {
      // The first is over, others are under way.
      if (isStopped || !said.some((line) => /^00\d of 4 /.test(line))) return;
      isStopped = true;
      process.emit('SIGINT', 'SIGINT');
    });
    expect(stopped.code).toBe(130);
    expect(stopped.error).toContain('go on with the same command');
    expect(filesIn(join(root, 'several')).size).toBeLessThan(filesIn(join(root, 'one')).size);
    expect([...filesIn(join(root, 'several')).keys()].filter((path) => path.endsWith('.lock'))).toEqual([]);
    said.length = 0;

    const several = await run(...sweep('several', ...grids, ...more));
    expect(several.code).toBe(0);
    const elsewhere = (text: string): string => text.replaceAll(join(root, 'several'), join(root, 'one'));
    expect(JSON.parse(elsewhere(JSON.stringify(several.json)))).toEqual(one.json);
    expect(elsewhere(said.join('').slice(said.join('').indexOf('run  ')))).toBe(table);
    // A training that was stopped has a checkpoint of that step, too.
    const lasting = (folder: string) =>
      [...filesIn(join(root, folder))].filter(([path]) => /000012|history|sweep\.json/.test(path));
    expect(lasting('one').length).toBeGreaterThan(10);
    expect(lasting('several')).toEqual(lasting('one'));
  });
});

const turns = () => new Promise((resolve) => setImmediate(resolve));

describe('tasks side by side', () => {
  const none = new AbortController().signal;

  test('are so many at a time, begun in their order, with results in it', async () => {
    const begun: number[] = [];
    let now = 0;
    let most = 0;
    const results = await sideBySide([5, 1, 4, 2, 3, 0], 3, none, async (task) => {
      begun.push(task);
      most = Math.max(most, ++now);
      for (let turn = 0; turn <= task; turn++) await turns();
      now--;
      return 10 * task;
    });
    expect(results).toEqual([50, 10, 40, 20, 30, 0]);
    expect(begun).toEqual([5, 1, 4, 2, 3, 0]);
    expect(most).toBe(3);
  });

  test('see the numbers of the data in memory that they share', () => {
    const data = { ...noiseData(4), inputs: Buffer.from([1, 2, 3]) };
    const shared = sharedData(data) as typeof data;
    expect(shared.inputs).toEqual(Uint8Array.of(1, 2, 3));
    expect(shared.inputs.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(Object.getPrototypeOf(shared.inputs)).toBe(Uint8Array.prototype);
    expect((sharedData(shared) as typeof data).inputs).toBe(shared.inputs);
    expect({ ...shared, inputs: 0, labels: 0 }).toEqual({ ...data, inputs: 0, labels: 0 });
  });

  test('stop where one fails, or when they are told to, and are waited for', async () => {
    const ended: number[] = [];
    const work = async (task: number, signal: AbortSignal): Promise<void> => {
      if (task === 1) throw new Error('too hot');
      while (!signal.aborted) await turns();
      await turns();
      ended.push(task);
      throw signal.reason;
    };
    await expect(sideBySide([0, 1, 2, 3], 3, none, work)).rejects.toThrow('too hot');
    // The last was never begun.
    expect(ended.sort()).toEqual([0, 2]);

    const controller = new AbortController();
    const all = sideBySide([2, 3, 4], 2, controller.signal, work);
    controller.abort(new Error('stop'));
    await expect(all).rejects.toThrow('stop');
    expect(ended).toEqual([0, 2, 2, 3]);
    // What was done by then counts, however late the signal came.
    const late = new AbortController();
    const done = sideBySide([1], 1, late.signal, async () => {
      late.abort();
      return 'done';
    });
    expect(await done).toEqual(['done']);
  });
});
