import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  delta,
  direct,
  encode,
  encoderSchema,
  encoders,
  type EncoderSpec,
  latency,
  rate,
  type Signal,
  timeFrames,
} from '../schemas/encoders/index.ts';
import { Random } from '../schemas/random.ts';
import { chiSquare } from './support/numbers.ts';
import { lineOf } from './support/error-line.ts';

const image = (...values: number[]): Signal => ({
  values: Float32Array.from(values),
  steps: 1,
  shape: [values.length],
});

/** One row per step. */
function rowsOf(spec: EncoderSpec, example: Signal, random?: Random): number[][] {
  const { values, steps, shape } = encode(spec, example, random);
  const size = values.length / steps;
  expect(shape.reduce((product, axis) => product * axis, 1)).toBe(size);
  return Array.from({ length: steps }, (_, step) => [...values.subarray(step * size, (step + 1) * size)]);
}

describe('direct', () => {
  it('repeats the values', () => {
    expect(rowsOf(direct({ steps: 3 }), image(0.5, 0, -2))).toEqual(
      Array.from({ length: 3 }, () => [0.5, 0, -2]),
    );
  });
});

describe('rate', () => {
  it('never fires at 0 and below, always at 1 and above', () => {
    const rows = rowsOf(rate({ steps: 50 }), image(0, -1, 1, 7), Random.fromSeed(1));
    for (const row of rows) expect(row).toEqual([0, 0, 1, 1]);
  });

  it('draws as a plain loop over the same stream does', () => {
    const random = Random.fromSeed(4);
    const expected = Array.from({ length: 6 }, () => [0, 0, 0]);
    [0.25, 0, 0.75].forEach((value, place) => {
      for (const row of expected) if (value > 0 && random.nextUint32() / 2 ** 32 < value / 2) row[place] = 1;
    });
    const spec = rate({ steps: 6, maximum: 0.5 });
    expect(rowsOf(spec, image(0.25, 0, 0.75), Random.fromSeed(4))).toEqual(expected);
    expect(rowsOf(spec, image(0.25, 0, 0.75), Random.fromSeed(5))).not.toEqual(expected);
  });

  it('fires as often as value × maximum says', () => {
    const steps = 40_000;
    const values = [0.1, 0.5, 0.9];
    const rows = rowsOf(rate({ steps, maximum: 0.6 }), image(...values), Random.fromSeed(2));
    values.forEach((value, place) => {
      const fired = rows.reduce((sum, row) => sum + row[place]!, 0);
      const expected = steps * value * 0.6;
      // χ² of one degree of freedom is above 15 once in 10⁴ times.
      expect(chiSquare([fired, steps - fired], [expected, steps - expected])).toBeLessThan(15);
    });
  });

  it('wants something to draw from', async () => {
    expect(await lineOf(() => encode(rate({ steps: 2 }), image(1)))).toContain('Random.fromSeed');
  });
});

/** The step at which each value fires. */
const firing = (spec: EncoderSpec, ...values: number[]): (number | undefined)[] => {
  const rows = rowsOf(spec, image(...values));
  return values.map((_, place) => {
    const fired = rows.flatMap((row, step) => (row[place] === 1 ? [step] : []));
    expect(fired.length).toBeLessThanOrEqual(1);
    return fired[0];
  });
};

describe('latency', () => {
  it('fires at equal distances for equal differences on the linear scale', () => {
    const spec = latency({ steps: 5, threshold: 0.2 });
    expect(firing(spec, 1, 0.8, 0.6, 0.4, 0.21, 0.2, 0, 3)).toEqual([0, 1, 2, 3, 4, undefined, undefined, 0]);
  });

  it('fires at equal distances for equal ratios on the logarithmic scale', () => {
    const spec = latency({ steps: 5, scale: 'logarithmic', threshold: 1 / 16 });
    expect(firing(spec, 1, 1 / 2, 1 / 4, 1 / 8, 0.063, 1 / 16, 0, 3)).toEqual([
      0,
      1,
      2,
      3,
      4,
      undefined,
      undefined,
      0,
    ]);
  });

  it('fires no later where it is brighter', () => {
    const value = fc.float({ min: Math.fround(0.02), max: 1, noNaN: true });
    fc.assert(
      fc.property(value, value, fc.constantFrom('linear', 'logarithmic'), (one, other, scale) => {
        const spec = latency({ steps: 9, scale });
        const [bright, dark] = firing(spec, Math.max(one, other), Math.min(one, other));
        expect(bright).toBeLessThanOrEqual(dark!);
      }),
      { seed: 1 },
    );
  });

  it('has one step for all where there is but one', () => {
    expect(firing(latency({ steps: 1 }), 1, 0.02)).toEqual([0, 0]);
  });
});

const sequence = (...values: number[]): Signal => ({
  values: Float32Array.from(values),
  steps: values.length,
  shape: [1],
});

describe('delta', () => {
  it('fires up and down where a signal moved by more than the threshold since its last spike', () => {
    // From 0: 0.5 is too little, 1 is just the threshold, 1.5 rises; from 1.5: 2.5 is just it, 0.25 falls; 1.5 rises.
    const rows = rowsOf(delta({ threshold: 1 }), sequence(0, 0.5, 1, 1.5, 2.5, 0.25, 0.25, 1.5));
    const [still, fell, rose] = [
      [0, 0],
      [1, 0],
      [0, 1],
    ];
    expect(rows).toEqual([still, still, still, rose, still, fell, still, rose]);
  });

  it('puts the falls of all places before the rises', () => {
    const values = Float32Array.of(0, 0, 0, /**/ 5, -5, 0);
    const encoded = encode(delta({ threshold: 1 }), { values, steps: 2, shape: [1, 3] });
    expect(encoded.shape).toEqual([2, 1, 3]);
    expect([...encoded.values.subarray(6)]).toEqual([0, 1, 0, 1, 0, 0]);
  });

  it('fires just where the signal is more than the threshold from its last spike', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -40, max: 40 }), { minLength: 2, maxLength: 40 }), (values) => {
        const rows = rowsOf(delta({ threshold: 3 }), sequence(...values));
        let known = values[0]!;
        rows.forEach(([fell, rose], step) => {
          const value = values[step]!;
          const hasMoved = Math.abs(value - known) > 3;
          expect(rose! - fell!).toBe(hasMoved ? Math.sign(value - known) : 0);
          if (hasMoved) known = value;
        });
      }),
      { seed: 1 },
    );
  });
});

describe('an encoder', () => {
  it('is plain data that its own schema and that of all kinds take', () => {
    const specs: EncoderSpec[] = [
      direct({ steps: 2 }),
      rate({ steps: 2 }),
      latency({ steps: 2 }),
      delta({ threshold: 2 }),
      timeFrames({ steps: 2, duration: 1 }),
      encoders.countFrames({ steps: 2 }),
    ];
    expect(specs.map(({ kind }) => kind)).toEqual(Object.keys(encoders));
    for (const spec of specs) expect(encoderSchema.parse(JSON.parse(JSON.stringify(spec)))).toEqual(spec);
    for (const kind of Object.keys(encoders) as (keyof typeof encoders)[]) {
      expect(encoders[kind].encoder.kind).toBe(kind);
    }
  });

  it('leaves what it was given', () => {
    const example = image(0.1, 0.9);
    for (const spec of [direct({ steps: 2 }), rate({ steps: 2 }), latency({ steps: 2 })]) {
      encode(spec, example, Random.fromSeed(1));
      expect([...example.values]).toEqual([...Float32Array.of(0.1, 0.9)]);
    }
  });

  it('writes its steps where a batch wants them, and nothing else', () => {
    const frames = { values: new Float32Array(3 * 6), start: 2, stride: 6 };
    encoders.direct.encoder.encode(direct({ steps: 3 }), image(1, 2), frames, () => Random.fromSeed(1));
    expect([...frames.values]).toEqual(Array.from({ length: 3 }, () => [0, 0, 1, 2, 0, 0]).flat());
  });

  it.each([
    [() => rate({ steps: 0 }), 'rate(): steps'],
    [() => rate({ steps: 2, maximum: 2 }), 'maximum'],
    [() => latency({ steps: 2, threshold: 0 }), 'threshold'],
    [() => delta({ threshold: -1 }), 'threshold'],
    [() => timeFrames({ steps: 2, duration: 0 }), 'duration'],
    [() => encode({ kind: 'magic' } as never, image(1)), 'one of the kinds direct, rate, latency'],
    [() => encode({ kind: 'direct', steps: 2, extra: 1 } as never, image(1)), 'extra'],
    [
      () => encode(delta({ threshold: 1 }), image(1)),
      'delta takes a signal of several steps, got a signal of one',
    ],
    [
      () => encode(timeFrames({ steps: 2, duration: 1 }), image(1)),
      'timeFrames takes events, got a signal of one step',
    ],
    [
      () => encode(direct({ steps: 2 }), { values: new Float32Array(3), steps: 1, shape: [2] }),
      'holds 3 values; expected 1 steps × [2]',
    ],
  ])('refuses what does not fit: %#', async (attempt, expected) => {
    expect(await lineOf(attempt)).toContain(expected);
  });
});
