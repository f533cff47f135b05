import type { Network } from '../../export/index.ts';
import {
  binary,
  conv2d,
  defineModel,
  dense,
  flatten,
  globalAveragePool,
  lif,
  type Model,
  readout,
} from '../../schemas/index.ts';
import { classesOf, parametersOf, stepsOf } from '../../schemas/model.ts';
import { Random } from '../../schemas/random.ts';

/** A network, how many examples it is given at once, and what part of its inputs fires. */
export interface Case {
  readonly model: Model;
  readonly batch: number;
  readonly activity: number;
  /** Steps between turns, where a call takes so long that fewer will do. */
  readonly steps?: number;
}

const bits = (shape: readonly number[]) => ({ type: 'uint8' as const, shape, scale: 1 });

export const wide = (units: number): Model =>
  defineModel({
    input: bits([units]),
    layers: [dense({ units }), binary(), dense({ units: 2 }), readout()],
  });

export const spiking = defineModel({
  input: bits([700]),
  steps: 100,
  layers: [dense({ units: 256 }), lif(), dense({ units: 256 }), lif(), dense({ units: 20 }), readout()],
});

const filters = () => [conv2d({ filters: 64, size: 3 }), binary()] as const;

export const planes = defineModel({
  input: bits([32, 32, 64]),
  layers: [
    ...filters(),
    ...filters(),
    ...filters(),
    ...filters(),
    globalAveragePool(),
    flatten(),
    dense({ units: 2 }),
    readout(),
  ],
});

const dense4096 = wide(4096);

/** One dense layer; the spiking network of the method; four convolutions of 64 channels. */
export const cases = {
  'dense-1024/1': { model: wide(1024), batch: 1, activity: 0.3 },
  'dense-4096/1': { model: dense4096, batch: 1, activity: 0.3 },
  'dense-4096-50%/1': { model: dense4096, batch: 1, activity: 0.5 },
  'dense-4096-5%/1': { model: dense4096, batch: 1, activity: 0.05 },
  'dense-4096/32': { model: dense4096, batch: 32, activity: 0.3, steps: 10 },
  'snn/1': { model: spiking, batch: 1, activity: 0.02 },
  'snn/32': { model: spiking, batch: 32, activity: 0.02, steps: 10 },
  'conv/1': { model: planes, batch: 1, activity: 0.3 },
  'conv/32': { model: planes, batch: 32, activity: 0.3, steps: 3 },
  'stream-step': { model: spiking, batch: 1, activity: 0.02 },
} as const satisfies Record<string, Case>;

export type CaseName = keyof typeof cases;

/** A frozen network of random signs, gains that keep currents near 1, and no biases. */
export function randomNetwork(model: Model, seed: number): Network {
  const random = Random.fromSeed(seed, 'bench of the 1-bit engine');
  const member = Object.entries(parametersOf(model)).map(([name, { role, shape, fanIn }]) => {
    const size = shape.reduce((product, length) => product * length, 1);
    if (role === 'weight') {
      const data = Int8Array.from({ length: size }, () => (random.nextBelow(2) ? 1 : -1));
      return [name, { values: 'binary' as const, shape, data }] as const;
    }
    const amount = role === 'gain' ? 4 / Math.sqrt(fanIn) : 0;
    return [name, { values: 'real' as const, shape, data: new Float32Array(size).fill(amount) }] as const;
  });
  return {
    model,
    choice: { weights: 'mean' },
    members: [Object.fromEntries(member)],
    classNames: Array.from({ length: classesOf(model) }, (_, index) => String(index)),
  };
}

/** Bytes of 0 and 1, time outermost. */
export function inputsOf(
  { model, batch, activity }: Case,
  seed: number,
): { dims: number[]; data: Uint8Array } {
  const random = Random.fromSeed(seed, 'inputs of the bench');
  const steps = stepsOf(model);
  const dims = [...(steps > 1 ? [steps] : []), batch, ...model.input.shape];
  const length = dims.reduce((product, size) => product * size, 1);
  return { dims, data: Uint8Array.from({ length }, () => Number(random.nextUniform() < activity)) };
}
