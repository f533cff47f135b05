import { z } from 'zod';
import { defaultAdam } from './optimiser.ts';
import { scheduleSchema } from './schedule.ts';

const fraction = z.number().min(0).max(1);

/** What decides the result of a training, as plain data: with the same data and options come the same bits. */
export const trainingOptionsSchema = z.strictObject({
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
  shift: z
    .int()
    .min(0)
    .max(127)
    .default(0)
    .meta({ description: 'Moves each image by up to so many pixels along each axis, anew in every epoch.' }),
  mix: fraction
    .default(0)
    .meta({ description: 'IW-ST: 0 is straight-through, 1 the trapezoid rule (ReinMax).' }),
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
});

export type TrainingOptions = z.output<typeof trainingOptionsSchema>;
export type TrainingSettings = z.input<typeof trainingOptionsSchema>;
