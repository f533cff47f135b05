import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { freeze, toOnnx } from '../export/index.ts';
import {
  decodePosterior,
  encodePosterior,
  loadCheckpoint,
  loadPosterior,
  saveCheckpoint,
  savePosterior,
} from '../schemas/checkpoint/index.ts';
import { defineModel, dense, type Posterior } from '../schemas/index.ts';
import { readSafetensors, writeSafetensors } from '../schemas/safetensors.ts';
import { resumeTraining, train, trainInFolder } from '../train/index.ts';
import { networkFor, noiseData } from './support/data.ts';
import { lineOf } from './support/error-line.ts';

const COUNT = 96;

const data = noiseData(COUNT);
const model = networkFor(data, 8);

/** Two epochs of six steps. */
const options = { epochs: 2, batchSize: 16, seed: 4, divergenceWeight: 0.1, threads: 1 } as const;

let root: string;
let run: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'bitspike-run-'));
});
beforeEach(() => {
  run = join(mkdtempSync(join(root, 'run-')), 'digits');
});
afterAll(() => {
  rmSync(root, { recursive: true });
});

/** Trains until so many steps are done, and is then stopped. */
async function trainAndStop(folder: string, step: number): Promise<void> {
  const controller = new AbortController();
  const reason = new Error('stopped by the test');
  const stopped = trainInFolder(folder, model, data, {
    ...options,
    signal: controller.signal,
    onProgress: (progress) => {
      if (progress.step === step) controller.abort(reason);
    },
  });
  await expect(stopped).rejects.toBe(reason);
}

describe('stopping and going on', () => {
  test('a checkpoint at the end of every epoch', async () => {
    const posterior = await trainInFolder(run, model, data, options);
    expect(readdirSync(run).sort()).toEqual(['checkpoint-000006', 'checkpoint-000012', 'history.jsonl']);
    expect(await loadPosterior(run)).toEqual(posterior);
    expect(posterior).toEqual(await train(model, data, options));
  });

  test.each([1, 4, 6, 9])('stopped after step %i of 12, it ends at the same bytes', async (step) => {
    const straight = await trainInFolder(join(root, `straight ${step}`), model, data, options);
    await trainAndStop(run, step);
    expect((await loadCheckpoint(run)).step).toBe(step);
    const resumed = await resumeTraining(run, data, { threads: 2 });

    const { files } = await loadCheckpoint(run);
    expect(files).toEqual((await loadCheckpoint(join(root, `straight ${step}`))).files);
    expect(Object.keys(files).sort()).toEqual([
      'model.json',
      'optimiser.safetensors',
      'posterior.safetensors',
    ]);
    expect(toOnnx(freeze(resumed))).toEqual(toOnnx(freeze(straight)));
  });

  test('what is given on resuming has to agree', async () => {
    await trainAndStop(run, 3);
    await resumeTraining(run, data, { ...options, model });
    expect(await lineOf(() => resumeTraining(run, data, { learningRate: 0.1 }))).toContain(
      'learningRate is 0.1, the training there has {"shape":"cosine","from":0.05,"to":0.001,"start":0,"end":1}',
    );
    expect(
      await lineOf(() => resumeTraining(run, data, { optimiser: { kind: 'adam', beta1: 0.5 } })),
    ).toContain('optimiser.beta1 is 0.5');
    expect(await lineOf(() => resumeTraining(run, data, { optimiser: { kind: 'sgd' } }))).toContain(
      'optimiser.kind is "sgd", the training there has "adam"; give the same',
    );
    const wider = defineModel({ ...model, layers: [dense({ units: 9 }), ...model.layers.slice(1)] });
    expect(await lineOf(() => resumeTraining(run, data, { model: wider }))).toContain(
      'model layers.0.units is 9, the training there has 8',
    );
    const changed = { ...data, inputs: data.inputs.map((byte, at) => (at === 5 ? byte ^ 1 : byte)) };
    expect(await lineOf(() => resumeTraining(run, changed))).toContain('noise holds other examples');
  });

  test('a folder that holds a training is not written over', async () => {
    await trainAndStop(run, 2);
    expect(await lineOf(() => trainInFolder(run, model, data, options))).toContain(
      'already holds a training (checkpoint-000002)',
    );
  });

  test('what cannot be trained leaves no folder', async () => {
    const attempt = () => trainInFolder(run, model, data, { ...options, batchSize: 1000 });
    expect(await lineOf(attempt)).toContain('fewer than batchSize 1000');
    expect(existsSync(run)).toBe(false);
  });
});

const lineOfFiles = (files: Record<string, Uint8Array>): Promise<string> =>
  lineOf(() => decodePosterior(files, 'here'));

describe('a posterior in files', () => {
  let posterior: Posterior;
  let files: Record<string, Uint8Array>;
  beforeAll(async () => {
    posterior = await train(model, data, { ...options, epochs: 1 });
    files = encodePosterior(posterior);
  });

  const described = (change: (description: Record<string, unknown>) => void): Record<string, Uint8Array> => {
    const description = JSON.parse(Buffer.from(files['model.json'] ?? []).toString()) as Record<
      string,
      unknown
    >;
    change(description);
    return { ...files, 'model.json': Buffer.from(JSON.stringify(description)) };
  };

  test('comes back the same, and alone where it has no training', async () => {
    expect(decodePosterior(files, 'here')).toEqual({ posterior });
    await savePosterior(run, posterior);
    expect(await loadPosterior(run)).toEqual(posterior);
    expect(await lineOf(() => resumeTraining(run, data))).toContain('holds a posterior without its training');
  });

  test('a description that is wrong is refused with its place', async () => {
    const wrong = (change: (description: Record<string, unknown>) => void) => lineOfFiles(described(change));
    expect(await wrong((it) => Object.assign(it, { colour: 'red' }))).toContain(
      "here/model.json: unknown option 'colour'",
    );
    expect(await wrong((it) => Object.assign(it, { version: 2 }))).toContain('here/model.json: version');
    expect(await wrong((it) => Object.assign(it, { model: 3 }))).toContain('here/model.json: model:');
    expect(await wrong((it) => Object.assign(it, { classNames: ['a'] }))).toContain(
      'has 1 classNames; its model has 3 outputs',
    );
    expect(await lineOfFiles({ ...files, 'model.json': Buffer.from('[') })).toContain('is not sound JSON');
    const { 'model.json': _, ...others } = files;
    expect(await lineOfFiles(others)).toContain('here/model.json: missing');
  });

  test('tensors that do not fit are refused with their names', async () => {
    const { tensors } = readSafetensors(files['posterior.safetensors'] ?? new Uint8Array(), 'here');
    const changed = (name: string, data?: Float32Array<ArrayBuffer>) => {
      const all = Object.fromEntries(tensors);
      delete all[name];
      if (data) all[name] = { dtype: 'F32', shape: [data.length], data };
      return lineOfFiles({ ...files, 'posterior.safetensors': writeSafetensors(all) });
    };
    const gain = '0.dense.gain.value';
    expect(await changed(gain)).toContain(`here/posterior.safetensors: the tensor ${gain} is missing`);
    expect(await changed(gain, new Float32Array(8).fill(Number.NaN))).toContain(`${gain} holds NaN`);
    expect(await changed(gain, new Float32Array(7))).toContain(`${gain} has the shape [7]`);
    expect(await changed('9.dense', new Float32Array(7))).toContain('9.dense belongs to no layer');
  });

  test('an optimiser that does not fit is refused', async () => {
    await trainAndStop(run, 2);
    const { files: saved, step } = await loadCheckpoint(run);
    const empty = { ...saved, 'optimiser.safetensors': writeSafetensors({}) };
    await saveCheckpoint(run, step + 1, empty);
    expect(await lineOf(() => resumeTraining(run, data))).toMatch(
      /checkpoint-000003.optimiser\.safetensors: 0\.dense\.weight\.lambda\.adam\.first is missing/,
    );
  });
});
