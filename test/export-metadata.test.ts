import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { type OnnxOptions, toOnnx } from '../export/index.ts';
import { describe as describeModel } from '../schemas/description.ts';
import {
  adaptiveLif,
  cubaLif,
  defineModel,
  dense,
  leakyIntegrator,
  lif,
  readout,
  recurrent,
} from '../schemas/index.ts';
import { readModel } from '../schemas/onnx/index.ts';
import { sha256 } from '../schemas/sha256.ts';
import { randomNetwork } from './support/networks.ts';

const model = defineModel({
  input: { type: 'uint8', shape: [13], scale: 1 },
  encoder: { kind: 'timeFrames', steps: 8, duration: 2 },
  layers: [
    recurrent({ units: 6, neuron: lif({ threshold: 0.5, decay: 0.9 }) }),
    dense({ units: 5 }),
    lif({ reset: 'zero', learnDecay: true }),
    dense({ units: 5 }),
    lif({ reset: 'none', learnThreshold: true, decay: 0.25 }),
    dense({ units: 5 }),
    adaptiveLif({ adaptation: 0.4, adaptationDecay: 0.5, decay: 0.5 }),
    dense({ units: 5 }),
    cubaLif({ synapseDecay: 0.75, decay: 0.5 }),
    dense({ units: 5 }),
    leakyIntegrator({ decay: 0.5 }),
    readout({ over: 'last' }),
  ],
});

const described = (seed: number, options: OnnxOptions = {}) =>
  describeModel(readModel(toOnnx(randomNetwork(model, seed), options)), 'file');

test('a file tells its equations with their numbers, and what it is fed', () => {
  const { equations, input } = described(1);
  expect(equations).toEqual({
    recurrent: [
      "I = gain * sum + bias, sum = x W + s' R with s' the last spikes; U = 0.9 U + I; s = [U > 0.5]; then U := U - 0.5 s",
    ],
    dense: ['I = gain * sum + bias, sum = x W'],
    lif: [
      'U = decay U + I; s = [U > 1]; then U := U (1 - s)',
      'U = 0.25 U + I; s = [U > threshold]; U stays',
    ],
    adaptiveLif: [
      "U = 0.5 U + I; A = 0.5 A + s' with s' the last spikes; s = [U > 1 + 0.4 A]; then U := U - 1 s",
    ],
    cubaLif: ['J = 0.75 J + I; U = 0.5 U + J; s = [U > 1]; then U := U - 1 s'],
    leakyIntegrator: ['U = 0.5 U + I'],
    readout: ['logits = I of the last step'],
  });
  expect(input).toMatchObject({ type: 'uint8', shape: [13], scale: 1, steps: 8, secondsPerStep: 0.25 });
  expect(input?.encoder).toMatchObject({ kind: 'timeFrames', duration: 2 });
});

test('every form of a network has the same hash, and no other network has it', () => {
  const { network } = described(1);
  expect(network).toMatch(/^[0-9a-f]{64}$/);
  for (const options of [
    { form: 'stream' },
    { target: 'gpu' },
    { opset: 26 },
    { functions: false },
  ] as const) {
    expect(described(1, options).network).toBe(network);
  }
  expect(described(2).network).not.toBe(network);
});

test('hashes are those of SHA-256', () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 1000]) {
    const bytes = Uint8Array.from({ length }, (_, index) => (index * 37 + length) % 256);
    expect(sha256(bytes)).toBe(createHash('sha256').update(bytes).digest('hex'));
  }
});
