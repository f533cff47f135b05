import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { freeze, type Network, reportOnnx, runOracle, toOnnx } from '../export/index.ts';
import { packBits } from '../export/packed-bits.ts';
import { load } from '../runtime/index.ts';
import { binary, defineModel, dense, type Model, readout } from '../schemas/index.ts';
import { readModel, tensorData } from '../schemas/onnx/index.ts';
import { Random } from '../schemas/random.ts';
import { NoiseSource } from '../train/noise/noise-source.ts';
import golden from './fixtures/frozen-dense.json' with { type: 'json' };
import { denseModel, randomBytes, randomNetwork } from './support/networks.ts';
import { randomPosterior } from './support/posteriors.ts';

const bytesModel = (size: number, widths: readonly number[], threshold = 0): Model =>
  denseModel({ type: 'uint8', shape: [size], scale: 1 / 255 }, widths, threshold);

/** Differences between an exported network and the oracle, member by member. */
async function differences(network: Network, inputs: Uint8Array | Float32Array) {
  const bytes = toOnnx(network);
  const { layers } = (await load(bytes)).description;
  const exported = await load(bytes, { observe: layers.flat() });
  const outputs = await exported.run(inputs);
  let spikes = 0;
  let neurons = 0;
  let logits = 0;
  network.members.forEach((member, index) => {
    const oracle = runOracle(network, member, inputs);
    for (const name of layers[index]!) {
      const expected = oracle.layers[name.replace(/^member\d+\./, '')]!;
      const found = outputs[name]!.data;
      expect(found.length).toBe(expected.length);
      expected.forEach((spike, place) => {
        if (spike !== (found[place]! > 0 ? 1 : 0)) spikes++;
      });
      neurons += expected.length;
    }
    const found = outputs.logits?.data;
    oracle.logits.forEach((value, place) => {
      if (found) logits = Math.max(logits, Math.abs(found[place]! - value) / Math.max(1, Math.abs(value)));
    });
  });
  await exported.close();
  return { spikes, neurons, logits };
}

const signs = (rows: number[][]) => Int8Array.from(rows.flat());
const pair = (data: number[]) => ({ values: 'real', shape: [2], data: Float32Array.from(data) }) as const;

describe('freeze', () => {
  const model = bytesModel(6, [5, 3]);
  const posterior = randomPosterior(model, { family: 'bernoulli' }, { seed: 1 });

  it('takes the likelier sign of every weight for the mean, and +1 where both are as likely', () => {
    const lambda = posterior.learned['0.dense.weight.lambda']!.data;
    lambda[0] = 0;
    const [member] = freeze(posterior).members;
    expect([...member!['0.dense.weight']!.data]).toEqual([...lambda].map((value) => (value >= 0 ? 1 : -1)));
    expect(member!['0.dense.gain']!.data).toEqual(posterior.learned['0.dense.gain.value']!.data);
  });

  it('draws +1 as often as the posterior says', () => {
    const wide = bytesModel(400, [100, 3]);
    const draws = { ...randomPosterior(wide, { family: 'bernoulli' }, { seed: 2 }) };
    const lambda = draws.learned['0.dense.weight.lambda']!.data.fill(0.4);
    const [member] = freeze(draws, { weights: 'sample', seed: 3 }).members;
    const positive = member!['0.dense.weight']!.data.filter((sign) => sign > 0).length / lambda.length;
    const probability = 1 / (1 + Math.exp(-0.8));
    const error = Math.sqrt((probability * (1 - probability)) / lambda.length);
    expect(Math.abs(positive - probability)).toBeLessThan(4 * error);
  });

  const draw = (count: number, seed: number) => freeze(posterior, { weights: 'sample', count, seed }).members;

  it('draws the same networks from the same seed, the first ones whatever the count', () => {
    expect(draw(3, 7)).toEqual(draw(3, 7));
    expect(draw(3, 7).slice(0, 2)).toEqual(draw(2, 7));
    expect(draw(2, 7)[0]).not.toEqual(draw(2, 7)[1]);
    expect(draw(1, 8)).not.toEqual(draw(1, 7));
  });

  it('leaves the posterior as it was', () => {
    const before = structuredClone(posterior);
    freeze(posterior, { weights: 'sample', count: 2, seed: 1 });
    expect(posterior).toEqual(before);
  });

  it.each([
    [{ weights: 'median' }, /freeze: .*weights/],
    [{ weights: 'sample', count: 0, seed: 1 }, /freeze: count/],
    [{ weights: 'sample' }, /freeze: seed/],
    [{ weights: 'mean', seed: 1 }, /freeze: unknown option 'seed'/],
  ])('says in one line what is wrong with %j', (options, message) => {
    expect(() => freeze(posterior, options as never)).toThrow(message);
  });

  it('refuses a posterior that holds what is no number', () => {
    const learned = {
      ...posterior.learned,
      '0.dense.bias.value': { shape: [5], data: new Float32Array(5).fill(Number.NaN) },
    };
    expect(() => freeze({ ...posterior, learned })).toThrow(/0\.dense\.bias\.value holds NaN at position 0/);
  });
});

describe('the golden network', () => {
  const model = defineModel({
    input: { type: 'uint8', shape: [37], scale: 1 },
    layers: [dense({ units: 19 }), binary(), dense({ units: 10 }), readout()],
  });
  const network: Network = {
    model,
    choice: { weights: 'mean' },
    classNames: [...'0123456789'],
    members: [
      {
        '0.dense.weight': { values: 'binary', shape: [37, 19], data: signs(golden.weights) },
        '0.dense.gain': { values: 'real', shape: [19], data: new Float32Array(19).fill(1) },
        '0.dense.bias': {
          values: 'real',
          shape: [19],
          data: Float32Array.from(golden.firesAbove, (limit) => -limit),
        },
        '2.dense.weight': { values: 'binary', shape: [19, 10], data: signs(golden.readoutWeights) },
        '2.dense.gain': { values: 'real', shape: [10], data: Float32Array.from(golden.scale) },
        '2.dense.bias': { values: 'real', shape: [10], data: Float32Array.from(golden.bias) },
      },
    ],
  };
  const inputs = Uint8Array.from(golden.inputs.flat());

  it('is what the oracle computes', () => {
    const found = runOracle(network, network.members[0]!, inputs);
    expect([...found.layers['1.binary']!]).toEqual(golden.hidden.flat());
    golden.logits.flat().forEach((value, index) => expect(found.logits[index]).toBeCloseTo(value, 6));
  });

  it('is what the exported graph computes', async () => {
    const exported = await load(toOnnx(network), { observe: ['1.binary'] });
    const outputs = await exported.run(inputs);
    expect([...outputs['1.binary']!.data].map((byte) => byte / 255)).toEqual(golden.hidden.flat());
    golden.logits.flat().forEach((value, index) => expect(outputs.logits!.data[index]).toBeCloseTo(value, 5));
  });
});

describe('toOnnx', () => {
  it('agrees with the oracle on random networks of odd widths, gains of either sign and zero', async () => {
    let neurons = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const random = Random.fromSeed(seed, 'widths');
      const [size, first, second, classes] = [1, 1, 1, 2].map((least) => least + random.nextBelow(60)) as [
        number,
        number,
        number,
        number,
      ];
      const model = bytesModel(size, [first, second, classes], random.nextBelow(3) - 1);
      const found = await differences(randomNetwork(model, seed), randomBytes(20 * size, seed));
      expect(found.spikes).toBe(0);
      expect(found.logits).toBeLessThan(1e-5);
      neurons += found.neurons;
    }
    expect(neurons).toBeGreaterThan(40_000);
  });

  it('does not fire at exactly the threshold', async () => {
    // The only sums are −1 and +1; with gain 1, bias 1 the currents are 0 and 2.
    const model = defineModel({
      input: { type: 'uint8', shape: [1], scale: 1 },
      layers: [dense({ units: 2 }), binary(), dense({ units: 2 }), readout()],
    });
    const network: Network = {
      model,
      choice: { weights: 'mean' },
      classNames: ['off', 'on'],
      members: [
        {
          '0.dense.weight': { values: 'binary', shape: [1, 2], data: Int8Array.of(-1, 1) },
          '0.dense.gain': pair([1, 1]),
          '0.dense.bias': pair([1, -1]),
          '2.dense.weight': { values: 'binary', shape: [2, 2], data: Int8Array.of(1, 1, 1, 1) },
          '2.dense.gain': pair([1, 1]),
          '2.dense.bias': pair([0, 0]),
        },
      ],
    };
    const exported = await load(toOnnx(network), { observe: ['1.binary'] });
    const { data } = (await exported.run(Uint8Array.of(1, 2, 0)))['1.binary']!;
    // Inputs 1, 2 and 0 give the currents (0, 0), (−1, 1) and (1, −1).
    expect([...data]).toEqual([0, 0, 0, 255, 255, 0]);
  });

  it('agrees with the oracle for real inputs, away from thresholds', async () => {
    const model = denseModel({ type: 'float32', shape: [33] }, [21, 4]);
    const inputs = new Float32Array(33 * 50);
    NoiseSource.fromSeed(5, 'inputs').fillGaussian(inputs);
    const found = await differences(randomNetwork(model, 9), inputs);
    expect(found).toMatchObject({ spikes: 0, neurons: 50 * 21 });
    expect(found.logits).toBeLessThan(1e-5);
  });

  it('averages the probabilities of an ensemble in one graph', async () => {
    const model = bytesModel(30, [17, 9, 3]);
    const network = randomNetwork(model, 4, 5);
    const inputs = randomBytes(30 * 25, 4);
    expect((await differences(network, inputs)).spikes).toBe(0);
    const { probabilities, member_probabilities: members } = await (await load(toOnnx(network))).run(inputs);
    expect(members!.dims).toEqual([5, 25, 3]);
    for (let place = 0; place < 75; place++) {
      const mean = [0, 1, 2, 3, 4].reduce((sum, index) => sum + members!.data[index * 75 + place]! / 5, 0);
      expect(probabilities!.data[place]).toBeCloseTo(mean, 6);
    }
    network.members.forEach((member, index) => {
      const { logits } = runOracle(network, member, inputs);
      for (let row = 0; row < 25; row++) {
        const powers = [...logits.subarray(row * 3, row * 3 + 3)].map(Math.exp);
        const total = powers.reduce((sum, power) => sum + power, 0);
        powers.forEach((power, column) =>
          expect(members!.data[index * 75 + row * 3 + column]).toBeCloseTo(power / total, 5),
        );
      }
    });
  });

  it('writes one bit per weight, standard operators and the same bytes each time', () => {
    const network = randomNetwork(bytesModel(784, [256, 10]), 3);
    const bytes = toOnnx(network);
    expect(toOnnx(network)).toEqual(bytes);
    const weights = 784 * 256 + 256 * 10;
    expect(bytes.length).toBeLessThan((weights * 1.02) / 8 + 16 * 1024);
    const { graph, opsets, irVersion, functions } = readModel(bytes);
    expect([...opsets]).toEqual([
      ['', 21],
      ['bitspike', 1],
    ]);
    expect(irVersion).toBe(10);
    expect(functions.map(({ name }) => name)).toEqual(['BinaryDense', 'Dense']);
    expect(reportOnnx(bytes, 'file').standard).toBe(true);
    const packed = tensorData([...graph.initializers].find(([name]) => name === '0.dense.weight')![1]);
    expect(packed.dims).toEqual([(784 * 256) / 8]);
  });

  it('runs in a script that knows nothing but onnxruntime', async () => {
    const network = randomNetwork(bytesModel(20, [11, 4]), 6);
    const session = await InferenceSession.create(toOnnx(network));
    const input = new Tensor('uint8', randomBytes(20 * 3, 6), [3, 20]);
    const { logits } = await session.run({ input });
    const oracle = runOracle(network, network.members[0]!, randomBytes(20 * 3, 6));
    [...(logits!.data as Float32Array)].forEach((value, index) =>
      expect(value).toBeCloseTo(oracle.logits[index]!, 4),
    );
  });

  it('refuses sums that float32 could not hold exactly', () => {
    const model = bytesModel(65_794, [1, 2]);
    expect(() => toOnnx(randomNetwork(model, 1))).toThrow(
      /sums 65794 inputs of up to 255.*at most 65793 inputs/,
    );
  });
});

describe('packBits', () => {
  it('puts the first sign into the lowest bit', () => {
    expect([...packBits(Int8Array.of(1, -1, -1, -1, -1, -1, -1, 1, 1))]).toEqual([0b1000_0001, 1]);
  });
});
