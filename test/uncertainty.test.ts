import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Member, type Network, toOnnx } from '../export/index.ts';
import {
  auroc,
  entropyOf,
  evaluate,
  evaluateOutOfDistribution,
  type LoadedNetwork,
  load,
  riskAt,
  uncertaintiesOf,
  uncertaintyOf,
} from '../runtime/index.ts';
import { buildCli, type Ended, idxFile, jsonOf, startCli, writeImages } from './support/cli.ts';
import { lineOf } from './support/error-line.ts';
import { denseModel, randomBytes, randomNetwork } from './support/networks.ts';

const distribution = (classes: number) =>
  fc
    .array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: classes, maxLength: classes })
    .filter((parts) => parts.some((part) => part > 1e-6))
    .map((parts) => {
      const total = parts.reduce((sum, part) => sum + part, 0);
      return parts.map((part) => part / total);
    });
const ensemble = fc
  .integer({ min: 1, max: 5 })
  .chain((classes) => fc.array(distribution(classes), { minLength: 1, maxLength: 6 }));

describe('the uncertainty of an ensemble', () => {
  test('entropy is 0 for certainty and log(classes) for ignorance', () => {
    expect(entropyOf([0, 1, 0])).toBe(0);
    expect(entropyOf([0.25, 0.25, 0.25, 0.25])).toBeCloseTo(Math.log(4), 12);
    expect(entropyOf([0.5, 0.25, 0.25])).toBeCloseTo(1.5 * Math.LN2, 12);
    expect(entropyOf(Float32Array.of(1 + 2 ** -23, 0))).toBe(0);
    expect(entropyOf([])).toBe(0);
  });

  test('members that are sure of different classes: all of it is disagreement', () => {
    const found = uncertaintyOf([
      [1, 0],
      [0, 1],
    ]);
    expect(found).toEqual({
      mean: Float64Array.of(0.5, 0.5),
      entropy: Math.LN2,
      expectedEntropy: 0,
      mutualInformation: Math.LN2,
    });
  });

  test('members that doubt alike: none of it is', () => {
    fc.assert(
      fc.property(distribution(4), fc.integer({ min: 1, max: 9 }), (row, count) => {
        const found = uncertaintyOf(Array.from({ length: count }, () => row));
        expect(found.mutualInformation).toBeCloseTo(0, 12);
        // Here rounding would take it below.
        expect(found.mutualInformation).toBeGreaterThanOrEqual(0);
        expect(found.expectedEntropy).toBeCloseTo(entropyOf(row), 12);
      }),
    );
  });

  test('the mutual information is 0 or more, and the mean divergence of the members from their mean', () => {
    fc.assert(
      fc.property(ensemble, (members) => {
        const { mean, entropy, expectedEntropy, mutualInformation } = uncertaintyOf(members);
        const divergences = members.map((row) =>
          row.reduce((sum, part, index) => (part > 0 ? sum + part * Math.log(part / mean[index]!) : sum), 0),
        );
        const divergence = divergences.reduce((sum, each) => sum + each, 0) / members.length;
        expect(mutualInformation).toBeGreaterThanOrEqual(0);
        expect(mutualInformation).toBeLessThanOrEqual(entropy);
        expect(mutualInformation).toBeCloseTo(divergence, 10);
        expect(entropy).toBeCloseTo(expectedEntropy + mutualInformation, 10);
        expect(entropy).toBeLessThanOrEqual(Math.log(mean.length) + 1e-12);
      }),
    );
  });

  test('of a batch, example by example', () => {
    const data = Float32Array.of(1, 0, 0.5, 0.5, 0, 1, 0.5, 0.5);
    const found = uncertaintiesOf({ dims: [2, 2, 2], data });
    expect(found.map(({ mutualInformation }) => mutualInformation)).toEqual([Math.LN2, 0]);
    expect(uncertaintiesOf({ dims: [], data: new Float32Array() })).toEqual([]);
  });

  test('refuses no members, and members of different lengths', async () => {
    expect(await lineOf(() => uncertaintyOf([]))).toContain('no members');
    expect(await lineOf(() => uncertaintyOf([[1], [0.5, 0.5]]))).toContain(
      'member 1 has 2 probabilities; expected 1',
    );
  });
});

const model = denseModel({ type: 'uint8', shape: [64], scale: 1 / 255 }, [16, 10]);

/** With gains so small that the members are not certain of all they say. */
const mildMember = (member: Member): Member =>
  Object.fromEntries(
    Object.entries(member).map(([name, tensor]) => {
      const isReadout = tensor.values === 'real' && name.startsWith('2.');
      return [name, isReadout ? { ...tensor, data: tensor.data.map((value) => value / 4) } : tensor];
    }),
  );
const mild = (network: Network): Network => ({ ...network, members: network.members.map(mildMember) });
const network = mild(randomNetwork(model, 3));
const together = mild(randomNetwork(model, 3, 4));
const examples = 1500;
const inputs = randomBytes(64 * examples, 1);
const others = randomBytes(64 * 300, 2, 40);

describe.each(['cpu', 'wasm', 'bits'] as const)('a network that runs on %s', (device) => {
  let single: LoadedNetwork;
  let loaded: LoadedNetwork;

  beforeAll(async () => {
    [single, loaded] = await Promise.all([
      load(toOnnx(network), { device }),
      load(toOnnx(together), { device }),
    ]);
  });
  afterAll(() => Promise.all([single.close(), loaded.close()]));

  test('classify tells the entropy, and of an ensemble the mutual information', async () => {
    const { member_probabilities: members } = await loaded.run(inputs);
    const expected = uncertaintiesOf(members!);
    const found = await loaded.classify(inputs);
    expect(found).toHaveLength(examples);
    found.forEach(({ entropy, mutualInformation, probabilities }, example) => {
      // Across the borders of its batches, which onnxruntime may sum in another order.
      expect(entropy).toBeCloseTo(expected[example]!.entropy, 5);
      expect(mutualInformation).toBeCloseTo(expected[example]!.mutualInformation, 5);
      expect(entropy).toBeCloseTo(entropyOf(probabilities), 5);
    });
    expect(Math.max(...found.map(({ mutualInformation }) => mutualInformation!))).toBeGreaterThan(0.1);

    const [alone] = await single.classify(inputs.subarray(0, 64));
    expect(alone!.entropy).toBe(entropyOf(alone!.probabilities));
    expect(alone).not.toHaveProperty('mutualInformation');
  });

  test('evaluate agrees with classify', async () => {
    for (const each of [single, loaded]) {
      const answers = await each.classify(inputs);
      // Every third label is the next class: wrong by intention.
      const labels = answers.map(({ label }, example) => (example % 3 === 0 ? (label + 1) % 10 : label));
      const found = await evaluate(each, inputs, labels);
      expect(found.predictions).toEqual(answers.map(({ label }) => label));
      expect(found).toMatchObject({ examples, accuracy: 1000 / examples });
      const mean = (of: (index: number) => number): number =>
        answers.reduce((sum, _, index) => sum + of(index), 0) / examples;
      expect(found.negativeLogLikelihood).toBeCloseTo(
        mean((index) => -Math.log(answers[index]!.probabilities[labels[index]!]!)),
        4,
      );
      expect(found.entropy).toBeCloseTo(
        mean((index) => answers[index]!.entropy),
        5,
      );
      expect(found.calibration.bins.reduce((sum, { count }) => sum + count, 0)).toBe(examples);
      expect(riskAt(found.riskCoverage, 1)).toBeCloseTo(1 - found.accuracy, 12);
      expect('mutualInformation' in found).toBe(each === loaded);
    }
  });

  test('evaluate refuses labels that do not fit', async () => {
    expect(await lineOf(() => evaluate(single, inputs, [1]))).toContain(
      'evaluate: 1500 examples with 1 labels',
    );
    expect(await lineOf(() => evaluate(single, [], []))).toContain('evaluate: 0 examples');
    expect(await lineOf(() => evaluate(single, inputs.subarray(0, 64), [10]))).toContain(
      'label 10 of example 0; expected a whole number below 10',
    );
  });

  test('evaluateOutOfDistribution ranks by each uncertainty', async () => {
    const found = await evaluateOutOfDistribution(loaded, inputs, others);
    expect(found).toMatchObject({ inside: examples, outside: 300 });
    const [inside, outside] = await Promise.all([loaded.classify(inputs), loaded.classify(others)]);
    const area = (of: (answer: (typeof inside)[number]) => number): number =>
      auroc({ inside: inside.map(of), outside: outside.map(of) });
    expect(found.entropy.auroc).toBeCloseTo(
      area(({ entropy }) => entropy),
      4,
    );
    expect(found.mutualInformation?.auroc).toBeCloseTo(
      area(({ mutualInformation }) => mutualInformation!),
      4,
    );
    expect(found.topProbability.auroc).toBeCloseTo(
      area(({ probability }) => -probability),
      3,
    );
    expect(await evaluateOutOfDistribution(single, inputs, others)).not.toHaveProperty('mutualInformation');
    const same = await evaluateOutOfDistribution(loaded, inputs, inputs);
    expect(same.entropy.auroc).toBeCloseTo(0.5, 12);
  });

  test('evaluateOutOfDistribution refuses a side without examples', async () => {
    expect(await lineOf(() => evaluateOutOfDistribution(loaded, inputs, []))).toContain(
      '1500 inside and 0 outside examples',
    );
    expect(await lineOf(() => evaluateOutOfDistribution(loaded, [], others))).toContain('0 inside');
  });
});

const fixed = (value: number): string => value.toFixed(4);

describe('bitspike eval', () => {
  let built: string;
  let folder: string;
  const at = (...path: string[]): string => join(folder, ...path);
  const judge = (file: string, ...more: string[]): Promise<Ended> =>
    startCli(built, ['eval', file, '--data', 'idx:images', '--threads', '1', ...more], folder).ended;

  /** Test images of one grey level each, with labels of up to `classes` classes. */
  function writeGrey(name: string, count: number, side: number, classes: number): void {
    mkdirSync(at(name));
    const pixels = Uint8Array.from({ length: count * side * side }, (_, place) =>
      Math.floor(place / side / side),
    );
    const labels = Uint8Array.from({ length: count }, (_, example) => example % classes);
    writeFileSync(at(name, 't10k-images-idx3-ubyte'), idxFile([count, side, side], pixels));
    writeFileSync(at(name, 't10k-labels-idx1-ubyte'), idxFile([count], labels));
  }

  beforeAll(() => {
    built = buildCli();
    folder = mkdtempSync(join(tmpdir(), 'bitspike-uncertainty-'));
    writeImages(at('images'), { train: 10, t10k: 60 });
    // More classes than the network has: nobody asks for them.
    writeGrey('grey', 30, 8, 26);
    writeGrey('wide', 2, 4, 2);
    writeFileSync(at('single.onnx'), toOnnx(network));
    writeFileSync(at('ensemble.onnx'), toOnnx(together));
  });
  afterAll(() => {
    rmSync(built, { recursive: true });
    rmSync(folder, { recursive: true });
  });

  test('prints what it found, and the same as JSON', async () => {
    const ended = await judge('ensemble.onnx', '--ood', 'idx:grey', '--bins', '--json');
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    const found = jsonOf(ended) as {
      accuracy: number;
      entropy: number;
      mutualInformation: number;
      calibration: { error: number; bins: { count: number }[] };
      riskCoverage: { area: number; points: { coverage: number; risk: number }[] };
      outOfDistribution: { data: string; entropy: { auroc: number; aupr: number } };
    };
    expect(found.calibration.bins).toHaveLength(15);
    expect(found.riskCoverage.points.map(({ coverage }) => coverage)).toEqual([1, 0.95, 0.9, 0.8, 0.5]);
    expect(found.riskCoverage.points[0]!.risk).toBeCloseTo(1 - found.accuracy, 12);
    expect(found.outOfDistribution).toMatchObject({ data: 'idx:grey test', inside: 60, outside: 30 });

    for (const line of [
      `calibration error (ECE)   ${fixed(found.calibration.error)}`,
      `entropy                   ${fixed(found.entropy)} nats`,
      `mutual information        ${fixed(found.mutualInformation)} nats`,
      'out of distribution   idx:grey test: 30 examples of 8 × 8, 26 classes',
    ]) {
      expect(ended.stdout).toContain(line);
    }
    expect(ended.stdout).toMatch(
      /^answers given, surest first +100 % +95 % +90 % +80 % +50 % +area \(AURC\)$/m,
    );
    expect(ended.stdout).toMatch(new RegExp(`^errors among them .* ${fixed(found.riskCoverage.area)}$`, 'm'));
    expect(ended.stdout).toMatch(/^top probability +examples +its mean +accuracy$/m);
    const { auroc, aupr } = found.outOfDistribution.entropy;
    expect(ended.stdout).toMatch(new RegExp(`^entropy +${fixed(auroc)} +${fixed(aupr)} +[\\d.]+ %$`, 'm'));
    expect(ended.stdout).toMatch(/^mutual information +[\d.]+ +[\d.]+ +[\d.]+ %$/m);
  });

  test('leaves out what it was not asked for, or a single network has not', async () => {
    const { stdout } = await judge('single.onnx');
    for (const word of ['mutual', 'AUROC', 'top probability']) expect(stdout).not.toContain(word);
    const limited = await judge('single.onnx', '--ood', 'idx:grey', '--limit', '20', '--json');
    expect(jsonOf(limited)['outOfDistribution']).toMatchObject({ inside: 20, outside: 20 });
  });

  test.each([
    [
      'idx:wide',
      'single.onnx: does not fit the data idx:wide test: it takes examples of 64, these have 4 × 4',
    ],
    ['idx:images', 'eval: --ood names idx:images test, as --data does'],
    ['idx:nowhere', 'nowhere: cannot be read as a folder'],
    ['letters', 'data letters: no such kind of data'],
  ])('refuses --ood %s in one line', async (ood, message) => {
    const { code, stdout, stderr } = await judge('single.onnx', '--ood', ood);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^bitspike: [^\n]+\n$/);
    expect(stderr).toContain(message);
  });
});
