import { z } from 'zod';
import { bernoulli } from './bernoulli.ts';
import type { WeightFamily } from './family.ts';
import { gaussian } from './gaussian.ts';

export type { Learned, WeightFamily } from './family.ts';

/** The distribution that a training gives the weights, with what it takes for likely beforehand. */
export const choiceSchema = z.discriminatedUnion('family', [
  z.strictObject({ family: z.literal('bernoulli') }),
  z.strictObject({
    family: z.literal('gaussian'),
    scale: z
      .enum(['layer', 'channel', 'weight'])
      .default('layer')
      .meta({ description: 'Which weights of a layer share a standard deviation.' }),
    prior: z
      .number()
      .positive()
      .default(1)
      .meta({ description: 'Standard deviation of the prior N(0, s²).' }),
  }),
]);

export type PosteriorChoice = z.output<typeof choiceSchema>;

export const bernoulliChoice: PosteriorChoice = { family: 'bernoulli' };

/** How weights of that distribution are trained. */
export const familyOf = (choice: PosteriorChoice): WeightFamily =>
  choice.family === 'bernoulli' ? bernoulli : gaussian(choice);
