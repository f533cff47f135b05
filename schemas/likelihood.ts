import { z } from 'zod';

export const gaussianSchema = z.strictObject({
  kind: z.literal('gaussian'),
  deviation: z.number().positive().meta({ description: 'σ of the answers, in their own units.' }),
});

export const likelihoodSchema = z.union([z.literal('categorical'), gaussianSchema], {
  error: "expected 'categorical', or { kind: 'gaussian', deviation } with a deviation above 0",
});

/**
 * What a network's outputs say of an answer.
 *
 * - `categorical`: they are the logits of classes, and the answer is one of them.
 * - `gaussian`: they are means, and every number of the answer is one of N(mean, deviation²).
 */
export type Likelihood = z.output<typeof likelihoodSchema>;

/** Answers are numbers with normal noise of one deviation, in their own units. */
export type GaussianLikelihood = z.output<typeof gaussianSchema>;

/** What a posterior or a frozen network carries of it: nothing where it is categorical. */
export const kept = (likelihood: Likelihood | undefined): { readonly likelihood?: GaussianLikelihood } =>
  likelihood === undefined || likelihood === 'categorical' ? {} : { likelihood };
