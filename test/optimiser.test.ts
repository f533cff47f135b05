import '@tensorflow/tfjs-backend-cpu';
import { describe, expect, test } from 'vitest';
import { Random } from '../schemas/random.ts';
import type { Engine } from '../train/engine/engine.ts';
import { onnxEngine } from '../train/engine/onnx.ts';
import { tfjsEngine } from '../train/engine/tfjs.ts';
import { type Adam, adamScalars, adamStep } from '../train/optimiser.ts';
import { isZero, scheduled, scheduleSchema } from '../train/schedule.ts';
import { type Scalars, scalarNames, type StepFunction } from '../train/step.ts';
import { gaussians, relativeDifference } from './support/numbers.ts';

describe('schedules', () => {
  const way = { from: 2, to: 6, start: 0.2, end: 0.6 } as const;

  test('a constant', () => {
    expect([0, 0.5, 1].map((progress) => scheduled(0.3, progress))).toEqual([0.3, 0.3, 0.3]);
  });

  test.each([
    ['linear', 3],
    ['cosine', 2 + 4 * (0.5 - 0.25 * Math.SQRT2)],
  ] as const)('a %s way', (shape, quarter) => {
    const at = (progress: number): number => scheduled({ shape, ...way }, progress);
    expect([0, 0.1, 0.2, 0.6, 0.9, 1].map(at)).toEqual([2, 2, 2, 6, 6, 6]);
    expect(at(0.4)).toBeCloseTo(4, 12);
    expect(at(0.3)).toBeCloseTo(quarter, 12);
    expect(scheduled(scheduleSchema.parse({ shape, from: 1, to: 0 }), 0.5)).toBeCloseTo(0.5, 12);
  });

  test('which are zero throughout', () => {
    expect([0, 1e-9].map(isZero)).toEqual([true, false]);
    expect(isZero({ shape: 'linear', ...way, from: 0, to: 0 })).toBe(true);
    expect(isZero({ shape: 'linear', ...way, from: 0 })).toBe(false);
  });
});

/** An ε that counts, other than that of the options. */
const adam: Adam = { beta1: 0.8, beta2: 0.99, epsilon: 0.1 };

/** Adam as its paper writes it (Kingma and Ba 2015, algorithm 1), in float64. */
function adamOfPaper(start: ArrayLike<number>, gradients: readonly Float32Array[], rate: number) {
  const { beta1, beta2, epsilon } = adam;
  const m = new Float64Array(start.length);
  const v = new Float64Array(start.length);
  const x = Float64Array.from(start);
  gradients.forEach((g, index) => {
    const t = index + 1;
    for (let i = 0; i < x.length; i++) {
      m[i] = beta1 * m[i]! + (1 - beta1) * g[i]!;
      v[i] = beta2 * v[i]! + (1 - beta2) * g[i]! ** 2;
      x[i]! -= (rate * (m[i]! / (1 - beta1 ** t))) / (Math.sqrt(v[i]! / (1 - beta2 ** t)) + epsilon);
    }
  });
  return x;
}

describe('Adam', () => {
  const learned = { 'a.weight.lambda': [5], 'b.gain.value': [2, 3] };
  const feeds = { 'slope a.weight.lambda': [5], 'slope b.gain.value': [2, 3] };

  /** A step whose gradients are what it is fed. */
  const step: StepFunction = {
    learned,
    adam,
    state: Object.fromEntries(
      Object.entries(learned).flatMap(([name, shape]) =>
        ['', '.adam.first', '.adam.second'].map((part) => [`${name}${part}`, shape]),
      ),
    ),
    feeds: { ...feeds, ...Object.fromEntries(scalarNames.map((name) => [name, []])) },
    noises: [],
    logisticNoises: [],
    run(state, fed) {
      const next: Record<string, (typeof state)[string]> = {};
      const gradients: Record<string, (typeof state)[string]> = {};
      for (const [name, rate] of [
        ['a.weight.lambda', 'rate.weights'],
        ['b.gain.value', 'rate.others'],
      ] as const) {
        gradients[name] = fed[`slope ${name}`]!;
        const before = {
          value: state[name]!,
          first: state[`${name}.adam.first`]!,
          second: state[`${name}.adam.second`]!,
        };
        const after = adamStep(adam, before, gradients[name], fed[rate]!, fed.epsilon!);
        next[name] = after.value;
        next[`${name}.adam.first`] = after.first;
        next[`${name}.adam.second`] = after.second;
      }
      return { state: next, reports: {}, gradients };
    },
  };

  const STEPS = 40;
  const random = Random.fromSeed(6);
  const starts = { 'a.weight.lambda': gaussians(5, random), 'b.gain.value': gaussians(6, random) };
  const slopes = {
    'a.weight.lambda': Array.from({ length: STEPS }, () => gaussians(5, random)),
    'b.gain.value': Array.from({ length: STEPS }, () => gaussians(6, random)),
  };
  const rates = { 'a.weight.lambda': 0.05, 'b.gain.value': 0.015 };
  const names = ['a.weight.lambda', 'b.gain.value'] as const;

  test.each<Engine>([onnxEngine({ threads: 1 }), tfjsEngine('cpu')])(
    'of the engine $name is that of the paper',
    async (engine) => {
      const start = Object.fromEntries(
        Object.entries(step.state).map(([name, shape]) => {
          const data =
            name in starts
              ? starts[name as keyof typeof starts]
              : new Float32Array(name.startsWith('a') ? 5 : 6);
          return [name, { shape, data: data.slice() }];
        }),
      );
      const prepared = await engine.prepare(step, start, []);
      for (let index = 0; index < STEPS; index++) {
        const { rateFactor, epsilon } = adamScalars(adam, index + 1);
        const scalars: Scalars = {
          'rate.weights': rates['a.weight.lambda'] * rateFactor,
          'rate.scales': 0,
          'rate.others': rates['b.gain.value'] * rateFactor,
          epsilon,
          divergenceWeight: 0,
          penaltyWeight: 0,
          temperature: 1,
          noiseScale: 1,
        };
        for (const [name, value] of Object.entries(scalars)) prepared.feeds[name]![0] = value;
        for (const name of names) prepared.feeds[`slope ${name}`]!.set(slopes[name][index]!);
        await prepared.run();
      }
      const state = await prepared.state();
      await prepared.close();
      for (const name of names) {
        const expected = adamOfPaper(starts[name], slopes[name], rates[name]);
        expect(relativeDifference(state[name]!.data, expected)).toBeLessThan(1e-5);
        expect(relativeDifference(state[name]!.data, starts[name])).toBeGreaterThan(1e-2);
      }
    },
  );
});
