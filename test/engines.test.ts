import { createRequire } from 'node:module';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeEach, describe, expect, test } from 'vitest';
import { defineModel, dense, readout } from '../schemas/index.ts';
import type { LearnedTensor } from '../schemas/posterior.ts';
import { Random } from '../schemas/random.ts';
import { useBackend } from '../train/engine/backends.ts';
import type { Engine, PreparedStep, State } from '../train/engine/engine.ts';
import { registerGradients } from '../train/engine/gradients.ts';
import { onnxEngine } from '../train/engine/onnx.ts';
import { tfjsEngine } from '../train/engine/tfjs.ts';
import { kernels } from '../train/engine/trace/kernels/index.ts';
import { estimators, importanceWeighted, train } from '../train/index.ts';
import { initialPosterior } from '../train/posterior.ts';
import type { StepFunction } from '../train/step.ts';
import { stepOf } from '../train/train.ts';
import { trainingOptionsSchema } from '../train/options.ts';
import { networkFor, patternData } from './support/data.ts';
import { lineOf } from './support/error-line.ts';
import { gaussians, numbersOf, relativeDifference } from './support/numbers.ts';
import { type Choices, randomFeeds, scalarsAt, smallState, smallStep } from './support/training.ts';

interface Candidate {
  readonly name: string;
  readonly engine: Engine;
  /** The backend of tfjs that it computes on. */
  readonly backend?: string;
}

const eager = (backend: string): Candidate => ({
  name: `tfjs ${backend}`,
  engine: tfjsEngine(backend),
  backend,
});

const reference = eager('cpu');
const candidates: readonly Candidate[] = [
  { name: 'onnx', engine: onnxEngine({ threads: 1 }) },
  reference,
  eager('wasm'),
  eager('tensorflow'),
];

const isInstalled = (name: string): boolean => {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
};

const absent: Readonly<Record<string, string>> = isInstalled('@tensorflow/tfjs-node')
  ? {}
  : {
      tensorflow: '@tensorflow/tfjs-node is not installed; node bench/peers/tfjs-node.mjs sets it up',
    };

/** Skips the tests of a candidate that cannot run here, and says why. */
const skipWhereAbsent = ({ backend = '' }: Candidate): void =>
  beforeEach(({ skip }) => {
    const reason = absent[backend];
    if (reason !== undefined) skip(reason);
  });

/** The tensors of a state that differ by more than the tolerance from those expected, with their differences. */
function apart(actual: State, expected: State, tolerance: number): Record<string, number> {
  expect(Object.keys(actual).toSorted()).toEqual(Object.keys(expected).toSorted());
  const found: Record<string, number> = {};
  for (const [name, { shape, data }] of Object.entries(expected)) {
    expect(actual[name]!.shape).toEqual(shape);
    const difference = relativeDifference(actual[name]!.data, data);
    if (!(difference < tolerance)) found[name] = difference;
  }
  return found;
}

/** Runs a step on the feeds of step 1, 2, …; returns what it reports. */
async function runOn(prepared: PreparedStep, step: StepFunction, index: number): Promise<number[]> {
  for (const [name, data] of Object.entries(randomFeeds(step, index, scalarsAt(index)))) {
    prepared.feeds[name]!.set(data);
  }
  return Object.values(await prepared.run());
}

/** Prepares a step, does something with it and closes it. */
async function using<Result>(
  { engine }: Candidate,
  step: StepFunction,
  state: State,
  reports: readonly string[],
  act: (prepared: PreparedStep) => Promise<Result>,
): Promise<Result> {
  const prepared = await engine.prepare(step, state, reports);
  try {
    return await act(prepared);
  } finally {
    await prepared.close();
  }
}

/** Three steps, each on feeds of its own: their reports and the state that they leave. */
const threeSteps = (candidate: Candidate, step: StepFunction, state: State, reports: readonly string[]) =>
  using(candidate, step, state, reports, async (prepared) => {
    const reported: number[] = [];
    for (const index of [1, 2, 3]) reported.push(...(await runOn(prepared, step, index)));
    return { reported, state: await prepared.state() };
  });

const changed = (state: State, name: string, index: number, by: number): State => {
  const { shape, data } = state[name] as LearnedTensor;
  return { ...state, [name]: { shape, data: data.with(index, data[index]! + by) } };
};

describe('every engine', () => {
  describe.each(candidates)('$name', (candidate) => {
    skipWhereAbsent(candidate);
    const step = smallStep();

    test('begins with the state it is given, and hands out copies of it', async () => {
      await using(candidate, step, smallState(), ['loss'], async (prepared) => {
        const first = await prepared.state();
        expect(first).toEqual(smallState());
        for (const { data } of Object.values(first)) data.fill(7);
        expect(await prepared.state()).toEqual(smallState());
      });
    });

    test('leaves the state that it was given alone', async () => {
      const given = smallState();
      const { state } = await threeSteps(candidate, step, given, []);
      expect(given).toEqual(smallState());
      for (const [name, { data }] of Object.entries(state)) expect(data).not.toEqual(given[name]!.data);
    });

    test('reports what is asked for and no more', async () => {
      for (const names of [[], ['loss'], ['crossEntropy', 'loss']]) {
        const reports = await using(candidate, step, smallState(), names, async (prepared) => {
          for (const [name, data] of Object.entries(randomFeeds(step, 1))) prepared.feeds[name]!.set(data);
          return prepared.run();
        });
        expect(Object.keys(reports).toSorted()).toEqual(names.toSorted());
      }
    });

    test('has gradients that are the slopes of its own loss', async () => {
      // Without neurons the loss is smooth. Adam keeps M ← β₁ M + g, which is g after one step.
      const model = defineModel({ input: [3], layers: [dense({ units: 2 }), readout()] });
      const linear = stepOf(model, trainingOptionsSchema.parse({ batchSize: 4 }));
      const learned = initialPosterior(model, { spread: 0.5, biasRho: -1, inputPower: 1, seed: 5 });
      const start: Record<string, LearnedTensor> = {};
      for (const [name, shape] of Object.entries(linear.state)) {
        start[name] = learned[name] ?? { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) };
      }
      const lossAt = (state: State) =>
        using(candidate, linear, state, ['loss'], async (prepared) => (await runOn(prepared, linear, 1))[0]!);
      const after = await using(candidate, linear, start, ['loss'], async (prepared) => {
        await runOn(prepared, linear, 1);
        return prepared.state();
      });
      const gradients: Record<string, LearnedTensor> = {};
      const expected: Record<string, LearnedTensor> = {};
      for (const [name, shape] of Object.entries(linear.learned)) {
        const slopes: number[] = [];
        for (const index of start[name]!.data.keys()) {
          const above = await lossAt(changed(start, name, index, 0.01));
          const below = await lossAt(changed(start, name, index, -0.01));
          slopes.push((above - below) / 0.02);
        }
        expect(Math.max(...slopes.map(Math.abs))).toBeGreaterThan(1e-3);
        gradients[name] = after[`${name}.adam.first`]!;
        expected[name] = { shape, data: Float32Array.from(slopes) };
      }
      expect(apart(gradients, expected, 5e-3)).toEqual({});
    });

    test('keeps two steps apart, whatever else computes in between', async () => {
      const other = smallStep({ divergence: true });
      const alone = await threeSteps(candidate, step, smallState(), ['loss']);
      const reported: number[] = [];
      const state = await using(candidate, step, smallState(), ['loss'], (prepared) =>
        using(candidate, other, smallState(), ['loss'], async (beside) => {
          for (const index of [1, 2, 3]) {
            await runOn(beside, other, index + 1);
            await threeSteps(reference, other, smallState(), []);
            reported.push(...(await runOn(prepared, step, index)));
          }
          await threeSteps(reference, other, smallState(), []);
          return prepared.state();
        }),
      );
      expect({ reported, state }).toEqual(alone);
    });

    test('leaves no tensor of tfjs behind', async () => {
      if (candidate.backend) await useBackend(candidate.backend);
      const before = tf.memory().numTensors;
      await using(candidate, step, smallState(), ['loss'], async (prepared) => {
        await runOn(prepared, step, 1);
        const during = tf.memory().numTensors;
        await runOn(prepared, step, 2);
        await prepared.state();
        expect(tf.memory().numTensors).toBe(during);
      });
      expect(tf.memory().numTensors).toBe(before);
    });
  });
});

const gaussian = (scale: 'layer' | 'channel' | 'weight') =>
  ({ family: 'gaussian', scale, prior: 1 }) as const;

const settings: readonly (Choices & { readonly name: string })[] = [
  ...Object.entries(estimators).map(([name, make]) => ({ name, estimator: make() })),
  { name: 'importance weights of a mix', estimator: importanceWeighted({ mix: 0.5 }) },
  { name: 'divergence', divergence: true },
  { name: 'membrane penalty', penalty: 'membrane' },
  { name: 'bias penalty, cooled and annealed', penalty: 'bias', cooling: true, annealing: true },
  ...(['layer', 'channel', 'weight'] as const).map((scale) => ({
    name: `Gaussian by ${scale}`,
    posterior: gaussian(scale),
    divergence: true,
  })),
];

describe('three steps leave the state, and report the losses, that they do on the tfjs backend cpu', () => {
  describe.each(candidates.filter((candidate) => candidate !== reference))('$name', (candidate) => {
    skipWhereAbsent(candidate);

    test.each(settings)('$name', async (setting) => {
      const step = smallStep(setting);
      const reports = [
        'loss',
        'crossEntropy',
        ...(setting.divergence ? ['divergence'] : []),
        ...(setting.penalty ? ['penalty'] : []),
      ];
      const state = smallState(setting.posterior);
      const expected = await threeSteps(reference, step, state, reports);
      const actual = await threeSteps(candidate, step, state, reports);
      expect(relativeDifference(actual.reported, expected.reported)).toBeLessThan(1e-5);
      // Sums that nearly cancel leave rounding in a gradient, and the second moment squares it.
      expect(apart(actual.state, expected.state, 1e-4)).toEqual({});
    });

    test('through a whole training', async () => {
      const data = patternData(96);
      const run = (given: Candidate) =>
        train(networkFor(data, 12), data, {
          epochs: 2,
          batchSize: 24,
          estimator: importanceWeighted({ mix: 0.5 }),
          divergenceWeight: 0.1,
          ...(given.backend ? { engine: 'tfjs', backend: given.backend } : { threads: 1 }),
        });
      const [expected, actual] = [await run(reference), await run(candidate)];
      expect(apart(actual.learned, expected.learned, 1e-3)).toEqual({});
    });
  });
});

/** The kernels that a backend has. */
const kernelsOf = (backend: string): Set<string> =>
  new Set(tf.getKernelsForBackend(backend).map(({ kernelName }) => kernelName));

const lineOfPreparing = (backend: string, threads?: number): Promise<string> =>
  lineOf(() =>
    tfjsEngine(backend, threads === undefined ? {} : { threads }).prepare(smallStep(), smallState(), []),
  );

describe('a backend of tfjs', () => {
  describe.each(candidates.filter(({ backend }) => backend !== undefined))('$name', (candidate) => {
    skipWhereAbsent(candidate);

    test('has every kernel of tfjs that a traced step may use', async () => {
      await useBackend(candidate.backend!);
      const [has, tfjs] = [kernelsOf(candidate.backend!), kernelsOf('cpu')];
      const used = Object.keys(kernels).filter((kernel) => tfjs.has(kernel));
      expect(used.length).toBeGreaterThan(20);
      expect(used.filter((kernel) => !has.has(kernel))).toEqual([]);
    });

    test.each([
      ['same', 1],
      ['same', 2],
      ['valid', 2],
    ] as const)('has the gradient of a convolution by its filter: %s, stride %i', async (pad, stride) => {
      const random = Random.fromSeed(1, 'planes');
      const [x, filter] = [gaussians(2 * 7 * 6 * 3, random), gaussians(3 * 2 * 3 * 4, random)];
      const gradientOn = async (backend: string): Promise<number[]> => {
        await useBackend(backend);
        registerGradients();
        return numbersOf(() => {
          const plane = tf.tensor4d(x, [2, 7, 6, 3]);
          return tf.grad((given) => tf.sum(tf.square(tf.conv2d(plane, given as tf.Tensor4D, stride, pad))))(
            tf.tensor4d(filter, [3, 2, 3, 4]),
          );
        });
      };
      expect(relativeDifference(await gradientOn(candidate.backend!), await gradientOn('cpu'))).toBeLessThan(
        1e-5,
      );
    });
  });

  test.each(['cpu', 'wasm'])('%s computes on one thread, and says so', async (backend) => {
    const prepared = await tfjsEngine(backend, { threads: 1 }).prepare(smallStep(), smallState(), []);
    await prepared.close();
    expect(await lineOfPreparing(backend, 2)).toBe(
      `threads is 2, but the tfjs backend '${backend}' computes on one; leave threads out, or take engine 'onnx'`,
    );
  });

  test('tensorflow keeps the threads it was loaded with', async ({ skip }) => {
    if (absent.tensorflow !== undefined) skip(absent.tensorflow);
    await useBackend('tensorflow');
    expect(await lineOfPreparing('tensorflow', 3)).toMatch(
      /^threads is 3, but the tfjs backend 'tensorflow' was loaded in this process with as many as it likes and keeps them;/,
    );
  });

  test('that does not exist is refused in one line', async () => {
    expect(await lineOfPreparing('abacus')).toMatch(
      /^unknown tfjs backend 'abacus'; expected one of cpu, wasm, /,
    );
    expect(await lineOfPreparing('toString')).toMatch(/^unknown tfjs backend 'toString'; expected one of /);
  });

  test.skipIf(isInstalled('@tensorflow/tfjs-backend-webgl'))(
    'that is not installed names its package',
    async () => {
      expect(await lineOfPreparing('webgl')).toMatch(
        /^the tfjs backend 'webgl' needs the package @tensorflow\/tfjs-backend-webgl: npm install @tensorflow\/tfjs-backend-webgl /,
      );
    },
  );
});
