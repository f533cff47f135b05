import type { FrozenTensor, Member, Network } from '../../export/index.ts';
import {
  binary,
  defineModel,
  dense,
  type InputSpec,
  type Model,
  type ParameterRole,
  classesOf,
  parametersOf,
  readout,
} from '../../schemas/index.ts';
import { Random } from '../../schemas/random.ts';

/** A network of dense and binary layers, the last of `widths` being the classes. */
export function denseModel(input: InputSpec, widths: readonly number[], threshold = 0): Model {
  const hidden = widths.slice(0, -1).flatMap((units) => [dense({ units }), binary({ threshold })]);
  return defineModel({ input, layers: [...hidden, dense({ units: widths.at(-1)! }), readout()] });
}

/** Real numbers that a channel may have: of either sign, and zero now and then. */
const realOf = (random: Random): number => (random.nextBelow(12) === 0 ? 0 : random.nextUniform() * 4 - 2);

const realFor = (role: ParameterRole, random: Random): number => {
  if (role === 'decay') return random.nextUniform();
  return role === 'threshold' ? random.nextUniform() * 2 : realOf(random);
};

/** Random frozen parameters. The same seed gives the same. */
export function randomMember(model: Model, seed: number): Member {
  const random = Random.fromSeed(seed, 'member');
  const member: Record<string, FrozenTensor> = {};
  for (const [name, { role, shape, perStep, noSelfConnection }] of Object.entries(parametersOf(model))) {
    const size = shape.reduce((product, length) => product * length, 1);
    member[name] =
      role === 'weight'
        ? {
            values: 'binary',
            shape,
            data: Int8Array.from({ length: size }, (_, index) => {
              const sign = random.nextBelow(2) ? 1 : -1;
              return noSelfConnection && index % ((shape[0] as number) + 1) === 0 ? 0 : sign;
            }),
          }
        : {
            values: 'real',
            shape,
            data: Float32Array.from({ length: size }, () => realFor(role, random)),
            ...(perStep && { perStep }),
          };
  }
  return member;
}

/** A frozen network, or an ensemble, of random parameters. */
export function randomNetwork(model: Model, seed: number, members = 1): Network {
  return {
    model,
    choice: members === 1 ? { weights: 'mean' } : { weights: 'sample', count: members, seed },
    members: Array.from({ length: members }, (_, index) => randomMember(model, seed * 100 + index)),
    classNames: Array.from({ length: classesOf(model) }, (_, index) => `class ${index}`),
  };
}

export const randomBytes = (count: number, seed: number, most = 255): Uint8Array => {
  const random = Random.fromSeed(seed, 'inputs');
  return Uint8Array.from({ length: count }, () => random.nextBelow(most + 1));
};
