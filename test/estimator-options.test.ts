import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, describe, expect, test } from 'vitest';
import { estimatorSettings } from '../cli/estimator-options.ts';
import { type Posterior } from '../schemas/index.ts';
import {
  analyticalGumbelRao,
  type Estimator,
  estimators,
  importanceWeighted,
  loadTraining,
  resumeTraining,
  straightThrough,
  surrogate,
  train,
  trainInFolder,
  type TrainingSettings,
  trainingOptionsSchema,
} from '../train/index.ts';
import type { TrainingState } from '../train/progress.ts';
import { lineOf } from './support/error-line.ts';
import { relativeDifference } from './support/numbers.ts';
import { networkFor, noiseData } from './support/data.ts';

const COUNT = 64;

const data = noiseData(COUNT);
const model = networkFor(data, 8);

/** Two epochs of four steps. */
const options = { epochs: 2, batchSize: 16, seed: 4, threads: 1 } as const;

const learn = (settings: TrainingSettings = {}): Promise<Posterior> =>
  train(model, data, { ...options, ...settings });

/** Straight-through with a slope of one's own. */
const box: Estimator = {
  name: 'box',
  options: { width: 2 },
  noise: 'logistic',
  spike: tf.customGrad((...given) => {
    const [drive, deviation, noise, save] = given as unknown as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.GradSaveFunc,
    ];
    save([drive]);
    return {
      value: tf.cast(tf.greater(tf.add(drive, tf.mul(deviation, noise)), 0), 'float32'),
      gradFunc: (gradient: tf.Tensor, saved: tf.Tensor[]) => {
        const [u] = saved as [tf.Tensor];
        const inside = tf.cast(tf.less(tf.abs(u), 1), 'float32');
        return [tf.mul(gradient, tf.mul(inside, 0.5)), tf.zerosLike(u), tf.zerosLike(u)];
      },
    };
  }),
};

const root = mkdtempSync(join(tmpdir(), 'bitspike-estimator-'));
afterAll(() => {
  rmSync(root, { recursive: true });
});

const numbersOf = ({ learned }: Posterior): number[] =>
  Object.values(learned).flatMap((tensor) => Array.from(tensor.data));

const plainOf = (estimator?: TrainingSettings['estimator']): unknown =>
  trainingOptionsSchema.parse({ estimator }).estimator;

describe('an estimator is chosen', () => {
  test('as plain data, or as an estimator, which becomes plain data', () => {
    const standard = { kind: 'importanceWeighted', mix: 0, noise: 'gaussian' };
    expect(plainOf()).toEqual(standard);
    expect(plainOf(importanceWeighted())).toEqual(standard);
    expect(plainOf({ kind: 'importanceWeighted' })).toEqual(standard);
    expect(plainOf({ kind: 'analyticalGumbelRao', temperature: 0.5 })).toEqual(
      plainOf(analyticalGumbelRao({ temperature: 0.5 })),
    );
    expect(plainOf(surrogate({ shape: 'triangle' }))).toEqual({
      kind: 'surrogate',
      shape: 'triangle',
      width: 0.4,
    });
    expect(plainOf(box)).toEqual({ kind: 'own', name: 'box', options: { width: 2 }, noise: 'logistic' });
    // Its name alone does not make it the library's.
    expect(plainOf({ ...straightThrough(), spike: box.spike })).toMatchObject({ kind: 'own' });
  });

  test('as an object as well as by its data, to the same bits', async () => {
    const byData = await learn({ estimator: { kind: 'importanceWeighted', mix: 0.5 } });
    const byObject = await learn({ estimator: importanceWeighted({ mix: 0.5 }) });
    expect(byObject.learned).toEqual(byData.learned);
  });

  test.each(Object.keys(estimators))('%s gives the same bits from the same seed', async (kind) => {
    const estimator = { kind } as TrainingSettings['estimator'];
    const posterior = await learn({ estimator });
    expect((await learn({ estimator })).learned).toEqual(posterior.learned);
    expect((await learn({ estimator, seed: 5 })).learned).not.toEqual(posterior.learned);
    const usual = relativeDifference(numbersOf(posterior), numbersOf(await learn())) === 0;
    expect(usual).toBe(['straightThrough', 'importanceWeighted'].includes(kind));
  });

  test('stopped with logistic noise, it ends at the same bits', async () => {
    const estimator = analyticalGumbelRao({ temperature: 0.5 });
    const states: TrainingState[] = [];
    const whole = await train(model, data, {
      ...options,
      estimator,
      onState: async (state) => {
        states.push(state);
      },
    });
    const resumed = await train(model, data, { ...options, estimator, resume: states[0] });
    expect(states[0]!.step).toBe(4);
    expect(resumed.learned).toEqual(whole.learned);
  });
});

describe('an estimator of one’s own', () => {
  test('trains, and resumes only where it is passed again', async () => {
    const run = join(root, 'own');
    const controller = new AbortController();
    const reason = new Error('stopped by the test');
    const stopped = trainInFolder(run, model, data, {
      ...options,
      estimator: box,
      signal: controller.signal,
      onProgress: ({ step }) => {
        if (step === 3) controller.abort(reason);
      },
    });
    await expect(stopped).rejects.toBe(reason);
    expect((await loadTraining(run)).options.estimator).toEqual({
      kind: 'own',
      name: 'box',
      options: { width: 2 },
      noise: 'logistic',
    });

    expect(await lineOf(() => resumeTraining(run, data))).toBe(
      "train: the estimator 'box' is your own, and its code is in no file; pass the same one again as estimator",
    );
    expect(await lineOf(() => resumeTraining(run, data, { estimator: straightThrough() }))).toContain(
      'cannot resume: estimator.kind is "straightThrough", the training there has "own"',
    );
    const wide = { ...box, options: { width: 3 } };
    expect(await lineOf(() => resumeTraining(run, data, { estimator: wide }))).toContain(
      'cannot resume: estimator.options.width is 3, the training there has 2',
    );
    const resumed = await resumeTraining(run, data, { estimator: box, threads: 1 });
    expect(resumed.learned).toEqual((await learn({ estimator: box })).learned);
  });

  test('a run folder makes one of the library again by itself', async () => {
    const run = join(root, 'library');
    const posterior = await trainInFolder(run, model, data, {
      ...options,
      estimator: surrogate({ shape: 'arctangent' }),
    });
    expect((await resumeTraining(run, data)).learned).toEqual(posterior.learned);
  });
});

describe('what does not fit is refused in one line', () => {
  test.each([
    [{ kind: 'reinforce' }, /^train: estimator\.kind: .*straightThrough.*surrogate/],
    [{ kind: 'straightThrough', mix: 1 }, /^train: unknown option 'mix' in estimator/],
    [{ kind: 'importanceWeighted', mix: 2 }, /^train: estimator\.mix: /],
    [{ kind: 'analyticalGumbelRao', temperature: 0 }, /^train: estimator\.temperature: /],
    [{ kind: 'surrogate', shape: 'box' }, /^train: estimator\.shape: /],
    ['straightThrough', /^train: estimator: /],
    [{ ...box, noise: 'cauchy' }, /^train: estimator\.noise: /],
    [{ ...box, name: '' }, /^train: estimator\.name: /],
  ])('%o', async (estimator, line) => {
    expect(await lineOf(() => learn({ estimator } as TrainingSettings))).toMatch(line);
  });
});

describe('on the command line', () => {
  test('only what was given decides', () => {
    expect(estimatorSettings({ epochs: 3 })).toEqual({});
    expect(estimatorSettings({ mix: 0.5 })).toEqual({ estimator: { kind: 'importanceWeighted', mix: 0.5 } });
    expect(
      estimatorSettings({ estimator: 'surrogate', surrogateShape: 'triangle', surrogateWidth: 1 }),
    ).toEqual({ estimator: { kind: 'surrogate', shape: 'triangle', width: 1 } });
    expect(estimatorSettings({ estimator: 'gumbelSoftmax', estimatorTemperature: 0.5 })).toEqual({
      estimator: { kind: 'gumbelSoftmax', temperature: 0.5 },
    });
  });

  test('a flag that the estimator does not have is refused', async () => {
    expect(await lineOf(() => estimatorSettings({ estimator: 'surrogate', mix: 0.5 }))).toBe(
      '--mix is not for the estimator surrogate; leave it out or choose --estimator importanceWeighted',
    );
    expect(await lineOf(() => estimatorSettings({ estimatorTemperature: 1 }))).toBe(
      '--estimator-temperature is not for the estimator importanceWeighted; leave it out or choose ' +
        '--estimator analyticalGumbelRao or gumbelSoftmax or straightThroughGumbelSoftmax',
    );
  });
});
