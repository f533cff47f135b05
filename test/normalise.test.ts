import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { runOracle, toOnnx } from '../export/index.ts';
import { load } from '../runtime/index.ts';
import { binary, conv2d, defineModel, dense, flatten, normalise, readout } from '../schemas/index.ts';
import { normalised } from '../train/plane-moments.ts';
import { lineOf } from './support/error-line.ts';
import { randomBytes, randomNetwork } from './support/networks.ts';
import { runEagerly, runTraced, randomFeeds, smallState, smallStep } from './support/training.ts';

const mean = [0.5, 0.4, 0.3];
const deviation = [0.25, 0.2, 0.5];

describe('normalise', () => {
  test('shifts and scales each channel', async () => {
    await tf.setBackend('cpu');
    const { mean: found, ...rest } = normalised(
      {
        mean: tf.tensor2d([
          [1, 0.4, 0.8],
          [0, 0.6, 0.3],
        ]),
      },
      mean,
      deviation,
    );
    expect(Array.from(found.dataSync(), (value) => Math.round(value * 1e6) / 1e6)).toEqual([
      2, 0, 1, -2, 1, 0,
    ]);
    expect(rest).toEqual({});
  });

  test('wants a mean and a deviation per channel', async () => {
    const layers = [dense({ units: 2 }), readout()];
    expect(
      await lineOf(() => defineModel({ input: [4], layers: [normalise({ mean, deviation }), ...layers] })),
    ).toBe('normalise: has 3 means and 3 deviations for an input of [4]; expected 4 of each');
    expect(await lineOf(() => normalise({ mean: [0], deviation: [0] }))).toContain('deviation.0');
  });

  const pixels = { type: 'uint8', shape: [6, 5, 3], scale: 1 / 255 } as const;
  test.each([
    [
      'before a convolution',
      pixels,
      [conv2d({ filters: 4, size: 3 }), binary(), flatten(), dense({ units: 3 }), readout()],
    ],
    [
      'before a dense layer',
      { ...pixels, shape: [3] },
      [dense({ units: 8 }), binary(), dense({ units: 3 }), readout()],
    ],
    [
      'after flattening',
      { ...pixels, shape: [1, 1, 3] },
      [flatten(), dense({ units: 8 }), binary(), dense({ units: 3 }), readout()],
    ],
  ] as const)('exported, %s', async (_, input, layers) => {
    const network = randomNetwork(
      defineModel({ input, layers: [normalise({ mean, deviation }), ...layers] }),
      5,
    );
    const size = input.shape.reduce((product: number, axis) => product * axis, 1);
    const inputs = randomBytes(9 * size, 2);
    const { logits } = runOracle(network, network.members[0]!, inputs);
    // By hand: what the layer gives, fed to the same network without it.
    const plain = { ...network, model: defineModel({ input: input.shape, layers: [...layers] }) };
    const members = Object.fromEntries(
      Object.entries(network.members[0]!).map(([name, tensor]) => [
        name.replace(/^\d+/, (index) => String(Number(index) - 1)),
        tensor,
      ]),
    );
    const values = Float32Array.from(inputs, (byte, at) => (byte / 255 - mean[at % 3]!) / deviation[at % 3]!);
    const byHand = runOracle(plain, members, values).logits;
    logits.forEach((value, at) => expect(value).toBeCloseTo(byHand[at]!, 4));

    const loaded = await load(toOnnx(network));
    const { data: found } = (await loaded.run(inputs)).logits!;
    logits.forEach((value, at) => expect(found[at]).toBeCloseTo(value, 4));
    await loaded.close();
  });

  test('trained: traced and eager steps agree', async () => {
    const model = defineModel({
      input: [3],
      layers: [normalise({ mean, deviation }), dense({ units: 5 }), binary(), dense({ units: 4 }), readout()],
    });
    const step = smallStep({}, model);
    const state = smallState(undefined, model);
    const feeds = randomFeeds(step, 3);
    const eager = await runEagerly(step, state, feeds);
    const traced = await runTraced(step, state, feeds, { reports: [], gradients: true });
    for (const [name, values] of Object.entries(eager.gradients))
      values.forEach((value, at) => expect(traced.gradients[name]![at]).toBeCloseTo(value, 5));
  });
});
