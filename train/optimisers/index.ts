import { z } from 'zod';
import { adam, adamSchema } from './adam.ts';
import type { Optimiser } from './optimiser.ts';
import { sgd, sgdSchema } from './sgd.ts';

export type { Moving, Optimiser, StepNumbers } from './optimiser.ts';

/** An optimiser as plain data. */
export const optimiserSchema = z.discriminatedUnion('kind', [adamSchema, sgdSchema], {
  error: 'expected kind adam or sgd',
});

/** An optimiser as plain data: Adam, or stochastic gradient descent with momentum. */
export type OptimiserOptions = z.output<typeof optimiserSchema>;
/** The name of an optimiser. */
export type OptimiserKind = OptimiserOptions['kind'];
export type OptimiserOptionsOf<Kind extends OptimiserKind> = Extract<OptimiserOptions, { kind: Kind }>;

/** The optimiser of every kind, by its options. */
const optimisers: { readonly [Kind in OptimiserKind]: (options: OptimiserOptionsOf<Kind>) => Optimiser } = {
  adam,
  sgd,
};

export const defaultOptimiser: OptimiserOptions = adamSchema.parse({ kind: 'adam' });

/** The optimiser that plain data describe. */
export function optimiserOf(options: OptimiserOptions): Optimiser {
  const make: (options: never) => Optimiser = optimisers[options.kind];
  return make(options as never);
}
