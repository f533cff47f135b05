import { z } from 'zod';
import { UserError } from '../../schemas/errors.ts';
import { type Estimator, type EstimatorKind, isOfLibrary } from './estimator.ts';
import { estimators } from './index.ts';

const settingsOf = <Kind extends string, Shape extends z.ZodRawShape>({
  kind,
  shape,
}: EstimatorKind<Kind, Shape>) => z.strictObject({ kind: z.literal(kind), ...shape });

/** One's own estimator: what is known of it without its code. */
const ownSettings = z.strictObject({
  kind: z.literal('own'),
  name: z.string().min(1),
  options: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])),
  noise: z.enum(['gaussian', 'logistic', 'none']),
});

const plainSettings = z.discriminatedUnion('kind', [
  settingsOf(estimators.straightThrough),
  settingsOf(estimators.importanceWeighted),
  settingsOf(estimators.analyticalGumbelRao),
  settingsOf(estimators.gumbelSoftmax),
  settingsOf(estimators.straightThroughGumbelSoftmax),
  settingsOf(estimators.surrogate),
  ownSettings,
]);

type PlainSettings = z.input<typeof plainSettings>;

/** An estimator as plain data. An `Estimator` is accepted too, and becomes the plain data that describe it. */
export const estimatorSchema = z.preprocess(
  (given: PlainSettings | Estimator) => (isEstimator(given) ? describe(given) : given),
  plainSettings,
);

export type EstimatorSettings = z.output<typeof estimatorSchema>;

const isEstimator = (given: unknown): given is Estimator =>
  typeof given === 'object' && given !== null && 'spike' in given && typeof given.spike === 'function';

const describe = (estimator: Estimator): unknown => {
  const { name, options, noise } = estimator;
  return isOfLibrary(estimator) ? { kind: name, ...options } : { kind: 'own', name, options, noise };
};

/**
 * The estimator that a training uses: the one it was given, or the one that plain data describe.
 *
 * @throws UserError where the data describe one's own estimator and it was not given
 */
export function estimatorOf(settings: EstimatorSettings, given?: unknown): Estimator {
  if (isEstimator(given)) return given;
  const { kind, ...options } = settings;
  if (kind === 'own') {
    throw new UserError(
      `train: the estimator '${settings.name}' is your own, and its code is in no file; pass the same one again as estimator`,
    );
  }
  const make: (options: never) => Estimator = estimators[kind];
  return make(options as never);
}
