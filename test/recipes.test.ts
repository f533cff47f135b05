import { readFile, writeFile } from 'node:fs/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { runProgram } from '../cli/program.ts';
import { readableJson } from '../cli/recipe.ts';
import { freeze, toOnnx } from '../export/index.ts';
import { loadPosterior } from '../schemas/checkpoint/index.ts';
import { defineModel, parametersOf, placesOf } from '../schemas/index.ts';
import { sizeOf } from '../schemas/layer.ts';
import { Random } from '../schemas/random.ts';
import {
  type Dataset,
  loadTraining,
  recipeModel,
  recipeNamed,
  recipes,
  type Recordings,
  train,
  trainingOptionsSchema,
  writtenRecipe,
} from '../train/index.ts';
import { initialPosterior } from '../train/posterior.ts';
import { editDistance } from '../schemas/nearest.ts';
import { filesIn, writeImages } from './support/cli.ts';
import { lineOf } from './support/error-line.ts';
import { freshFolder } from './support/folder.ts';

const names = Object.keys(recipes);

/** Recordings of a few events each, at random. */
function recordings(shape: readonly number[], count: number, classes: number, seconds: number): Recordings {
  const random = Random.fromSeed(4, 'recordings');
  const each = 40;
  const times = new Float32Array(count * each);
  for (let index = 0; index < count; index++) {
    const own = times.subarray(index * each, (index + 1) * each);
    own.set(Float32Array.from({ length: each }, () => random.nextUniform() * seconds).sort());
  }
  return {
    name: 'synthetic',
    times,
    channels: Uint32Array.from(times, () => random.nextBelow(sizeOf(shape))),
    shape,
    offsets: Uint32Array.from({ length: count + 1 }, (_, index) => index * each),
    labels: Uint8Array.from({ length: count }, (_, index) => index % classes),
    count,
    classes,
    classNames: Array.from({ length: classes }, (_, index) => `class ${index}`),
    properties: {},
  };
}

const images = (shape: readonly number[], inputs: Uint8Array): Dataset => ({
  name: 'pictures',
  inputs,
  shape,
  scale: 1 / 255,
  labels: new Uint8Array(inputs.length / sizeOf(shape)),
  count: inputs.length / sizeOf(shape),
  classes: 3,
  classNames: ['a', 'b', 'c'],
});

const weightsOf = (name: string): number =>
  Object.values(parametersOf(recipeModel(recipeNamed(name))))
    .filter(({ role }) => role === 'weight')
    .reduce((sum, { shape }) => sum + sizeOf(shape), 0);

const kindsOf = (name: string, kind: string) =>
  placesOf(recipeModel(recipeNamed(name))).filter(({ spec }) => spec.kind === kind);

/** Runs a command in this process. */
async function cli(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      printed[name] += text;
      return true;
    });
  }
  vi.spyOn(console, 'error').mockImplementation((text) => {
    printed.stderr += `${text}\n`;
  });
  const code = await runProgram(args);
  vi.restoreAllMocks();
  return { code, ...printed };
}

describe('networks', () => {
  // Counted by hand: 3 × 3 filters of each stage, the recurrent weights of a layer with their empty diagonal.
  test.each([
    ['digits', 784 * 512 + 512 * 512 + 512 * 10],
    ['shd', 700 * 256 + 256 ** 2 + 2 * 256 ** 2 + 256 * 20],
    ['shd-small', 140 * 384 + 384 ** 2 + 2 * 384 ** 2 + 384 * 20],
    ['dvs-gesture', 576 + 6 * 9216 + 18_432 + 5 * 36_864 + 73_728 + 5 * 147_456 + 128 * 11],
    ['dvs-gesture-small', 9 * (2 * 24 + 24 * 48 + 48 * 96) + 4 * 4 * 96 * 11],
    [
      'cifar10-binary',
      1728 + 6 * 36_864 + 73_728 + 5 * 147_456 + 294_912 + 5 * 589_824 + 1_179_648 + 5 * 2_359_296 + 5120,
    ],
    ['cifar10-small', 216 + 6 * 576 + 1152 + 5 * 2304 + 4608 + 5 * 9216 + 18_432 + 5 * 36_864 + 640],
  ])('%s has the weights that its layers give', (name, weights) => {
    expect(weightsOf(name)).toBe(weights);
  });

  test('every recipe is in the table under its own name, and its options are complete', () => {
    expect(names.sort()).toEqual([
      'cifar10-binary',
      'cifar10-small',
      'digits',
      'dvs-gesture',
      'dvs-gesture-small',
      'shd',
      'shd-small',
    ]);
    for (const name of names) {
      const { recipe, options, model } = writtenRecipe(recipeNamed(name));
      expect(recipe).toBe(name);
      expect(trainingOptionsSchema.parse(options)).toEqual(options);
      expect(defineModel(model)).toEqual(model);
    }
  });

  test('25, 19 and 3 convolutions; at a widening they halve the plane', () => {
    expect(kindsOf('cifar10-binary', 'conv2d')).toHaveLength(25);
    expect(kindsOf('cifar10-small', 'conv2d')).toHaveLength(25);
    expect(kindsOf('dvs-gesture', 'conv2d')).toHaveLength(19);
    expect(kindsOf('dvs-gesture-small', 'conv2d').map(({ output }) => output.join())).toEqual([
      '16,16,24',
      '8,8,48',
      '4,4,96',
    ]);
    expect(kindsOf('cifar10-binary', 'residual').map(({ output }) => output.join())).toEqual([
      ...Array(3).fill('32,32,64'),
      ...Array(3).fill('16,16,128'),
      ...Array(3).fill('8,8,256'),
      ...Array(3).fill('4,4,512'),
    ]);
  });

  test("the paper's start: μ uniform in ±1/√fan-in, σ = 0.5/√fan-in, gain 1, bias 0 and its noise", () => {
    const { training } = recipeNamed('shd');
    const options = trainingOptionsSchema.parse(training);
    const learned = initialPosterior(
      recipeModel(recipeNamed('shd')),
      {
        spread: 9,
        gain: options.initialGain as number,
        biasRho: options.initialBiasRho,
        inputPower: 7,
        seed: 1,
      },
      options.posterior,
    );
    const limit = 1 / Math.sqrt(700 + 255);
    const mu = learned['0.recurrent.weight.mu']!.data;
    const largest = mu.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(largest).toBeLessThanOrEqual(limit);
    expect(largest).toBeGreaterThan(0.999 * limit);
    const [rho = 0] = learned['0.recurrent.weight.rho']!.data;
    expect(Math.log1p(Math.exp(rho))).toBeCloseTo(0.5 * limit, 8);
    // One pair per time step.
    expect(learned['0.recurrent.gain.value']!.shape).toEqual([100, 256]);
    expect(learned['0.recurrent.bias.value']!.shape).toEqual([100, 256]);
    expect(new Set(learned['0.recurrent.gain.value']!.data)).toEqual(new Set([1]));
    expect(new Set(learned['0.recurrent.bias.value']!.data)).toEqual(new Set([0]));
    expect(new Set(learned['0.recurrent.bias.rho']!.data)).toEqual(new Set([-2]));
  });
});

describe('fitting to data', () => {
  test('recordings: channels, classes, and the longest recording up to a tenth of a second', () => {
    const model = recipeModel(recipeNamed('shd'), recordings([40], 60, 7, 0.83));
    expect(model.input).toEqual({ type: 'uint8', shape: [40], scale: 1 });
    expect(model.encoder).toMatchObject({ kind: 'timeFrames', steps: 100, duration: 0.9 });
    expect(placesOf(model).at(-1)?.output).toEqual([7]);
    expect(recipeModel(recipeNamed('shd')).encoder).toMatchObject({ duration: 1.4 });
  });

  test('an event that comes exactly at a tenth of a second is within', () => {
    const data = recordings([4], 1, 1, 0.1);
    const times = data.times.map(() => 0.5);
    expect(recipeModel(recipeNamed('shd'), { ...data, times }).encoder).toMatchObject({ duration: 0.6 });
    times[times.length - 1] = 2.34;
    expect(recipeModel(recipeNamed('shd'), { ...data, times }).encoder).toMatchObject({ duration: 2.4 });
  });

  test('a camera of another size, and frames that are there already', () => {
    const camera = recipeModel(recipeNamed('dvs-gesture'), recordings([2, 64, 64], 4, 3, 1));
    expect(camera.input.shape).toEqual([32, 32, 2]);
    expect(camera.encoder).toMatchObject({ kind: 'countFrames', downsample: 2, channels: 'last' });
    const frames = {
      ...images([16, 16, 2], new Uint8Array(5 * 512)),
      steps: 5,
      count: 1,
      labels: new Uint8Array(1),
    };
    const model = recipeModel(recipeNamed('dvs-gesture'), frames);
    expect(model.encoder).toBeUndefined();
    expect(model.steps).toBe(5);
    expect(model.input).toEqual({ type: 'uint8', shape: [16, 16, 2], scale: 1 / 255 });
  });

  test('means and deviations of the colours', () => {
    const inputs = Uint8Array.from({ length: 2 * 64 * 2 }, (_, at) => (at % 2 ? 51 : (at / 2) % 2 ? 255 : 0));
    const [first] = recipeModel(recipeNamed('cifar10-binary'), images([8, 8, 2], inputs)).layers;
    expect(first).toEqual({ kind: 'normalise', mean: [0.5, 0.2], deviation: [0.5, 1] });
  });

  test('what a recipe cannot be fitted to', async () => {
    const pictures = images([28, 28], new Uint8Array(784));
    expect(await lineOf(() => recipeModel(recipeNamed('shd'), pictures))).toBe(
      'recipe shd: is for events or sequences, pictures holds images; choose another recipe',
    );
    expect(await lineOf(() => recipeModel(recipeNamed('cifar10-small'), pictures))).toContain(
      'recipe cifar10-small: does not fit pictures: residual',
    );
    expect(await lineOf(() => recipeModel(recipeNamed('dvs-gesture'), recordings([9], 2, 2, 1)))).toContain(
      'is for events of [polarities, rows, columns], those of synthetic are [9]',
    );
  });
});

test('shd-small trains on recordings, and its network can be exported', async () => {
  const data = recordings([700], 64, 20, 1.3);
  const { training } = recipeNamed('shd-small');
  const model = recipeModel(recipeNamed('shd-small'), data);
  const reports: number[] = [];
  const posterior = await train(model, data, {
    ...training,
    epochs: 1,
    threads: 1,
    onProgress: ({ reports: { crossEntropy = Number.NaN } }) => reports.push(crossEntropy),
  });
  expect(reports).toHaveLength(2);
  expect(reports.every(Number.isFinite)).toBe(true);
  expect(posterior).toMatchObject({ family: 'bernoulli', temperature: 0.1 });
  expect(toOnnx(freeze(posterior)).length).toBeGreaterThan(380_928 / 8);
});

describe('names', () => {
  test('distance counts letters put in, left out and changed', () => {
    expect(
      [
        ['', 'abc'],
        ['shd', 'shd'],
        ['kitten', 'sitting'],
        ['dvs', 'sdvs'],
      ].map(([a, b]) => editDistance(a!, b!)),
    ).toEqual([3, 0, 3, 1]);
  });

  test.each([
    ['sdh', 'shd'],
    ['cifar10-smal', 'cifar10-small'],
    ['DVS-gestures', 'dvs-gesture'],
  ])('%s: did you mean %s?', async (given, meant) => {
    expect(await lineOf(() => recipeNamed(given))).toBe(
      `no recipe is called '${given}'; did you mean ${meant}?`,
    );
  });

  test('a name like none of them, and one that every object has', async () => {
    for (const name of ['imagenet-resnet', 'toString'])
      expect(await lineOf(() => recipeNamed(name))).toContain('there are digits, shd-small');
  });
});

describe('on the command line', () => {
  const folder = freshFolder();
  afterEach(() => vi.restoreAllMocks());

  const small = ['--epochs', '2', '--batch-size', '20', '--threads', '1'];
  const digits = (run: string, ...more: string[]): string[] => {
    const [data, out] = [`idx:${folder.path('images')}`, folder.path(run)];
    return ['train', 'digits', '--data', data, '--out', out, ...small, ...more];
  };

  test('lists them, and prints one in full', async () => {
    const listed = await cli('recipes');
    for (const name of names) expect(listed.stdout).toContain(`${name}: ${recipes[name]!.summary}`);
    for (const name of names) {
      const { code, stdout } = await cli('recipes', name);
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toEqual(JSON.parse(JSON.stringify(writtenRecipe(recipeNamed(name)))));
      expect(JSON.parse((await cli('recipes', name, '--json')).stdout)).toEqual(JSON.parse(stdout));
    }
  });

  test('JSON that people can read says the same', () => {
    const value = {
      a: [1, 'x, "y": \\', null],
      b: {},
      c: [],
      d: 'z'.repeat(200),
      e: [{ f: ['g'.repeat(99)] }],
    };
    expect(JSON.parse(readableJson(value))).toEqual(value);
    expect(readableJson({ a: [1, 2], b: 'x:,' })).toBe('{"a": [1, 2], "b": "x:,"}');
  });

  test('trains one, says what it will do, and goes on with it', async () => {
    writeImages(folder.path('images'), { train: 60, t10k: 10 });
    const { code, stdout, stderr } = await cli(...digits('run'));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^data +idx:.* train: 60 examples of 8 × 8, 10 classes$/m);
    expect(stdout).toMatch(/^recipe +digits$/m);
    expect(stdout).toMatch(/^network +64 → 512 → 512 → 10, 300,032 binary weights$/m);
    expect(stdout).toMatch(/^training +2 epochs of 3 steps, 20 examples each, seed 1$/m);
    const { options, model } = await loadTraining(folder.path('run'));
    expect(options).toMatchObject({ shift: 1, epochs: 2 });
    expect(model.input.shape).toEqual([64]);

    const again = await cli(...digits('run', '--resume'));
    expect(again).toMatchObject({ code: 0, stderr: '' });
    expect(again.stdout).toContain('nothing was left to do');
    const other = await cli(...digits('run', '--resume', '--shift', '2'));
    expect(other.code).toBe(1);
    expect(other.stderr).toContain('cannot resume: shift is 2');
  });

  test('what was printed can be given back: the same training', async () => {
    writeImages(folder.path('images'), { train: 60, t10k: 10 });
    const data = `idx:${folder.path('images')}`;
    const printed = await cli('recipes', 'digits', '--data', data);
    await writeFile(folder.path('mine.json'), printed.stdout);
    expect((await cli(...digits('named'))).code).toBe(0);
    const files = ['--model', folder.path('mine.json'), '--options', folder.path('mine.json')];
    const out = ['--data', data, '--out', folder.path('given')];
    // The thread, which is one of TypeScript here, may warn: only the code counts.
    expect((await cli('train', ...out, ...files, ...small, '--workers', '1')).code).toBe(0);
    const [given, named] = ['given', 'named'].map((run) => Array.from(filesIn(folder.path(run))));
    expect(given!.map(([name]) => name)).toEqual(named!.map(([name]) => name));
    given!.forEach(([, bytes], file) => expect(bytes.equals(named![file]![1])).toBe(true));
  });

  test('a file goes before the recipe, flags before the file', async () => {
    writeImages(folder.path('images'), { train: 60, t10k: 10 });
    await writeFile(
      folder.path('options.json'),
      '{ "shift": 3, "initialSpread": 0.25, "labelSmoothing": 0.1 }',
    );
    const options = ['--options', folder.path('options.json'), '--label-smoothing', '0.2'];
    expect((await cli(...digits('run', ...options))).code).toBe(0);
    expect((await loadTraining(folder.path('run'))).options).toMatchObject({
      shift: 3,
      initialSpread: 0.25,
      labelSmoothing: 0.2,
      epochs: 2,
    });
    expect((await loadPosterior(folder.path('run'))).model.input.shape).toEqual([64]);
  });

  test('augmentations: several in one, or one after another, or none', async () => {
    writeImages(folder.path('images'), { train: 60, t10k: 10 });
    const given = ['--augment', 'crop:2:reflect,flip', '--augment', 'shift:1', '--shift', '0'];
    const { stdout, stderr } = await cli(...digits('run', ...given));
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^augmented +crop, flip, shift$/m);
    expect((await loadTraining(folder.path('run'))).options.augment).toEqual([
      { kind: 'crop', padding: 2, fill: 'reflect', channels: 'last' },
      { kind: 'flip', probability: 0.5, channels: 'last' },
      { kind: 'shift', most: 1, channels: 'last' },
    ]);
    await writeFile(folder.path('options.json'), '{ "augment": [{ "kind": "flip" }] }');
    const none = ['--options', folder.path('options.json'), '--augment', 'none'];
    expect((await cli(...digits('plain', ...none))).code).toBe(0);
    expect((await loadTraining(folder.path('plain'))).options.augment).toEqual([]);
  });

  test('mistakes are told in one line', async () => {
    writeImages(folder.path('images'), { train: 60, t10k: 10 });
    await writeFile(folder.path('broken.json'), '{');
    await writeFile(folder.path('odd.json'), '{ "epoch": 3 }');
    await writeFile(folder.path('list.json'), '[]');
    const file = (name: string): string[] => ['--options', folder.path(name)];
    const data = ['--data', `idx:${folder.path('images')}`, '--out', folder.path('new')];
    const mistakes: readonly [number, string[], string][] = [
      [1, ['train', 'digit', ...data], "no recipe is called 'digit'; did you mean digits?"],
      [1, ['recipes', 'digit'], 'did you mean digits?'],
      [1, ['train', 'shd', ...data], 'is for events or sequences'],
      [1, digits('new', '--hidden', '8'), 'the recipe digits has a network of its own'],
      [1, digits('new', ...file('missing.json')), 'missing.json: cannot read the options'],
      [1, digits('new', ...file('broken.json')), 'broken.json: is not sound JSON'],
      [1, digits('new', ...file('odd.json')), "odd.json: unknown option 'epoch'"],
      [1, digits('new', ...file('list.json')), 'list.json: Invalid input: expected object'],
      [2, digits('new', '--augment', 'blur'), 'Expected none, or of crop, flip,'],
      [2, digits('new', '--augment', 'crop'), 'In crop, padding: Invalid input'],
      [2, digits('new', '--augment', 'flip:0.5:last:1'), 'Expected flip:probability:channels'],
      [1, digits('new', '--shift', '0', '--augment', 'drop:0.1'), 'augment 0 (drop): does not vary images'],
      [2, digits('new', '--workers', '-1'), 'Expected a whole number'],
      [1, digits('new', '--workers', '65'), 'workers'],
    ];
    for (const [code, args, expected] of mistakes) {
      const ended = await cli(...args);
      expect(ended.stderr).toMatch(/^bitspike: [^\n]+\n$/);
      expect(ended.stderr).toContain(expected);
      expect(ended.code).toBe(code);
    }
    await expect(readFile(folder.path('new'))).rejects.toThrow('ENOENT');
  });
});
