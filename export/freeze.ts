import { z } from 'zod';
import { UserError } from '../schemas/errors.ts';
import { checkOptions } from '../schemas/layer.ts';
import { type GaussianLikelihood, kept } from '../schemas/likelihood.ts';
import { type Model, parametersOf } from '../schemas/model.ts';
import { checkPosterior, decayOfRaw, learnedTensor, type Posterior } from '../schemas/posterior.ts';
import { Random } from '../schemas/random.ts';
import { decisions, type FrozenTensor, type UncertainWeight, type Way } from './decisions.ts';
import { layersOf, type Named } from './layers.ts';

/** The parameters of one network, by name. */
export type Member = Readonly<Record<string, FrozenTensor>>;

const freezeSchema = z.discriminatedUnion('weights', [
  z.strictObject({ weights: z.literal('mean') }),
  z.strictObject({
    weights: z.literal('sample'),
    count: z
      .int()
      .positive()
      .default(1)
      .meta({ description: 'Number of networks drawn; more than one is an ensemble.' }),
    seed: z.int().min(0).meta({ description: 'Seed of the draw.' }),
  }),
  z.strictObject({ weights: z.literal('real') }),
]);

/** How the weights were chosen. */
export type FreezeChoice = z.output<typeof freezeSchema>;
/** How weights are to be chosen: `{ weights: 'mean' }`, `{ weights: 'sample', count, seed }` or `{ weights: 'real' }`. */
export type FreezeOptions = z.input<typeof freezeSchema>;

/** A network whose weights are decided, or an ensemble of them. */
export interface Network {
  readonly model: Model;
  /** `recalibrated`: on how many examples the biases were moved after freezing, where they were. */
  readonly choice: FreezeChoice & { readonly recalibrated?: number };
  /** One for `mean` and `real`, `count` for `sample`. */
  readonly members: readonly Member[];
  readonly classNames: readonly string[];
  /** Of a regression; without it outputs are the logits of classes. */
  readonly likelihood?: GaussianLikelihood;
}

/**
 * Decides every weight. The posterior stays as it was.
 *
 * - `mean`: sign(E[w]), and +1 where both signs are as likely. Of Gaussian weights each channel's gain takes their
 *   mean size, so that one bit per weight is left.
 * - `sample`: `count` networks drawn from the posterior, Bernoulli weights at its temperature. The same seed gives
 *   the same networks, and the first of eight is the one that a count of one gives. Gaussian draws are real.
 * - `real`: the means of Gaussian weights as they are, in float32.
 *
 * @throws UserError for options that do not fit, or a posterior that does not fit its model
 */
export function freeze(posterior: Posterior, options: FreezeOptions = { weights: 'mean' }): Network {
  const choice = checkOptions(freezeSchema, options, 'freeze');
  checkPosterior(posterior, 'freeze');
  const { model, classNames, likelihood } = posterior;
  const count = choice.weights === 'sample' ? choice.count : 1;
  const seed = choice.weights === 'sample' ? choice.seed : 0;
  const members = Array.from({ length: count }, (_, index) =>
    freezeMember(posterior, choice.weights, (name) => Random.fromSeed(seed, `member ${index} ${name}`)),
  );
  return { model, choice, classNames, ...kept(likelihood), members };
}

function freezeMember(posterior: Posterior, way: Way, randomOf: (name: string) => Random): Member {
  const decide = decisions(posterior)[way];
  if (!decide) {
    throw new UserError(
      `freeze: weights '${way}' are for a Gaussian posterior; those of this one are −1 and +1: take 'mean' or 'sample'`,
    );
  }
  const member: Record<string, FrozenTensor> = {};
  for (const { weights, gain } of layersOf(posterior.model)) {
    const decided = decide({
      weights: weights.map((weight) => uncertain(posterior, weight, randomOf)),
      gain: learnedTensor(posterior, `${gain.name}.value`).data,
    });
    weights.forEach(({ name, noSelfConnection }, index) => {
      const tensor = decided.weights[index] as FrozenTensor;
      member[name] = noSelfConnection ? withoutSelf(tensor) : tensor;
    });
    member[gain.name] = { values: 'real', shape: gain.shape, data: decided.gain };
  }
  // What is learned as a point stays what it is.
  for (const [name, { role, shape, perStep }] of Object.entries(parametersOf(posterior.model))) {
    if (perStep && member[name]) member[name] = { ...member[name], perStep } as FrozenTensor;
    member[name] ??= {
      values: 'real',
      ...(perStep && { perStep }),
      shape,
      data:
        role === 'decay'
          ? learnedTensor(posterior, `${name}.raw`).data.map(decayOfRaw)
          : learnedTensor(posterior, `${name}.value`).data,
    };
  }
  return member;
}

/** 0 on the diagonal: a unit has no weight on itself. */
function withoutSelf(tensor: FrozenTensor): FrozenTensor {
  const [size = 0] = tensor.shape;
  const data = tensor.data.slice();
  for (let unit = 0; unit < size; unit++) data[unit * size + unit] = 0;
  return { ...tensor, data } as FrozenTensor;
}

const uncertain = (
  posterior: Posterior,
  { name, shape }: Named,
  randomOf: (name: string) => Random,
): UncertainWeight => ({
  shape,
  part: (part) => learnedTensor(posterior, `${name}.${part}`).data,
  random: () => randomOf(name),
});
