import { z } from 'zod';
import { estimatorSchema } from './estimators/settings.ts';
import { defaultAdam } from './optimiser.ts';
import { bernoulliChoice, choiceSchema } from './families/index.ts';
import { isAlways, positiveScheduleSchema, scheduleSchema } from './schedule.ts';

/** What decides the result of a training, as plain data: with the same data and options come the same bits. */
export const trainingOptionsSchema = z
  .strictObject({
    epochs: z.int().positive().default(10).meta({ description: 'Passes over the data.' }),
    batchSize: z.int().positive().default(128).meta({ description: 'Examples per step.' }),
    seed: z
      .int()
      .min(0)
      .default(1)
      .meta({ description: 'Seed of the start, the noise and the order of examples.' }),
    learningRate: scheduleSchema
      .default({ shape: 'cosine', from: 0.05, to: 0.001, start: 0, end: 1 })
      .meta({ description: 'Learning rate of the weights.' }),
    otherRates: z
      .number()
      .positive()
      .default(0.3)
      .meta({ description: 'Learning rate of gains and biases, as a multiple.' }),
    scaleRates: z
      .number()
      .positive()
      .exactOptional()
      .meta({ description: 'Learning rate of every ρ, as a multiple; otherRates unless given.' }),
    shift: z.int().min(0).max(127).default(0).meta({
      description: 'Moves each image by up to so many pixels along each axis, anew in every epoch.',
    }),
    estimator: estimatorSchema
      .default({ kind: 'importanceWeighted', mix: 0, noise: 'gaussian' })
      .meta({ description: 'How gradients pass the neurons: a name and its options, or an Estimator.' }),
    posterior: choiceSchema.default(bernoulliChoice).meta({
      description: 'Distribution of the weights: bernoulli (−1 or +1), or gaussian with its scale and prior.',
    }),
    temperature: positiveScheduleSchema
      .default(1)
      .meta({ description: 'τ in E[w] = tanh(λ/τ): cooling makes weights sure before they are frozen.' }),
    noiseScale: positiveScheduleSchema
      .default(1)
      .meta({ description: 'Multiplies the noise σ of every neuron.' }),
    divergenceWeight: scheduleSchema.default(0).meta({ description: 'Weight of KL/N in the loss.' }),
    penalty: z
      .enum(['none', 'membrane', 'bias'])
      .default('none')
      .meta({ description: 'Form of the bias-minimising penalty.' }),
    penaltyWeight: scheduleSchema.default(1e-6).meta({ description: 'Weight of the penalty in the loss.' }),
    initialSpread: z
      .number()
      .positive()
      .default(0.5)
      .meta({ description: 'Standard deviation of λ at the start.' }),
    initialBiasRho: z
      .number()
      .default(-2)
      .meta({ description: 'ρ of biases at the start; their noise is softplus(ρ).' }),
    adam: z
      .strictObject({
        beta1: z.number().min(0).lt(1).default(defaultAdam.beta1),
        beta2: z.number().min(0).lt(1).default(defaultAdam.beta2),
        epsilon: z.number().positive().default(defaultAdam.epsilon),
      })
      .default(defaultAdam),
  })
  .refine(({ posterior, temperature }) => posterior.family === 'bernoulli' || isAlways(temperature, 1), {
    path: ['temperature'],
    error: 'cools a Bernoulli posterior; a Gaussian one takes noiseScale instead',
  });

export type TrainingOptions = z.output<typeof trainingOptionsSchema>;
export type TrainingSettings = z.input<typeof trainingOptionsSchema>;
