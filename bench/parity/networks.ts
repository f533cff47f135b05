import { type FrozenTensor, type Member, type Network, toOnnx } from '../../export/index.ts';
import {
  binary,
  classesOf,
  conv2d,
  defineModel,
  dense,
  flatten,
  lif,
  maxPool,
  type Model,
  type ParameterRole,
  parametersOf,
  Random,
  readout,
  recurrent,
  residual,
} from '../../schemas/index.ts';

const pixels = { type: 'uint8', scale: 1 / 255 } as const;
const spikes = { type: 'uint8', scale: 1 } as const;
const pair = (filters: number) => [conv2d({ filters, size: 3 }), binary()];
const answer = [dense({ units: 5 }), readout()];

/** One network of each kind whose bits must be the same everywhere: small, with sides that no vector width divides. */
export const parityModels: Readonly<Record<string, Model>> = {
  dense: defineModel({
    input: { ...pixels, shape: [61] },
    layers: [dense({ units: 67 }), binary(), dense({ units: 33 }), binary(), ...answer],
  }),
  conv: defineModel({
    input: { ...pixels, shape: [9, 9, 2] },
    layers: [...pair(7), maxPool({ size: 3 }), ...pair(5), flatten(), ...answer],
  }),
  residual: defineModel({
    input: { ...pixels, shape: [6, 6, 3] },
    layers: [...pair(5), residual({ layers: pair(5) }), ...pair(6), flatten(), ...answer],
  }),
  lif: defineModel({
    input: { ...spikes, shape: [37] },
    steps: 20,
    layers: [dense({ units: 41 }), lif(), dense({ units: 19 }), lif(), ...answer],
  }),
  recurrent: defineModel({
    input: { ...spikes, shape: [23] },
    steps: 20,
    layers: [recurrent({ units: 29, neuron: lif() }), ...answer],
  }),
};

/** A frozen network of random weights as .onnx. The same seed gives the same. */
export function parityNetwork(model: Model, seed: number): Uint8Array {
  const network: Network = {
    model,
    choice: { weights: 'mean' },
    members: [randomMember(model, Random.fromSeed(seed, 'parity weights'))],
    classNames: Array.from({ length: classesOf(model) }, (_, index) => String(index)),
  };
  return toOnnx(network);
}

function randomMember(model: Model, random: Random): Member {
  const member: Record<string, FrozenTensor> = {};
  for (const [name, { role, shape, noSelfConnection = false }] of Object.entries(parametersOf(model))) {
    const length = shape.reduce((product, size) => product * size, 1);
    const onDiagonal = (index: number) => noSelfConnection && index % ((shape[0] as number) + 1) === 0;
    member[name] =
      role === 'weight'
        ? {
            values: 'binary',
            shape,
            data: Int8Array.from({ length }, (_, index) => {
              const sign = random.nextBelow(2) === 1 ? 1 : -1;
              return onDiagonal(index) ? 0 : sign;
            }),
          }
        : { values: 'real', shape, data: Float32Array.from({ length }, () => realFor(role, random)) };
  }
  return member;
}

/** Of sizes at which layers neither fall silent nor fire always. */
function realFor(role: ParameterRole, random: Random): number {
  if (role === 'decay') return 0.5 + random.nextUniform() / 2;
  if (role === 'threshold') return 0.5 + random.nextUniform();
  return random.nextUniform() * 2 - 1;
}

/** Seeded inputs of a model, `count` examples one after another: pixels 0 … 255, or spikes of which a third fire. */
export function parityInputs(model: Model, count: number, seed: number): Uint8Array {
  const random = Random.fromSeed(seed, 'parity inputs');
  const { shape } = model.input;
  const length = shape.reduce((product, size) => product * size, count * (model.steps ?? 1));
  const isSpikes = model.steps !== undefined;
  return Uint8Array.from({ length }, () =>
    isSpikes ? Number(random.nextBelow(3) === 0) : random.nextBelow(256),
  );
}
