import { describe, expect, test } from 'vitest';
import { runOracle, toOnnx } from '../export/index.ts';
import { load } from '../runtime/index.ts';
import {
  adaptiveLif,
  binary,
  cubaLif,
  defineModel,
  dense,
  integrateAndFire,
  leakyIntegrator,
  lif,
  type Model,
  type ModelDefinition,
  readout,
  recurrent,
} from '../schemas/index.ts';
import { stepsOf } from '../schemas/model.ts';
import { Random } from '../schemas/random.ts';
import { randomBytes, randomNetwork } from './support/networks.ts';

const spikes = { type: 'uint8', shape: [13], scale: 1 } as const;

const networks: Record<string, ModelDefinition> = {
  'integrate and fire': {
    input: spikes,
    steps: 7,
    layers: [dense({ units: 9 }), integrateAndFire(), dense({ units: 5 }), readout()],
  },
  'LIF that subtracts': {
    input: spikes,
    steps: 9,
    layers: [
      dense({ units: 9 }),
      lif({ threshold: 0.7, decay: 0.9 }),
      dense({ units: 6 }),
      lif(),
      dense({ units: 5 }),
      readout({ over: 'maximum' }),
    ],
  },
  'LIF that empties, with learned decays and thresholds': {
    input: spikes,
    steps: 6,
    layers: [
      dense({ units: 9 }),
      lif({ reset: 'zero', learnDecay: true, learnThreshold: true }),
      dense({ units: 5 }),
      readout({ over: 'last' }),
    ],
  },
  'LIF without reset, on inputs that are no whole numbers': {
    input: { type: 'uint8', shape: [13], scale: 1 / 255 },
    steps: 6,
    layers: [dense({ units: 9 }), lif({ reset: 'none' }), dense({ units: 5 }), readout()],
  },
  'adaptive LIF': {
    input: spikes,
    steps: 8,
    layers: [dense({ units: 9 }), adaptiveLif({ adaptation: 0.4 }), dense({ units: 5 }), readout()],
  },
  'LIF with synapses': {
    input: spikes,
    steps: 8,
    layers: [
      dense({ units: 9 }),
      cubaLif(),
      dense({ units: 5 }),
      leakyIntegrator(),
      readout({ over: 'last' }),
    ],
  },
  'recurrent layers': {
    input: spikes,
    steps: 8,
    layers: [
      recurrent({ units: 9, neuron: lif({ threshold: 0.5 }) }),
      recurrent({ units: 7, neuron: adaptiveLif({ reset: 'zero' }) }),
      dense({ units: 5 }),
      readout(),
    ],
  },
  'binary neurons at every step': {
    input: { type: 'uint8', shape: [13], scale: 0.25 },
    steps: 4,
    layers: [
      dense({ units: 9 }),
      binary({ threshold: 0.3 }),
      dense({ units: 6 }),
      lif(),
      dense({ units: 5 }),
      readout(),
    ],
  },
};

/** Inputs as the runtime takes them, [batch, time, …], and as the oracle does, [time × batch, …]. */
function inputsOf(model: Model, batch: number, seed: number) {
  const width = model.input.shape.reduce((product, size) => product * size, 1);
  const steps = stepsOf(model);
  const examples = randomBytes(
    batch * steps * width,
    seed,
    model.input.type === 'uint8' && model.input.scale === 1 ? 2 : 255,
  );
  const turned = new Uint8Array(examples.length);
  examples.forEach((byte, index) => {
    const [example, step] = [Math.floor(index / (steps * width)), Math.floor(index / width) % steps];
    turned[(step * batch + example) * width + (index % width)] = byte;
  });
  return { examples, turned };
}

describe('a spiking network in onnxruntime fires exactly as the reference does', () => {
  test.each(Object.entries(networks))('%s', async (_name, definition) => {
    const model = defineModel(definition);
    let fired = 0;
    let neurons = 0;
    for (const [members, seed] of [
      [1, 1],
      [1, 2],
      [3, 3],
    ] as const) {
      const network = randomNetwork(model, seed, members);
      const { examples, turned } = inputsOf(model, 5, Random.fromSeed(seed, 'inputs').nextBelow(1000));
      const bytes = toOnnx(network);
      const { layers } = (await load(bytes)).description;
      const exported = await load(bytes, { observe: layers.flat() });
      const outputs = await exported.run(examples);
      for (const [index, member] of network.members.entries()) {
        const oracle = runOracle(network, member, turned);
        for (const name of layers[index]!) {
          const expected = Array.from(oracle.layers[name.replace(/^member\d+\./, '')]!);
          const found = Array.from(outputs[name]!.data, (value) => (value > 0 ? 1 : 0));
          expect(found, name).toEqual(expected);
          fired += found.filter(Boolean).length;
          neurons += found.length;
        }
        if (members > 1) continue;
        oracle.logits.forEach((logit, place) => {
          expect(Math.abs(outputs.logits!.data[place]! - logit)).toBeLessThan(
            1e-5 * Math.max(1, Math.abs(logit)),
          );
        });
      }
      await exported.close();
    }
    // A network that never fires, or always, would show nothing.
    expect(fired).toBeGreaterThan(0.02 * neurons);
    expect(fired).toBeLessThan(0.98 * neurons);
  });
});
