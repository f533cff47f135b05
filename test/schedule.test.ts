import { describe, expect, test } from 'vitest';
import { Command } from 'commander';
import { optimiser } from '../cli/optimiser-option.ts';
import { scheduleReader } from '../cli/schedule.ts';
import { addTraining, settingsOf } from '../cli/training-options.ts';
import { checkOptions } from '../schemas/layer.ts';
import { learningRates, rateGroupsOf } from '../train/rates.ts';
import {
  isAlways,
  isZero,
  nonNegativeScheduleSchema,
  positiveScheduleSchema,
  type Schedule,
  scheduled,
  scheduleSchema,
} from '../train/schedule.ts';
import { lineOf } from './support/error-line.ts';
import { smallModel } from './support/training.ts';

const at = (given: unknown, ...parts: number[]): number[] => {
  const schedule = scheduleSchema.parse(given);
  return parts.map((progress) => scheduled(schedule, progress));
};

const near = (numbers: readonly number[]): number[] =>
  numbers.map((number) => expect.closeTo(number, 12) as number);

const always = (given: unknown, value: number): boolean => isAlways(scheduleSchema.parse(given), value);
const accepted = (given: unknown): boolean => nonNegativeScheduleSchema.safeParse(given).success;
const positive = (given: unknown): boolean => positiveScheduleSchema.safeParse(given).success;

const lineOfSchedule = (given: unknown): Promise<string> =>
  lineOf(async () => checkOptions(scheduleSchema, given, 'here'));

describe('schedules', () => {
  const way = { from: 2, to: 6, start: 0.2, end: 0.6 } as const;

  test('a constant', () => {
    expect(at(0.3, 0, 0.5, 1)).toEqual([0.3, 0.3, 0.3]);
    expect(at({ shape: 'constant', value: 0.3 }, 0, 0.5, 1)).toEqual([0.3, 0.3, 0.3]);
  });

  test.each([
    ['linear', 3, 4],
    ['cosine', 2 + 4 * (0.5 - 0.25 * Math.SQRT2), 4],
    ['exponential', 2 * 3 ** 0.25, 2 * 3 ** 0.5],
  ] as const)('a %s way', (shape, quarter, half) => {
    expect(at({ shape, ...way }, 0, 0.1, 0.2, 0.6, 0.9, 1)).toEqual([2, 2, 2, 6, 6, 6]);
    expect(at({ shape, ...way }, 0.3, 0.4)).toEqual(near([quarter, half]));
  });

  test('a way takes the whole training unless it says otherwise', () => {
    expect(at({ shape: 'linear', from: 1, to: 0 }, 0, 0.5, 1)).toEqual([1, 0.5, 0]);
  });

  test('a step is multiplied at each of its parts, from there on', () => {
    const step = { shape: 'step', from: 0.05, factor: 0.1, at: [0.5, 0.75] };
    expect(at(step, 0, 0.499, 0.5, 0.749, 0.75, 1)).toEqual(near([0.05, 0.05, 0.005, 0.005, 0.0005, 0.0005]));
  });

  describe('with a warm-up', () => {
    test('rise from 0, or from a part, to where they begin', () => {
      expect(at({ shape: 'constant', value: 8, warmUp: 0.2 }, 0, 0.05, 0.1, 0.2, 1)).toEqual(
        near([0, 2, 4, 8, 8]),
      );
      expect(at({ shape: 'constant', value: 8, warmUp: { over: 0.2, from: 0.5 } }, 0, 0.1, 0.2)).toEqual(
        near([4, 6, 8]),
      );
    });

    test('begin their way where the warm-up ends, or later', () => {
      const linear = { shape: 'linear', from: 8, to: 0, warmUp: 0.2 };
      expect(at(linear, 0.1, 0.2, 0.6, 1)).toEqual(near([4, 8, 4, 0]));
      expect(at({ ...linear, start: 0.6 }, 0.1, 0.2, 0.6, 0.8, 1)).toEqual(near([4, 8, 8, 4, 0]));
      expect(at({ ...linear, shape: 'cosine' }, 0.1, 0.2, 0.6, 1)).toEqual(near([4, 8, 4, 0]));
      const step = { shape: 'step', from: 8, factor: 0.5, at: [0.5], warmUp: 0.2 };
      expect(at(step, 0.1, 0.2, 0.5)).toEqual(near([4, 8, 4]));
    });
  });

  test('which are one number throughout', () => {
    expect([0, 1e-9].map(isZero)).toEqual([true, false]);
    expect(always({ shape: 'linear', ...way, from: 0, to: 0 }, 0)).toBe(true);
    expect(always({ shape: 'linear', ...way, from: 0 }, 0)).toBe(false);
    expect(always({ shape: 'linear', ...way, to: 2 }, 2)).toBe(true);
    expect(always({ shape: 'linear', ...way, to: 2, warmUp: 0.1 }, 2)).toBe(false);
    expect(always({ shape: 'constant', value: 1 }, 1)).toBe(true);
    expect(always({ shape: 'constant', value: 0, warmUp: 0.1 }, 0)).toBe(true);
    expect(always({ shape: 'step', from: 1, factor: 1, at: [0.5] }, 1)).toBe(true);
    expect(always({ shape: 'step', from: 1, factor: 0.5, at: [0.5] }, 1)).toBe(false);
  });

  test('which never reach 0', () => {
    expect([1, 0, -1].map(positive)).toEqual([true, false, false]);
    expect(positive({ shape: 'step', from: 1, factor: 0.5, at: [0.5] })).toBe(true);
    expect(positive({ shape: 'constant', value: 1, warmUp: 0.1 })).toBe(false);
    expect(positive({ shape: 'constant', value: 1, warmUp: { over: 0.1, from: 0.1 } })).toBe(true);
  });

  test('which never fall below 0', () => {
    expect([1, 0, -1].map(accepted)).toEqual([true, true, false]);
    expect(accepted({ shape: 'linear', from: 1, to: 0, warmUp: 0.1 })).toBe(true);
    expect(accepted({ shape: 'linear', from: 1, to: -0.1 })).toBe(false);
  });

  test.each([
    [{ shape: 'linear', from: 1, to: 0, start: 0.5, end: 0.5 }, 'here: expected start < end'],
    [
      { shape: 'linear', from: 1, to: 0, end: 0.5, warmUp: 0.5 },
      'here: expected a warmUp that ends before end',
    ],
    [{ shape: 'exponential', from: 1, to: 0 }, 'here: an exponential way goes between numbers above 0'],
    [{ shape: 'step', from: 1, factor: 0.1, at: [0.5, 0.5] }, 'here: expected at in ascending order'],
    [
      { shape: 'step', from: 1, factor: 0.1, at: [0.5], warmUp: 0.6 },
      'here: expected a warmUp that ends before',
    ],
    [{ shape: 'step', from: 1, factor: 0.1, at: [] }, 'here: at: '],
    [{ shape: 'step', from: 1, factor: 0, at: [0.5] }, 'here: factor: '],
    [{ shape: 'constant', value: 1, warmUp: 1 }, 'here: warmUp: Too big: expected number to be <1'],
    [
      { shape: 'sine', from: 1, to: 0 },
      'here: shape: expected constant, linear, cosine, exponential or step',
    ],
    [{ shape: 'linear', from: 1 }, 'here: to: Invalid input: expected number'],
    [{ shape: 'constant', value: 1, to: 2 }, "here: unknown option 'to'"],
    [{ shape: 'constant', value: 1, warmUp: 'long' }, 'here: warmUp: expected a part of the training'],
    ['fast', 'here: expected a number or a schedule'],
  ])('%j is refused in one line', async (given, line) => {
    expect(await lineOfSchedule(given)).toContain(line);
  });
});

describe('learning rates of groups', () => {
  const rates = {
    learningRate: { shape: 'linear', from: 1, to: 0, start: 0, end: 1 },
    otherRates: 0.5,
  } as const;

  test('a number is a multiple of that of the weights, a schedule a rate of its own', () => {
    const own: Schedule = { shape: 'constant', value: 0.02 };
    expect(learningRates({ ...rates, scaleRates: 10, gainRates: own }, 0.5)).toEqual({
      weights: 0.5,
      scales: 5,
      gains: 0.02,
      biases: 0.25,
      neurons: 0.25,
    });
    expect(learningRates({ ...rates, otherRates: own, biasRates: 2, neuronRates: 1 }, 0.25)).toEqual({
      weights: 0.75,
      scales: 0.02,
      gains: 0.02,
      biases: 1.5,
      neurons: 0.75,
    });
  });

  test('who is in which', () => {
    const names = ['weight.lambda', 'weight.mu', 'weight.rho', 'gain.value', 'bias.value', 'bias.rho'];
    const groups = rateGroupsOf(
      smallModel,
      names.map((name) => `0.dense.${name}`),
    );
    expect(Object.values(groups)).toEqual(['weights', 'weights', 'scales', 'gains', 'biases', 'scales']);
    expect(() => rateGroupsOf(smallModel, ['9.dense.gain.value'])).toThrow('9.dense.gain.value');
  });
});

describe('on the command line', () => {
  const read = scheduleReader('cosine');

  test.each([
    ['0.01', 0.01],
    ['1e+2', 100],
    ['0.05:0.001', { shape: 'cosine', from: 0.05, to: 0.001, start: 0, end: 1 }],
    ['1:0.05:0.4:0.9', { shape: 'cosine', from: 1, to: 0.05, start: 0.4, end: 0.9 }],
    ['linear:0:0.02', { shape: 'linear', from: 0, to: 0.02, start: 0, end: 1 }],
    ['exponential:1:0.1:0:0.3', { shape: 'exponential', from: 1, to: 0.1, start: 0, end: 0.3 }],
    ['step:0.05:0.1@0.5,0.75', { shape: 'step', from: 0.05, factor: 0.1, at: [0.5, 0.75] }],
    ['constant:0.01', { shape: 'constant', value: 0.01 }],
    ['0.01+warmup:0.05', { shape: 'constant', value: 0.01, warmUp: 0.05 }],
    [
      '1:0+warmup:0.1:0.5',
      { shape: 'cosine', from: 1, to: 0, start: 0, end: 1, warmUp: { over: 0.1, from: 0.5 } },
    ],
    ['step:1:0.1@0.5+warmup:0.05', { shape: 'step', from: 1, factor: 0.1, at: [0.5], warmUp: 0.05 }],
  ])('%s', (text, schedule) => {
    expect(read(text)).toEqual(schedule);
    expect(scheduleSchema.parse(read(text))).toEqual(schedule);
  });

  test('a plain way has the usual shape of its option', () => {
    expect(scheduleReader('exponential')('1:0.1')).toMatchObject({ shape: 'exponential' });
  });

  test.each([
    '',
    'fast',
    '1:2:3',
    '1:2:3:4:5',
    'sine:1:2',
    'linear:1',
    'linear:1:x',
    'linear',
    'step:1:0.1',
    'step:1:0.1:0.5',
    'step:1:0.1@',
    'constant:1:2',
    '1+warmup:',
    '1+warmup:0.1:0:0',
    '1+warmup:0.1+warmup:0.1',
    '1+cooldown:0.1',
  ])('%j is refused with the forms there are', (text) => {
    expect(() => read(text)).toThrow(
      /^Expected NUMBER, \[linear:\|cosine:\|exponential:\]FROM:TO\[:START:END\], step:FROM:FACTOR@PART,PART or constant:VALUE; \+warmup:PART\[:FROM\] can follow\.$/,
    );
  });

  test.each([
    ['adam', { kind: 'adam' }],
    ['adam:0.8', { kind: 'adam', beta1: 0.8 }],
    ['adam:0.8:0.99:1e-6', { kind: 'adam', beta1: 0.8, beta2: 0.99, epsilon: 1e-6 }],
    ['sgd:0.95', { kind: 'sgd', momentum: 0.95 }],
    ['sgd:0.95:nesterov', { kind: 'sgd', momentum: 0.95, nesterov: true }],
  ])('the optimiser %s', (text, options) => {
    expect(optimiser(text)).toEqual(options);
  });

  test.each([
    '',
    'lion',
    'sgd:',
    'sgd:fast',
    'sgd:0.9:nesterov:1',
    'sgd:0.9:nestrov',
    'adam:1:2:3:4',
    'toString',
  ])('the optimiser %j is refused', (text) => {
    expect(() => optimiser(text)).toThrow(/^Expected adam\[:BETA1\[:BETA2\[:EPSILON\]\]\] or sgd/);
  });

  test('the flags of a training', () => {
    const flags =
      '--learning-rate 0.05:0.001 --other-rates 0.5 --scale-rates 10 --gain-rates constant:0.01 ' +
      '--bias-rates linear:0.1:0 --neuron-rates 1 --optimiser sgd:0.9:nesterov --clip-norm 5';
    const command = addTraining(new Command()).parse(flags.split(' '), { from: 'user' });
    expect(settingsOf(command.opts())).toEqual({
      learningRate: { shape: 'cosine', from: 0.05, to: 0.001, start: 0, end: 1 },
      otherRates: 0.5,
      scaleRates: 10,
      gainRates: { shape: 'constant', value: 0.01 },
      biasRates: { shape: 'linear', from: 0.1, to: 0, start: 0, end: 1 },
      neuronRates: 1,
      optimiser: { kind: 'sgd', momentum: 0.9, nesterov: true },
      clipNorm: 5,
    });
    const help = command.helpInformation().replace(/\s+/g, ' ');
    expect(help).toContain('adam or sgd, with its options (default: adam)');
    expect(help).toContain('otherRates unless given --');
    expect(help).not.toContain('undefined');
  });
});
