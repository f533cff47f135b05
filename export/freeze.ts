import { z } from 'zod';
import { checkOptions, type Shape } from '../schemas/layer.ts';
import { type Model, parametersOf } from '../schemas/model.ts';
import { checkPosterior, learnedTensor, type Posterior } from '../schemas/posterior.ts';
import { Random } from '../schemas/random.ts';

/** A parameter without uncertainty. A binary one holds −1 and +1. */
export type FrozenTensor =
  | { readonly values: 'binary'; readonly shape: Shape; readonly data: Int8Array }
  | { readonly values: 'real'; readonly shape: Shape; readonly data: Float32Array };

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
]);

/** How the weights were chosen. */
export type FreezeChoice = z.output<typeof freezeSchema>;
export type FreezeOptions = z.input<typeof freezeSchema>;

/** A network whose weights are decided, or an ensemble of them. */
export interface Network {
  readonly model: Model;
  readonly choice: FreezeChoice;
  /** One for `mean`, `count` for `sample`. */
  readonly members: readonly Member[];
  readonly classNames: readonly string[];
}

/**
 * Decides every weight: its likelier sign, or a draw from the posterior. The posterior stays as it was.
 *
 * `mean` gives sign(E[w]), and +1 where both signs are as likely. `sample` draws `count` networks; the same seed
 * gives the same networks, and the first of eight is the one that a count of one gives.
 *
 * @throws UserError for options that do not fit, or a posterior that does not fit its model
 */
export function freeze(posterior: Posterior, options: FreezeOptions = { weights: 'mean' }): Network {
  const choice = checkOptions(freezeSchema, options, 'freeze');
  checkPosterior(posterior, 'freeze');
  const { model, classNames } = posterior;
  if (choice.weights === 'mean')
    return { model, choice, classNames, members: [freezeMember(posterior, likelierSigns)] };
  const members = Array.from({ length: choice.count }, (_, index) =>
    freezeMember(posterior, (lambda, name) =>
      drawnSigns(lambda, Random.fromSeed(choice.seed, `member ${index} ${name}`)),
    ),
  );
  return { model, choice, classNames, members };
}

type Signs = (lambda: Float32Array, name: string) => Int8Array;

function freezeMember(posterior: Posterior, signs: Signs): Member {
  const member: Record<string, FrozenTensor> = {};
  for (const [name, { role, shape }] of Object.entries(parametersOf(posterior.model))) {
    member[name] =
      role === 'weight'
        ? { values: 'binary', shape, data: signs(learnedTensor(posterior, `${name}.lambda`).data, name) }
        : { values: 'real', shape, data: learnedTensor(posterior, `${name}.value`).data };
  }
  return member;
}

const likelierSigns: Signs = (lambda) => Int8Array.from(lambda, (value) => (value >= 0 ? 1 : -1));

/** P(+1) = (1 + tanh λ)/2 = 1/(1 + e^(−2λ)). */
function drawnSigns(lambda: Float32Array, random: Random): Int8Array {
  return Int8Array.from(lambda, (value) => (random.nextUniform() * (1 + Math.exp(-2 * value)) < 1 ? 1 : -1));
}
