import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  accuracy,
  auroc,
  averagePrecision,
  brierScore,
  calibration,
  detection,
  type DetectionScores,
  falsePositiveRate,
  negativeLogLikelihood,
  riskAt,
  riskCoverage,
} from '../runtime/index.ts';
import { lineOf } from './support/error-line.ts';

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

/** Few different values, so that ties abound. */
const score = fc.integer({ min: -4, max: 4 }).map((step) => step / 4);
const scores = fc.array(score, { minLength: 1, maxLength: 30 });
const sides = fc.record({ inside: scores, outside: scores });

/** Answers of a network to examples with labels. */
const answers = fc.integer({ min: 2, max: 4 }).chain((classes) =>
  fc.array(
    fc.record({
      row: fc
        .array(fc.integer({ min: 1, max: 8 }), { minLength: classes, maxLength: classes })
        .map((row) => row.map((each) => each / sum(row))),
      label: fc.nat(classes - 1),
    }),
    { minLength: 1, maxLength: 40 },
  ),
);

const rows = [
  [0.7, 0.2, 0.1],
  [0.1, 0.6, 0.3],
  [0.4, 0.4, 0.2],
  [0, 0, 1],
];
const labels = [0, 2, 1, 2];

describe('accuracy, log likelihood and Brier score', () => {
  test('of four examples, by hand', () => {
    // The third is a draw, which goes to the first class: wrong.
    expect(accuracy(rows, labels)).toBe(0.5);
    const logs = rows.map((row) => row.map(Math.log));
    expect(negativeLogLikelihood(logs, labels)).toBeCloseTo(-Math.log(0.7 * 0.3 * 0.4) / 4, 12);
    expect(brierScore(rows, labels)).toBeCloseTo((0.14 + 0.86 + 0.56 + 0) / 4, 12);
  });

  test('at their ends', () => {
    const [sure, wrong] = [[[1, 0]], [[0, 1]]];
    expect([accuracy(sure, [0]), accuracy(wrong, [0])]).toEqual([1, 0]);
    expect([brierScore(sure, [0]), brierScore(wrong, [0])]).toEqual([0, 2]);
    expect(negativeLogLikelihood([[0, -900]], [1])).toBe(900);
    expect(negativeLogLikelihood([[Math.log(0.5), Math.log(0.5)]], [1])).toBe(Math.log(2));
  });

  test('take typed arrays', () => {
    expect(accuracy([Float32Array.of(0.25, 0.75)], Uint8Array.of(1))).toBe(1);
  });

  test.each([
    [[], [], '0 examples with 0 labels'],
    [[[1, 0]], [], '1 examples with 0 labels'],
    [[[1, 0]], [2], 'label 2 of example 0; expected a whole number below 2'],
    [[[1, 0]], [-1], 'label -1 of example 0'],
    [[[1, 0]], [0.5], 'label 0.5 of example 0'],
  ])('refuse %j with labels %j', async (rows, labels, message) => {
    for (const metric of [accuracy, negativeLogLikelihood, brierScore, calibration]) {
      expect(await lineOf(() => metric(rows, labels))).toContain(`${metric.name}: ${message}`);
    }
  });
});

describe('calibration', () => {
  test('of four examples in two bins, by hand', () => {
    const { error, bins } = calibration(rows, labels, 2);
    expect(bins.map(({ from, to, count }) => [from, to, count])).toEqual([
      [0, 0.5, 1],
      [0.5, 1, 3],
    ]);
    expect(bins.map(({ accuracy }) => accuracy)).toEqual([0, 2 / 3]);
    expect(bins[0]!.confidence).toBe(0.4);
    expect(bins[1]!.confidence).toBeCloseTo(2.3 / 3, 12);
    expect(error).toBeCloseTo((1 / 4) * 0.4 + (3 / 4) * (0.1 / 1), 12);
  });

  test('is perfect where each confidence is right as often as it says', () => {
    const calibrated = [0.25, 0.5, 0.75, 1].flatMap((confidence) =>
      [0, 1, 2, 3].map((example) => {
        const others = (1 - confidence) / 4;
        return {
          row: [confidence, others, others, others, others],
          label: example < 4 * confidence ? 0 : 1,
        };
      }),
    );
    const found = calibration(
      calibrated.map(({ row }) => row),
      calibrated.map(({ label }) => label),
    );
    expect(found.error).toBe(0);
    expect(found.bins).toHaveLength(15);
    expect(found.bins.filter(({ count }) => count === 0)).toHaveLength(11);
  });

  test('puts a probability on a border into the lower bin, and one rounded above 1 into the last', () => {
    const { bins } = calibration(
      [
        [0.5, 0.5],
        [0.75, 0.25],
        [1 + 1e-7, 0],
      ],
      [0, 0, 0],
      4,
    );
    expect(bins.map(({ count }) => count)).toEqual([0, 1, 1, 1]);
    expect(bins[0]).toEqual({ from: 0, to: 0.25, count: 0, confidence: Number.NaN, accuracy: Number.NaN });
  });

  test('is what its definition says, bin by bin', () => {
    fc.assert(
      fc.property(answers, fc.integer({ min: 1, max: 20 }), (answers, count) => {
        let error = 0;
        for (let bin = 0; bin < count; bin++) {
          const own = answers.filter(({ row }) => {
            const top = Math.max(...row);
            return top > bin / count && top <= (bin + 1) / count;
          });
          if (own.length === 0) continue;
          const right = own.filter(({ row, label }) => row.indexOf(Math.max(...row)) === label).length;
          const confidence = sum(own.map(({ row }) => Math.max(...row))) / own.length;
          error += (own.length / answers.length) * Math.abs(right / own.length - confidence);
        }
        const found = calibration(
          answers.map(({ row }) => row),
          answers.map(({ label }) => label),
          count,
        );
        expect(found.error).toBeCloseTo(error, 10);
        expect(sum(found.bins.map(({ count }) => count))).toBe(answers.length);
      }),
    );
  });

  test('refuses a number of bins that is none', async () => {
    for (const count of [0, -1, 1.5, Number.NaN])
      expect(await lineOf(() => calibration(rows, labels, count))).toContain(`calibration: ${count} bins`);
  });
});

/** P(outside > inside) + ½ P(outside = inside), pair by pair. */
function slowAuroc({ inside, outside }: { inside: number[]; outside: number[] }): number {
  const pairs = outside.flatMap((high) => inside.map((low) => (high > low ? 1 : high === low ? 0.5 : 0)));
  return sum(pairs) / pairs.length;
}

/** Puts scores elsewhere in the same order. */
const grown = (score: number): number => Math.exp(3 * score) - 5;

/** What each threshold on the score finds: those at or above it. */
const thresholdsOf = ({ inside, outside }: { inside: number[]; outside: number[] }) =>
  [...new Set([...inside, ...outside])]
    .sort((a, b) => b - a)
    .map((threshold) => ({
      found: outside.filter((score) => score >= threshold).length,
      mistaken: inside.filter((score) => score >= threshold).length,
    }));

describe('detection', () => {
  const byHand: DetectionScores = { inside: [0.1, 0.4, 0.5], outside: [0.4, 0.8] };

  test('of five examples, by hand', () => {
    // 0.8 beats all three; 0.4 beats one and ties with one.
    expect(auroc(byHand)).toBeCloseTo((3 + 1.5) / 6, 12);
    // Thresholds: 0.8 finds 1 of 1; 0.5 none more; 0.4 finds the other, 2 of 4.
    expect(averagePrecision(byHand)).toBeCloseTo(0.5 * 1 + 0.5 * (2 / 4), 12);
    expect(falsePositiveRate(byHand)).toBeCloseTo(2 / 3, 12);
    expect(falsePositiveRate(byHand, 0.5)).toBe(0);
    expect(detection(byHand)).toEqual({
      auroc: auroc(byHand),
      aupr: averagePrecision(byHand),
      falsePositiveRate: falsePositiveRate(byHand),
    });
  });

  test('at its ends', () => {
    const apart = { inside: [1, 2], outside: [3, Number.POSITIVE_INFINITY] };
    expect(detection(apart)).toEqual({ auroc: 1, aupr: 1, falsePositiveRate: 0 });
    const reversed = { inside: apart.outside, outside: apart.inside };
    expect(detection(reversed)).toMatchObject({ auroc: 0, falsePositiveRate: 1 });
    const alike = { inside: [7, 7, 7], outside: [7] };
    expect(detection(alike)).toEqual({ auroc: 0.5, aupr: 0.25, falsePositiveRate: 1 });
  });

  test('is what its definitions say', () => {
    fc.assert(
      fc.property(sides, fc.constantFrom(0.3, 0.5, 0.95, 1), (sides, recall) => {
        const { inside, outside } = sides;
        expect(auroc(sides)).toBeCloseTo(slowAuroc(sides), 10);
        const thresholds = thresholdsOf(sides);
        const steps = thresholds.map(({ found, mistaken }, index) => {
          const before = thresholds[index - 1]?.found ?? 0;
          return ((found - before) / outside.length) * (found / (found + mistaken));
        });
        expect(averagePrecision(sides)).toBeCloseTo(sum(steps), 10);
        const enough = thresholds.find(({ found }) => found / outside.length >= recall)!;
        expect(falsePositiveRate(sides, recall)).toBe(enough.mistaken / inside.length);
      }),
    );
  });

  test('depends on the order of the scores alone', () => {
    fc.assert(
      fc.property(sides, ({ inside, outside }) => {
        const found = detection({ inside: inside.map(grown), outside: outside.map(grown) });
        expect(found).toEqual(detection({ inside, outside }));
        expect(detection({ inside: inside.toReversed(), outside: outside.toReversed() })).toEqual(found);
        expect(auroc({ inside: outside, outside: inside })).toBeCloseTo(1 - found.auroc, 10);
      }),
    );
  });

  test('refuses a side without examples, a score that is NaN, and a recall out of range', async () => {
    for (const metric of [auroc, averagePrecision, falsePositiveRate]) {
      expect(await lineOf(() => metric({ inside: [], outside: [1] }))).toContain(
        `${metric.name}: 0 inside and 1 outside examples`,
      );
      expect(await lineOf(() => metric({ inside: [1], outside: [2, Number.NaN] }))).toContain(
        `${metric.name}: outside: the score of example 1 is NaN`,
      );
    }
    for (const recall of [0, 1.1, Number.NaN])
      expect(await lineOf(() => falsePositiveRate(byHand, recall))).toContain(`a recall of ${recall}`);
  });
});

describe('risk against coverage', () => {
  test('of five examples, by hand', () => {
    const found = riskCoverage([0.1, 0.5, 0.3, 0.3, 0.2], [true, false, false, true, true]);
    expect(found.curve).toEqual([
      { coverage: 0.2, risk: 0 },
      { coverage: 0.4, risk: 0 },
      { coverage: 0.8, risk: 1 / 4 },
      { coverage: 1, risk: 2 / 5 },
    ]);
    expect(found.area).toBeCloseTo(0.4 * (1 / 4) + 0.2 * (2 / 5), 12);
    expect(riskAt(found, 1)).toBe(2 / 5);
    // The two that are as sure stay together, so 0.6 cannot be had; 0.8 can.
    expect([0.1, 0.4, 0.5, 0.6, 0.8].map((coverage) => riskAt(found, coverage))).toEqual([
      0, 0, 0.25, 0.25, 0.25,
    ]);
  });

  test('is what its definition says, and does not hang on the order of the examples', () => {
    const examples = fc.array(fc.tuple(score, fc.boolean()), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(examples, (examples) => {
        const found = riskCoverage(
          examples.map(([doubt]) => doubt),
          examples.map(([, right]) => right),
        );
        for (const [doubt] of examples) {
          const kept = examples.filter(([other]) => other <= doubt);
          const risk = kept.filter(([, right]) => !right).length / kept.length;
          expect(found.curve).toContainEqual({ coverage: kept.length / examples.length, risk });
        }
        expect(found.curve.at(-1)?.coverage).toBe(1);
        const turned = examples.toReversed();
        expect(
          riskCoverage(
            turned.map(([doubt]) => doubt),
            turned.map(([, right]) => right),
          ),
        ).toEqual(found);
      }),
    );
  });

  test('has without ties the mean of the risks of the surest 1, 2, …', () => {
    const right = [true, true, false, true, false];
    const { area } = riskCoverage([1, 2, 3, 4, 5], right);
    expect(area).toBeCloseTo((0 + 0 + 1 / 3 + 1 / 4 + 2 / 5) / 5, 12);
  });

  test('refuses no examples, other counts, NaN, and a coverage out of range', async () => {
    expect(await lineOf(() => riskCoverage([], []))).toContain('riskCoverage: 0 examples with 0 answers');
    expect(await lineOf(() => riskCoverage([1, 2], [true]))).toContain('2 examples with 1 answers');
    expect(await lineOf(() => riskCoverage([Number.NaN], [true]))).toContain('example 0 is NaN');
    const found = riskCoverage([1], [true]);
    for (const coverage of [0, 1.01, Number.NaN]) {
      expect(await lineOf(() => riskAt(found, coverage))).toContain(`a coverage of ${coverage}`);
    }
  });
});
