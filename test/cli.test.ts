import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compareWithOracle } from '../cli/agreement.ts';
import { freeze } from '../export/index.ts';
import { load } from '../runtime/index.ts';
import { loadPosterior } from '../schemas/checkpoint/index.ts';
import { version } from '../schemas/version.ts';
import { idx } from '../train/index.ts';
import { buildCli, type Ended, filesIn, jsonOf, startCli, writeImages } from './support/cli.ts';

let built: string;
let folder: string;

const cli = (...args: string[]): Promise<Ended> => startCli(built, args, folder).ended;

/** Runs a command that must succeed and say nothing on standard error. */
async function succeed(...args: string[]): Promise<Ended> {
  const ended = await cli(...args);
  expect(ended).toMatchObject({ code: 0, stderr: '' });
  return ended;
}

const data = ['--data', 'idx:images'];
const training = ['train', ...data, '--hidden', '32,16', '--batch-size', '20', '--threads', '1'];
const trainTo = (run: string, ...more: string[]): string[] => [...training, '--out', run, ...more];

beforeAll(() => {
  built = buildCli();
  folder = mkdtempSync(join(tmpdir(), 'bitspike-cli-'));
  writeImages(join(folder, 'images'), { train: 300, t10k: 100 });
});
afterAll(() => {
  rmSync(built, { recursive: true });
  rmSync(folder, { recursive: true });
});

describe('from images to answers', () => {
  test('train', async () => {
    const ended = await succeed(...trainTo('run', '--epochs', '12', '--json'));
    expect(ended.stdout).toContain('idx:images train: 300 examples of 8 × 8, 10 classes');
    expect(ended.stdout).toContain('64 → 32 → 16 → 10, 2,720 binary weights');
    expect(jsonOf(ended)).toMatchObject({ run: 'run', step: 180 });
    // One look at the end of each epoch: two layers of neurons, and the weights of the readout.
    expect(jsonOf(ended)['monitored']).toHaveLength(12);
    const rows = /epoch 12\/12, step 180 .*\n(.*)\n(.*)\n(.*)\n/.exec(ended.stdout)!.slice(1);
    expect(rows.map((row) => row.split(' ')[0])).toEqual(['1.binary', '3.binary', '4.dense']);
    expect(readdirSync(join(folder, 'run')).sort()).toEqual([
      'checkpoint-000165',
      'checkpoint-000180',
      'history.jsonl',
    ]);
  });

  test('train without looking, or more often', async () => {
    const blind = await succeed(...trainTo('blind', '--epochs', '1', '--json', '--no-monitor'));
    expect(jsonOf(blind)).not.toHaveProperty('monitored');
    const often = await succeed(...trainTo('often', '--epochs', '1', '--json', '--monitor', '4'));
    const steps = (jsonOf(often)['monitored'] as { step: number }[]).map(({ step }) => step);
    expect(steps).toEqual([4, 8, 12, 15]);
  });

  test('export the mean, and judge it', async () => {
    const written = jsonOf(await succeed('export', 'run', '--out', 'mean.onnx', '--json'));
    const bytes = readFileSync(join(folder, 'mean.onnx')).length;
    expect(written).toMatchObject({ weights: 'mean', bytes, binaryWeights: 2720, members: 1 });

    const ended = await succeed('eval', 'mean.onnx', ...data, '--json');
    const judged = jsonOf(ended);
    expect(judged).toMatchObject({ examples: 100 });
    expect(judged['predictions']).toHaveLength(100);
    expect(judged['accuracy']).toBeGreaterThan(0.8);
    expect(judged['negativeLogLikelihood']).toBeGreaterThan(0);
    expect(judged['brier']).toBeLessThan(1);
    expect(ended.stdout).toContain(
      `accuracy                  ${(Number(judged['accuracy']) * 100).toFixed(2)} %`,
    );
  });

  test('export an ensemble, and judge it on the first examples', async () => {
    const sample = ['--weights', 'sample', '--count', '3', '--seed', '7'];
    await succeed('export', 'run', '--out', 'ensemble.onnx', ...sample);
    const judged = jsonOf(await succeed('eval', 'ensemble.onnx', ...data, '--limit', '40', '--json'));
    expect(judged).toMatchObject({ examples: 40 });
    expect(judged['accuracy']).toBeGreaterThan(0.6);
  });

  test('inspect: every byte is accounted for', async () => {
    for (const [file, members] of [['mean.onnx', 1] as const, ['ensemble.onnx', 3] as const]) {
      const ended = await succeed('inspect', file, '--json');
      const report = jsonOf(ended) as { bytes: Record<string, number> };
      const { file: whole, ...parts } = report.bytes;
      expect(Object.values(parts).reduce((sum, size) => sum + size, 0)).toBe(whole);
      expect(parts).toMatchObject({
        packedWeights: (members * 2720) / 8,
        thresholds: members * 4 * (32 + 16),
        tables: 2048,
        realParameters: members * 4 * 20,
      });
      expect(report).toMatchObject({
        members,
        opset: 21,
        irVersion: 10,
        producer: `bitspike ${version}`,
        bitsPerWeight: { packed: 1 },
        standard: true,
      });
      expect(ended.stdout).toContain('all of them are standard ONNX');
    }
  });

  test('the file computes what the oracle says, activation by activation', async () => {
    const network = freeze(await loadPosterior(join(folder, 'run')));
    const { inputs } = await idx(join(folder, 'images'), 'train');
    const path = join(folder, 'mean.onnx');
    const plain = await load(path);
    const observe = plain.description.layers[0] ?? [];
    const loaded = await Promise.all([load(path, { observe }), load(path, { device: 'bits', observe })]);
    const same = {
      examples: 300,
      activations: 300 * (32 + 16),
      differingActivations: 0,
      differingPredictions: 0,
    };
    expect(await compareWithOracle(network, loaded, inputs)).toEqual([same, same]);
    await Promise.all([plain, ...loaded].map((each) => each.close()));
  });
});

describe('the same again', () => {
  test('the same seed gives the same bytes, wherever the data lie and whatever the number of threads', async () => {
    cpSync(join(folder, 'images'), join(folder, 'elsewhere'), { recursive: true });
    await succeed(...trainTo('again', '--epochs', '12', '--threads', '2', '--data', 'idx:elsewhere'));
    expect(filesIn(join(folder, 'again'))).toEqual(filesIn(join(folder, 'run')));
    await succeed('export', 'again', '--out', 'again.onnx');
    expect(readFileSync(join(folder, 'again.onnx'))).toEqual(readFileSync(join(folder, 'mean.onnx')));
  });

  test('another seed gives others', async () => {
    await succeed(...trainTo('other', '--epochs', '12', '--seed', '2'));
    const file = '/checkpoint-000180/posterior.safetensors';
    expect(filesIn(join(folder, 'other')).get(file)).not.toEqual(filesIn(join(folder, 'run')).get(file));
  });

  test('an interrupted training saves, says how to go on, and ends at the same bytes', async () => {
    const long = trainTo('long', '--epochs', '200');
    await succeed(...long);
    const halted = startCli(built, trainTo('halted', '--epochs', '200'), folder);
    while (!existsSync(join(folder, 'halted'))) await delay(5);
    halted.child.kill('SIGINT');
    const { code, stderr } = await halted.ended;
    expect(code).toBe(130);
    expect(stderr).toBe(
      'bitspike: stopped, and saved in halted; go on with: bitspike train --data idx:images --out halted --threads 1 --resume\n',
    );
    const ended = await succeed('train', ...data, '--out', 'halted', '--resume', '--json');
    expect(ended.stdout).toMatch(/goes on after step \d/);
    expect(jsonOf(ended)).toMatchObject({ step: 3000 });
    const last = (run: string) => filesIn(join(folder, run, 'checkpoint-003000'));
    expect(last('halted')).toEqual(last('long'));
  });

  test('resuming a training that is complete changes nothing', async () => {
    const before = filesIn(join(folder, 'run'));
    const ended = await succeed(...trainTo('run', '--resume', '--json'));
    expect(ended.stdout).toContain('nothing was left to do');
    expect(filesIn(join(folder, 'run'))).toEqual(before);
  });
});

/** Trains a small network for two epochs. */
const trainedWith = (run: string, ...more: string[]) =>
  succeed('train', ...data, '--out', run, '--hidden', '16', '--epochs', '2', '--batch-size', '20', ...more);

describe('other posteriors', () => {
  test('Gaussian weights become real numbers, or one bit each', async () => {
    const { stdout } = await trainedWith(
      'gaussian',
      '--posterior',
      'gaussian:channel:0.5',
      '--noise-scale',
      '1:0.1',
    );
    expect(stdout).toContain('1,184 Gaussian weights');
    const real = await succeed('export', 'gaussian', '--out', 'real.onnx', '--weights', 'real', '--json');
    expect(real.stdout).toContain('1,184 real weights, ');
    expect(jsonOf(real)).toMatchObject({ weights: 'real', binaryWeights: 0, realWeights: 1184 });
    expect((await succeed('inspect', 'real.onnx')).stdout).toContain('1,024 real');
    const bits = await succeed('export', 'gaussian', '--out', 'bits.onnx', '--json');
    expect(jsonOf(bits)).toMatchObject({ weights: 'mean', binaryWeights: 1184, realWeights: 0 });
  });

  test('cooled weights know their temperature', async () => {
    await trainedWith('cooled', '--temperature', '1:0.05:0.4:0.9');
    expect(await loadPosterior(join(folder, 'cooled'))).toMatchObject({
      family: 'bernoulli',
      temperature: 0.05,
    });
  });
});

interface Judged {
  readonly accuracy: number;
  readonly negativeLogLikelihood: number;
  readonly calibration: { readonly error: number };
}

/** The figures of an .onnx, as the freeze report names them. */
async function figuresOf(file: string) {
  const { accuracy, negativeLogLikelihood, calibration } = jsonOf(
    await succeed('eval', file, ...data, '--json'),
  ) as unknown as Judged;
  return { accuracy, negativeLogLikelihood, calibrationError: calibration.error };
}

type Networks = Readonly<Record<string, Awaited<ReturnType<typeof figuresOf>>>>;

describe('a folder is judged before and after freezing', () => {
  test('as its exported networks are', async () => {
    await succeed('export', 'run', '--out', 'moved.onnx', '--recalibrate', ...data);
    await succeed(
      'export',
      'run',
      '--out',
      'drawn.onnx',
      '--weights',
      'sample',
      '--count',
      '8',
      '--seed',
      '1',
    );
    const ended = await succeed('eval', 'run', ...data, '--json');
    const report = jsonOf(ended);
    expect(report).toMatchObject({ run: 'run', family: 'bernoulli', temperature: 1, recalibrated: 300 });
    const networks = report['networks'] as Networks;
    expect(Object.keys(networks).sort()).toEqual(['mean', 'noisy', 'recalibratedMean', 'sample', 'samples']);
    expect(networks['mean']).toEqual(await figuresOf('mean.onnx'));
    expect(networks['recalibratedMean']).toEqual(await figuresOf('moved.onnx'));
    expect(networks['samples']).toEqual(await figuresOf('drawn.onnx'));
    expect(networks['noisy']!.accuracy).toBeGreaterThan(0.8);
    expect((report['signs'] as number[]).reduce((sum, part) => sum + part, 0)).toBeCloseTo(1, 9);
    for (const text of ['noisy, 8 draws', 'frozen mean', '  recalibrated', 'one sample', '0.95 – 1.00'])
      expect(ended.stdout).toContain(text);
  });

  test('at every temperature asked for', async () => {
    const { networks } = jsonOf(await succeed('eval', 'cooled', ...data, '--json'));
    const ended = await succeed('eval', 'cooled', ...data, '--temperatures', '1,0.05', '--json');
    const rows = jsonOf(ended)['temperatures'] as { temperature: number; networks: Networks }[];
    expect(rows.map(({ temperature }) => temperature)).toEqual([1, 0.05]);
    // It ended at 0.05.
    const { recalibratedMean: _, ...others } = networks as Networks;
    expect(rows[1]!.networks).toEqual(others);
    expect(rows[0]!.networks['noisy']).not.toEqual(others['noisy']);
    expect(ended.stdout.match(/^(1|0\.05) .*%/gm)).toHaveLength(4);
  });

  test('with the noise that it was annealed to, and what binarising costs', async () => {
    const ended = await succeed('eval', 'gaussian', ...data, '--json');
    const report = jsonOf(ended);
    expect(report).toMatchObject({ family: 'gaussian', noiseScale: 0.1 });
    const networks = report['networks'] as Networks;
    expect(networks['real']).toEqual(await figuresOf('real.onnx'));
    expect(networks['mean']).toEqual(await figuresOf('bits.onnx'));
    expect(ended.stdout).toContain('frozen mean, binarised');
    const [row] = jsonOf(await succeed('eval', 'gaussian', ...data, '--temperatures', '0.1', '--json'))[
      'temperatures'
    ] as { noiseScale: number; networks: Networks }[];
    expect(row!.noiseScale).toBe(0.1);
    expect(row!.networks['noisy']!.negativeLogLikelihood).toBeCloseTo(
      networks['noisy']!.negativeLogLikelihood,
      3,
    );
  });
});

test('help names every command, and tells the defaults of the schema', async () => {
  const { stdout } = await succeed('--help');
  for (const name of ['train', 'export', 'eval', 'inspect', 'demo']) expect(stdout).toContain(`  ${name} `);
  expect((await succeed('train', '--help')).stdout).toContain('Passes over the data (default: 10)');
  expect((await succeed('--version')).stdout).toBe(`${version}\n`);
});
