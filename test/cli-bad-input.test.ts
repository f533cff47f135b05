import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Graph, defineOnnxModel, writeModel } from '../schemas/onnx/index.ts';
import { buildCli, filesIn, idxFile, startCli, writeImages } from './support/cli.ts';

let built: string;
let folder: string;
const at = (...path: string[]): string => join(folder, ...path);
const copy = (from: string, to: string): void => cpSync(at(from), at(to), { recursive: true });

/**
 * Runs a command that must fail with one line on standard error, and leave every file as it was.
 *
 * @returns the line
 */
async function lineOf(code: number, ...args: string[]): Promise<string> {
  const before = filesIn(folder);
  const ended = await startCli(built, args, folder).ended;
  expect(ended.stderr).toMatch(/^bitspike: [^\n]+\n$/);
  expect(ended.code).toBe(code);
  expect(filesIn(folder)).toEqual(before);
  return ended.stderr.trim();
}

const small = ['--hidden', '16', '--epochs', '2', '--batch-size', '20', '--threads', '1'];
const train = (data: string, ...more: string[]): string[] => [
  'train',
  '--data',
  data,
  '--out',
  'new',
  ...small,
  ...more,
];

beforeAll(async () => {
  built = buildCli();
  folder = mkdtempSync(join(tmpdir(), 'bitspike-bad-'));
  writeImages(at('images'), { train: 100, t10k: 50 });
  for (const args of [
    ['train', '--data', 'idx:images', '--out', 'run', ...small],
    ['export', 'run', '--out', 'network.onnx'],
  ]) {
    const { code, stderr } = await startCli(built, args, folder).ended;
    if (code !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
  }
});
afterAll(() => {
  rmSync(built, { recursive: true });
  rmSync(folder, { recursive: true });
});

describe('data', () => {
  const images = 'train-images-idx3-ubyte';

  test('cut short', async () => {
    copy('images', 'short');
    truncateSync(at('short', images), 1000);
    expect(await lineOf(1, ...train('idx:short'))).toContain(
      `short/${images}: byte 1000: the file is cut short`,
    );
  });

  test('of another kind', async () => {
    copy('images', 'odd');
    writeFileSync(at('odd', images), 'P5 8 8 255');
    expect(await lineOf(1, ...train('idx:odd'))).toContain('begins 50 35 20 38; expected an IDX file');
  });

  test('with fewer labels than images', async () => {
    copy('images', 'uneven');
    writeFileSync(at('uneven', 'train-labels-idx1-ubyte'), idxFile([99], new Uint8Array(99)));
    expect(await lineOf(1, ...train('idx:uneven'))).toContain('has 99 labels for the 100 images');
  });

  test('missing, in part and in whole', async () => {
    copy('images', 'partly');
    rmSync(at('partly', images));
    expect(await lineOf(1, ...train('idx:partly'))).toContain(`has no ${images}`);
    expect(await lineOf(1, ...train('idx:nowhere'))).toContain('nowhere: cannot be read as a folder');
  });

  test('of an unknown kind', async () => {
    expect(await lineOf(1, ...train('idz:table'))).toContain('no such kind of data (did you mean idx?)');
    expect(await lineOf(1, ...train('csv:table'))).toContain('expected one of mnist, idx:FOLDER');
  });

  test('fewer than a batch', async () => {
    expect(await lineOf(1, ...train('idx:images', '--limit', '5'))).toContain('fewer than batchSize 20');
  });

  test('that do not fit the exported network', async () => {
    mkdirSync(at('wide'));
    writeFileSync(at('wide', 't10k-images-idx3-ubyte'), idxFile([2, 4, 4], new Uint8Array(32)));
    writeFileSync(at('wide', 't10k-labels-idx1-ubyte'), idxFile([2], Uint8Array.of(0, 1)));
    expect(await lineOf(1, 'eval', 'network.onnx', '--data', 'idx:wide')).toContain(
      'it takes examples of 64, these have 4 × 4',
    );
    writeFileSync(at('images', 't10k-labels-idx1-ubyte'), idxFile([50], new Uint8Array(50).fill(11)));
    expect(await lineOf(1, 'eval', 'network.onnx', '--data', 'idx:images')).toContain(
      'it knows 10 classes, these are 12',
    );
  });
});

/** The line for a model.json that holds this. */
function lineOfModel(text: string): Promise<string> {
  writeFileSync(at('model.json'), text);
  return lineOf(1, 'train', '--data', 'idx:images', '--out', 'new', '--model', 'model.json');
}

const modelJson = (...layers: object[]): string =>
  JSON.stringify({ input: [64], layers: [...layers, { kind: 'readout' }] });

describe('models and options', () => {
  test('a model with a mistake', async () => {
    expect(await lineOfModel(modelJson({ kind: 'lstm', units: 3 }))).toContain(
      `model.json: model layer 0: unknown kind "lstm"; expected one of `,
    );
    expect(await lineOfModel(modelJson({ kind: 'dense', units: 10, bias: false }))).toContain(
      `model.json: model layer 0 (dense): unknown option 'bias' (known: units`,
    );
    expect(await lineOfModel(modelJson({ kind: 'dense', units: 3 }))).toContain('has 10 classes');
    expect(await lineOfModel('{')).toContain('model.json: is not sound JSON');
    rmSync(at('model.json'));
    expect(await lineOf(1, 'train', '--data', 'idx:images', '--out', 'new', '--model', 'no.json')).toContain(
      'no.json: cannot read the model',
    );
  });

  test('a value out of range', async () => {
    expect(await lineOf(1, ...train('idx:images', '--mix', '2'))).toContain('train: estimator.mix:');
  });

  test('a loss that is no number', async () => {
    expect(await lineOf(1, ...train('idx:images', '--learning-rate', '1e30'))).toMatch(
      /train: the crossEntropy became NaN at step \d+ \(epoch 1\): .* layer \d .*; lower the learning rate, which is/,
    );
  });
});

describe('usage', () => {
  test.each([
    [['trian'], "unknown command 'trian' (Did you mean train?)"],
    [['train', '--out', 'new'], "required option '--data <kind>' not specified"],
    [['train', '--data', 'mnist'], "required option '--out <folder>' not specified"],
    [['export', 'run'], "required option '--out <file>' not specified"],
    [['inspect'], "missing required argument 'file'"],
    [train('mnist', '--speed', '9'), "unknown option '--speed'"],
    [train('mnist', '--epochs', 'ten'), "'--epochs <count>' argument 'ten' is invalid. Expected a number."],
    [train('mnist', '--engine', 'torch'), 'Expected one of onnx, tfjs.'],
    [train('mnist', '--estimator', 'importanceWeightd'), '(did you mean importanceWeighted?).'],
    [train('mnist', '--penalty', 'membrain'), '(did you mean membrane?).'],
    [train('mnist', '--validation-network', 'noissy'), '(did you mean noisy?).'],
    [train('mnist', '--augment', 'filp'), '(did you mean flip?).'],
    [['serve', 'x.onnx', '--device', 'cpuu'], '(did you mean cpu?).'],
    [['export', 'run', '--out', 'x', '--weights', 'maen'], '(did you mean mean?).'],
    [['verify', 'x.onnx', '--devices', 'cpu,bitz'], "'bitz' is none (did you mean bits?)."],
    [['lab', '--weights', 'mixd'], 'Expected one of'],
    [train('mnist', '--learning-rate', '1:2:3'), 'Expected NUMBER, [linear:|cosine:|exponential:]FROM:TO'],
    [train('mnist', '--optimiser', 'lion'), 'Expected adam[:BETA1[:BETA2[:EPSILON]]] or sgd[:MOMENTUM'],
    [train('mnist', '--model', 'model.json'), "cannot be used with option '--model <file>'"],
  ])('%j', async (args, expected) => {
    expect(await lineOf(2, ...args)).toContain(expected);
  });

  test('nothing at all: the help, as a mistake', async () => {
    const { code, stderr, stdout } = await startCli(built, [], folder).ended;
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('Usage: bitspike');
  });
});

describe('files', () => {
  test('an .onnx that is cut short, none, or of others', async () => {
    writeFileSync(at('short.onnx'), readFileSync(at('network.onnx')).subarray(0, 700));
    expect(await lineOf(1, 'inspect', 'short.onnx')).toContain('short.onnx: not an ONNX model');
    expect(await lineOf(1, 'eval', 'short.onnx', '--data', 'mnist')).toContain(
      'short.onnx: not an ONNX model',
    );
    expect(await lineOf(1, 'inspect', 'none.onnx')).toContain('none.onnx: cannot read the model');
    writeFileSync(at('theirs.onnx'), writeModel(defineOnnxModel(new Graph('theirs'))));
    expect(await lineOf(1, 'inspect', 'theirs.onnx')).toContain('theirs.onnx: not a bitspike model');
    expect(await lineOf(1, 'eval', 'theirs.onnx', '--data', 'mnist')).toContain('not a bitspike model');
  });

  test('a damaged checkpoint: the one before it serves, and without one the line names the file', async () => {
    copy('run', 'hurt');
    const file = at('hurt', 'checkpoint-000010', 'posterior.safetensors');
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.fill(0, 900, 901));
    const ended = await startCli(built, ['export', 'hurt', '--out', 'older.onnx'], folder).ended;
    expect(ended.code).toBe(0);
    expect(ended.stderr).toMatch(
      /^bitspike: warning: hurt\/checkpoint-000010\/.*went back to checkpoint-000005\n$/,
    );
    rmSync(at('hurt', 'checkpoint-000005'), { recursive: true });
    const expected = 'hurt/checkpoint-000010/posterior.safetensors: damaged';
    expect(await lineOf(1, 'export', 'hurt', '--out', 'hurt.onnx')).toContain(expected);
    expect(await lineOf(1, 'train', '--data', 'idx:images', '--out', 'hurt', '--resume')).toContain(expected);
  });

  test('a folder that holds a training, or none', async () => {
    expect(await lineOf(1, 'train', '--data', 'idx:images', '--out', 'run')).toContain(
      'run: already holds a training (checkpoint-000010); add --resume',
    );
    expect(await lineOf(1, 'export', 'images', '--out', 'x.onnx')).toContain('images: holds no checkpoint');
    expect(await lineOf(1, 'train', '--data', 'idx:images', '--out', 'nothing', '--resume')).toContain(
      'nothing: no such folder',
    );
  });

  test('resuming with something else', async () => {
    const resume = ['train', '--data', 'idx:images', '--out', 'run', '--resume'];
    expect(await lineOf(1, ...resume, '--epochs', '3')).toContain('epochs is 3, the training there has 2');
    expect(await lineOf(1, ...resume, '--hidden', '8')).toContain('model layers.0.units is 8');
    expect(await lineOf(1, ...resume, '--limit', '90')).toContain('number of examples');
  });

  test('an output that cannot be written', async () => {
    expect(await lineOf(1, 'export', 'run', '--out', 'images')).toContain('images: is a folder');
    expect(await lineOf(1, 'export', 'run', '--out', 'no/x.onnx')).toContain('there is no folder no');
    expect(await lineOf(1, 'export', 'run', '--out', 'network.onnx/x.onnx')).toContain('cannot be written');
    expect(await lineOf(1, 'train', '--data', 'idx:images', '--out', 'network.onnx/run', ...small)).toContain(
      'nothing can be saved there',
    );
    expect(await lineOf(1, 'demo', '--out', 'network.onnx/digits')).toContain('cannot be made a folder');
  });

  test('a folder to judge that is none of a training, or of other data', async () => {
    expect(await lineOf(1, 'eval', 'images', '--data', 'mnist')).toContain('images: holds no checkpoint');
    expect(await lineOf(1, 'eval', 'nowhere', '--data', 'mnist')).toContain('nowhere: cannot read the model');
    expect(await lineOf(2, 'eval', 'run')).toContain("required option '--data <kind>' not specified");
    expect(await lineOf(1, 'eval', 'run', '--data', 'idx:wide')).toContain(
      'run: does not fit the data idx:wide test: it takes examples of 64, these have 4 × 4',
    );
  });

  test('options of the other thing to judge', async () => {
    expect(await lineOf(1, 'eval', 'run', '--data', 'mnist', '--bins')).toContain(
      '--bins is for an .onnx, and run is a folder',
    );
    expect(await lineOf(1, 'eval', 'network.onnx', '--data', 'mnist', '--temperatures', '1')).toContain(
      '--temperatures is for the folder of a training, and network.onnx is none',
    );
    expect(await lineOf(2, 'eval', 'run', '--data', 'mnist', '--temperatures', '1,0')).toContain(
      'Expected numbers above 0',
    );
  });

  test('recalibrating without data, or data without recalibrating', async () => {
    const exporting = ['export', 'run', '--out', 'x.onnx'];
    expect(await lineOf(1, ...exporting, '--recalibrate')).toContain('--recalibrate needs --data');
    expect(await lineOf(1, ...exporting, '--data', 'idx:images')).toContain('--data is for --recalibrate');
    expect(await lineOf(1, ...exporting, '--recalibrate', '--data', 'idx:no')).toContain(
      'no: cannot be read as a folder',
    );
  });

  test('options of the draw', async () => {
    expect(await lineOf(1, 'export', 'run', '--out', 'x.onnx', '--weights', 'sample')).toContain(
      'needs --seed',
    );
    expect(await lineOf(1, 'export', 'run', '--out', 'x.onnx', '--seed', '3')).toContain('--weights sample');
  });
});

/** Runs a command whose files may hold so many blocks of 512 bytes; what goes past them fails, as on a full disk. */
function lineWithin(blocks: number, ...args: string[]): string {
  const limited = `trap '' XFSZ; ulimit -f ${blocks}; exec "$@"`;
  const command = [process.execPath, join(built, 'dist', 'cli', 'main.js'), ...args];
  const { status, stderr } = spawnSync('/bin/sh', ['-c', limited, 'sh', ...command], {
    cwd: folder,
    encoding: 'utf8',
  });
  expect(stderr).toMatch(/^bitspike: [^\n]+\n$/);
  expect(status).toBe(1);
  return stderr;
}

describe.runIf(process.platform !== 'win32')('a disk that takes no more', () => {
  test.each([
    [['export', 'run', '--out', 'network.onnx'], 'network.onnx: cannot be written: EFBIG'],
    [['report', 'run', '--out', 'page.html'], 'page.html: cannot be written: EFBIG'],
    [['init', 'new.json'], 'new.json: cannot be written: EFBIG'],
    [['verify', 'network.onnx', '--inputs', '5', '--devices', 'bits'], 'cannot be written: EFBIG'],
  ])('%j: one line, and earlier files as they were', (args, expected) => {
    const before = filesIn(folder);
    expect(lineWithin(1, ...args)).toContain(expected);
    expect(filesIn(folder)).toEqual(before);
  });

  test('a training says which checkpoint is not saved, and can be resumed', async () => {
    const options = ['--hidden', '300', '--epochs', '1', '--batch-size', '20', '--threads', '1'];
    const args = ['train', '--data', 'idx:images', '--out', 'full', ...options];
    expect(lineWithin(64, ...args)).toContain('full: checkpoint-000005 not saved, EFBIG');
    expect(filesIn(at('full')).size).toBeLessThan(2);
    expect((await startCli(built, args, folder).ended).code).toBe(0);
  });
});
