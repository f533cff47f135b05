import { describe, expect, test } from 'vitest';
import { runOracle, toOnnx } from '../export/index.ts';
import { describe as describeModel } from '../schemas/description.ts';
import { binary, defineModel, dense, lif, readout } from '../schemas/index.ts';
import { sizeOf } from '../schemas/layer.ts';
import { stepsOf } from '../schemas/model.ts';
import { type Model as OnnxModel, readModel, type Value, writeModel } from '../schemas/onnx/index.ts';
import { Random } from '../schemas/random.ts';
import { lineOf } from './support/error-line.ts';
import { randomBytes, randomNetwork } from './support/networks.ts';
import { openPlain, openStream, places } from './support/plain-sessions.ts';
import { timeNetworks } from './support/time-networks.ts';

/** The same file with the spikes of its layers as outputs, and their names per member. */
function observed(bytes: Uint8Array): { model: Uint8Array; layers: readonly (readonly string[])[] } {
  const model: OnnxModel = readModel(bytes);
  const { layers } = describeModel(model, 'observed');
  for (const name of layers.flat()) model.graph.output(name as Value, 'uint8');
  return { model: writeModel(model), layers };
}

/** Steps of every call, at random from 1 on, the whole sequence in the end. */
function chunksOf(steps: number, random: Random): number[] {
  const chunks: number[] = [];
  for (let left = steps; left > 0; left -= chunks.at(-1)!)
    chunks.push(1 + random.nextBelow(Math.min(left, 4)));
  return chunks;
}

const BATCH = 3;
const answers = [
  'logits',
  'probabilities',
  'member_probabilities',
  'predictive_entropy',
  'mutual_information',
];

describe.each(places)('a stream on %s', (where) => {
  test.each(Object.entries(timeNetworks))(
    'says what the whole sequence does: %s',
    async (_name, definition) => {
      const model = defineModel(definition);
      const [steps, size] = [stepsOf(model), sizeOf(model.input.shape)];
      const most = model.input.type === 'uint8' && model.input.scale === 1 ? 2 : 255;
      let fired = 0;
      let neurons = 0;
      for (const [members, seed] of [
        [1, 1],
        [3, 2],
      ] as const) {
        const network = randomNetwork(model, seed, members);
        const inputs = randomBytes(steps * BATCH * size, seed, most);
        const { model: bytes, layers } = observed(toOnnx(network, { form: 'stream' }));
        const stream = await openStream(bytes, where);
        const session = await openPlain(toOnnx(network), where);
        const whole = await session.run({
          input: { type: 'uint8', dims: [steps, BATCH, ...model.input.shape], data: inputs },
        });
        await session.release();

        const random = Random.fromSeed(seed, 'chunks');
        const atOnce = await stream.feed(inputs, BATCH, [steps]);
        for (const chunks of [Array(steps).fill(1), chunksOf(steps, random), chunksOf(steps, random)]) {
          const calls = await stream.feed(inputs, BATCH, chunks);
          const last = calls.at(-1)!;
          // However it is cut, the last call gives the same bits.
          const others = Object.keys(last).filter((name) => !layers.flat().includes(name));
          for (const name of others) expect(last[name]!.data, name).toEqual(atOnce[0]![name]!.data);
          for (const name of answers) {
            if (!whole[name]) continue;
            Array.from(whole[name].data as Float32Array).forEach((value, at) =>
              expect(last[name]!.data[at]).toBeCloseTo(Number(value), 5),
            );
          }
          network.members.forEach((member, index) => {
            const oracle = runOracle(network, member, inputs);
            for (const name of layers[index]!) {
              const expected = Array.from(oracle.layers[name.replace(/^member\d+\./, '')]!);
              const found = calls.flatMap((outputs) =>
                Array.from(outputs[name]!.data as Uint8Array, (value) => (value > 0 ? 1 : 0)),
              );
              expect(found, name).toEqual(expected);
              fired += found.filter(Boolean).length;
              neurons += found.length;
            }
          });
        }
      }
      expect(fired).toBeGreaterThan(0.02 * neurons);
      expect(fired).toBeLessThan(0.98 * neurons);
    },
  );
});

const real = (...values: number[]) =>
  ({ values: 'real', shape: [2], data: Float32Array.from(values) }) as const;

test('the largest of negative currents is none of before the stream', async () => {
  const model = defineModel({
    input: { type: 'uint8', shape: [1], scale: 1 },
    steps: 3,
    layers: [dense({ units: 2 }), readout({ over: 'maximum' })],
  });
  const network = {
    ...randomNetwork(model, 1),
    members: [
      {
        '0.dense.weight': { values: 'binary', shape: [1, 2], data: Int8Array.of(1, 1) } as const,
        '0.dense.gain': real(-1, 1),
        '0.dense.bias': real(-3, -9),
      },
    ],
  };
  const stream = await openStream(toOnnx(network, { form: 'stream' }), 'cpu');
  const calls = await stream.feed(Uint8Array.of(2, 1, 4), 1, [1, 1, 1]);
  expect(calls.map(({ logits }) => Array.from(logits!.data, Number))).toEqual([
    [-5, -7],
    [-4, -7],
    [-4, -5],
  ]);
});

test('names its states, of members by member', () => {
  const model = defineModel(timeNetworks['recurrent layers']!);
  const { states } = describeModel(readModel(toOnnx(randomNetwork(model, 1, 2), { form: 'stream' })), 'file');
  expect(states).toContainEqual({
    name: 'member1.0.recurrent.neuron.membrane',
    input: 'state.member1.0.recurrent.neuron.membrane',
    output: 'next.member1.0.recurrent.neuron.membrane',
    type: 'float32',
    dims: ['batch', 9],
  });
});

test('refuses a network without time, and a layer with a state in it', async () => {
  const layers = [dense({ units: 2 }), binary(), dense({ units: 2 }), readout()];
  const model = defineModel({ input: [4], layers });
  expect(await lineOf(() => toOnnx(randomNetwork(model, 1), { form: 'stream' }))).toContain(
    'export: the network has one step',
  );
  const spiking = defineModel({ input: [4], layers: [dense({ units: 2 }), lif(), ...layers.slice(2)] });
  expect(await lineOf(() => toOnnx(randomNetwork(spiking, 1)))).toContain('export: 1.lif has a state');
});
