import { z } from 'zod';
import { checkOptions } from '../../schemas/layer.ts';
import {
  analyticalGumbelRao,
  type Estimator,
  gumbelSoftmax,
  importanceWeighted,
  straightThrough,
  straightThroughGumbelSoftmax,
  surrogate,
} from '../estimators/index.ts';
import { losses, type LossName } from './losses.ts';
import { type Measurement, measureEstimators } from './measure.ts';
import { medianOf } from './median.ts';
import { examplesOf, labData, labPosterior } from './task.ts';

/** What decides the lab's figures, besides the estimators. */
export const labOptionsSchema = z.strictObject({
  networks: z
    .array(z.array(z.int().positive()).min(1).readonly())
    .min(1)
    .readonly()
    .default([2, 4, 8, 16].map((depth) => Array.from({ length: depth }, () => 4)))
    .meta({ description: 'Widths of the hidden layers of every network to measure on.' }),
  weights: z.enum(['certain', 'bernoulli']).default('certain').meta({
    description: 'What makes neurons noisy: their biases alone, or binary weights too, as in training.',
  }),
  throughVariances: z.boolean().default(false).meta({
    description: 'Lets gradients pass into variances, which training does not.',
  }),
  loss: z
    .enum(Object.keys(losses) as [LossName, ...LossName[]])
    .default('crossEntropy')
    .meta({ description: 'What the gradient is of.' }),
  penalty: z
    .enum(['none', 'membrane', 'bias'])
    .default('bias')
    .meta({ description: 'Penalty of the second training of every network; none leaves it out.' }),
  penaltyWeight: z.number().positive().default(0.003).meta({ description: 'Weight of that penalty.' }),
  steps: z.int().min(0).default(100).meta({ description: 'Training steps before the measurement.' }),
  learningRate: z.number().positive().default(0.05).meta({ description: 'Of these steps, falling to 2 %.' }),
  samples: z
    .int()
    .positive()
    .default(200)
    .meta({ description: 'Draws per figure, where patterns cannot be summed over.' }),
  repeats: z
    .int()
    .positive()
    .default(3)
    .meta({ description: 'Networks of each kind, from seeds that follow each other; figures are medians.' }),
  seed: z.int().min(0).default(1).meta({ description: 'Seed of the examples, the networks and all noise.' }),
});

export type LabOptions = z.output<typeof labOptionsSchema>;

/** How a lab is watched and stopped. */
export interface LabHooks {
  readonly onProgress?: ((doing: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The estimators on networks of one shape, trained with one penalty. */
export interface LabNetwork extends Measurement {
  /** Of the hidden layers. */
  readonly widths: readonly number[];
  /** With which penalty they were trained. */
  readonly penalty: LabOptions['penalty'];
}

/** Every estimator of the library: IW-ST at four mixes besides straight-through, which is that of mix 0. */
export const labEstimators = (): Estimator[] => [
  straightThrough(),
  ...[0.25, 0.5, 0.75, 1].map((mix) => importanceWeighted({ mix })),
  analyticalGumbelRao(),
  straightThroughGumbelSoftmax(),
  gumbelSoftmax(),
  ...surrogate.shape.shape.unwrap().options.map((shape) => surrogate({ shape })),
];

/**
 * Measures estimators on networks, each trained without and with the penalty from the same start: both points are
 * ones that training reaches, and differ by the penalty alone.
 *
 * @throws UserError for options that do not fit
 */
export async function runLab(
  estimators: readonly Estimator[],
  given: z.input<typeof labOptionsSchema> & LabHooks = {},
): Promise<LabNetwork[]> {
  const { onProgress, signal, ...settings } = given;
  const options = checkOptions(labOptionsSchema, settings, 'lab');
  const found: LabNetwork[] = [];
  for (const widths of options.networks) {
    for (const penalty of new Set(['none', options.penalty] as const)) {
      const repeats: Measurement[] = [];
      for (let repeat = 0; repeat < options.repeats; repeat++) {
        const seed = options.seed + repeat;
        const title = `${shortWidths(widths)}, ${penaltyText(penalty)}, network ${repeat + 1} of ${options.repeats}`;
        const tell = (doing: string): void => onProgress?.(`${title}: ${doing}`);
        tell('training');
        const data = labData(seed);
        const posterior = await labPosterior(data, { ...options, widths, penalty, seed }, signal);
        const { loss, throughVariances, samples } = options;
        const measuring = { estimators, loss, throughVariances, samples, seed, onProgress: tell, signal };
        repeats.push(await measureEstimators(posterior, examplesOf(data), measuring));
      }
      found.push({ widths, penalty, ...medianOf(repeats) });
    }
  }
  return found;
}

export const penaltyText = (penalty: LabOptions['penalty']): string =>
  penalty === 'none' ? 'no penalty' : `penalty ${penalty}`;

/** `16 × 4`, or `8-4-2`. */
export const shortWidths = (widths: readonly number[]): string =>
  widths.length > 1 && new Set(widths).size === 1 ? `${widths.length} × ${widths[0]}` : widths.join('-');
