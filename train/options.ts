import type { CurrentsFromData } from './initial-gain.ts';
import { z } from 'zod';
import { augmentationSchema } from './data/index.ts';
import { estimatorSchema } from './estimators/settings.ts';
import { bernoulliChoice, choiceSchema } from './families/index.ts';
import { defaultOptimiser, optimiserSchema } from './optimisers/index.ts';
import { likelihoodSchema } from '../schemas/likelihood.ts';
import { isAlways, nonNegativeScheduleSchema, positiveScheduleSchema, scheduleSchema } from './schedule.ts';

/** A number is a multiple of `learningRate`; a schedule with a shape is a learning rate of its own. */
const ratesSchema = nonNegativeScheduleSchema.refine((rate) => typeof rate !== 'number' || rate > 0, {
  error: 'expected a multiple above 0',
});

/** What gains start from: a multiple of what their family starts them with, or what the data ask for. */
const initialGainSchema = z.union(
  [
    z.number().positive(),
    z.literal('data'),
    z.strictObject({
      kind: z.literal('data'),
      scale: z.number().positive().default(1).meta({
        description: 'Standard deviation of every current, in thresholds of the neurons that it drives.',
      }),
      centre: z.boolean().default(false).meta({
        description: 'Whether biases take away what every channel has on average.',
      }),
    }),
  ],
  { error: "expected a number above 0, 'data', or { kind: 'data', scale, centre } with a scale above 0" },
);

/** What decides the result of a training, as plain data: with the same data and options come the same bits. */
export const trainingOptionsSchema = z
  .strictObject({
    epochs: z.int().positive().default(10).meta({ description: 'Passes over the data.' }),
    batchSize: z.int().positive().default(128).meta({ description: 'Examples per step.' }),
    dropLast: z.boolean().default(false).meta({
      description:
        'Leaves out the examples of an epoch that fill no batch; otherwise they are its last step.',
    }),
    seed: z
      .int()
      .min(0)
      .default(1)
      .meta({ description: 'Seed of the start, the noise and the order of examples.' }),
    learningRate: nonNegativeScheduleSchema
      .default({ shape: 'cosine', from: 0.05, to: 0.001, start: 0, end: 1 })
      .meta({ description: 'Learning rate of the weights.' }),
    otherRates: ratesSchema.default(0.3).meta({
      description:
        'Learning rate of all but the weights: a number multiplies that of the weights, a schedule replaces it.',
    }),
    scaleRates: ratesSchema
      .exactOptional()
      .meta({ description: 'The same of every ρ alone; otherRates unless given.' }),
    gainRates: ratesSchema
      .exactOptional()
      .meta({ description: 'The same of gains alone; otherRates unless given.' }),
    biasRates: ratesSchema
      .exactOptional()
      .meta({ description: 'The same of biases alone; otherRates unless given.' }),
    neuronRates: ratesSchema
      .exactOptional()
      .meta({ description: 'The same of learned decays and thresholds alone; otherRates unless given.' }),
    optimiser: optimiserSchema
      .default(defaultOptimiser)
      .meta({ description: 'How learned numbers follow their gradients: adam or sgd, with its options.' }),
    clipNorm: z.number().positive().exactOptional().meta({
      description: 'Longest gradient, over all learned numbers together; a longer one is scaled down to it.',
    }),
    shift: z.int().min(0).max(127).default(0).meta({
      description: 'Moves each image by up to so many pixels along each axis, anew in every epoch.',
    }),
    augment: z.array(augmentationSchema).default([]).meta({
      description: 'How examples are varied, one way after another, anew in every epoch.',
    }),
    labelSmoothing: z.number().min(0).lt(1).default(0).meta({
      description: 's of the targets (1 − s) · onehot + s/classes: keeps the network from being too sure.',
    }),
    noiseSamples: z.int().positive().default(1).meta({
      description: 'Draws of the noise per step and example; loss and gradient are the mean over them.',
    }),
    likelihood: likelihoodSchema.default('categorical').meta({
      description: 'What outputs are: logits of classes, or the means of a Gaussian, for regression.',
    }),
    validation: z.number().min(0).lt(1).default(0).meta({
      description: 'Part of the examples to hold out of training and judge the network on after every epoch.',
    }),
    validationNetwork: z.enum(['noisy', 'mode']).default('noisy').meta({
      description: 'What is judged: the network in training, or each weight at its likeliest, without noise.',
    }),
    validationSamples: z.int().positive().default(4).meta({
      description: 'Draws of the noise that the noisy network is judged with.',
    }),
    earlyStopping: z
      .strictObject({
        patience: z.int().positive().meta({ description: 'Epochs to wait for a better one.' }),
        minimumDelta: z.number().min(0).default(0).meta({ description: 'By how much it has to be better.' }),
        on: z.enum(['loss', 'accuracy']).default('loss').meta({ description: 'Of the validation.' }),
      })
      .exactOptional()
      .meta({ description: 'Stops when the validation gets no better, and returns the best epoch.' }),
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
    noise: z.enum(['step', 'sequence']).default('step').meta({
      description:
        'When weights are drawn: anew for every time step, or once for all steps of a sequence, as a frozen sample is.',
    }),
    drawScale: nonNegativeScheduleSchema.default(1).meta({
      description:
        'Multiplies the noise that neurons and readout draw, and not the σ of their gradients: at 0 training sees the ' +
        'network without noise, as it is frozen.',
    }),
    checkpointing: z
      .strictObject({
        every: z
          .int()
          .min(2)
          .meta({ description: 'Time steps of a segment, a divisor of those of the model.' }),
      })
      .exactOptional()
      .meta({
        description:
          'Saves memory over many time steps: keeps what is between segments of so many steps, and computes the rest ' +
          'anew for its gradient.',
      }),
    unroll: z.boolean().default(false).meta({
      description:
        'Writes time steps one after another instead of as a loop, in the graph of the engine onnx.',
    }),
    divergenceWeight: scheduleSchema.default(0).meta({ description: 'Weight of KL/N in the loss.' }),
    penalty: z
      .enum(['none', 'current', 'membrane', 'bias'])
      .default('none')
      .meta({ description: 'Form of the bias-minimising penalty.' }),
    penaltyWeight: scheduleSchema.default(1e-6).meta({ description: 'Weight of the penalty in the loss.' }),
    initialSpread: z
      .number()
      .positive()
      .default(0.5)
      .meta({ description: 'Standard deviation of λ at the start.' }),
    initialGain: initialGainSchema.default(1).meta({
      description:
        'A number multiplies every gain at the start, with which currents have about the scale 1 where half of all ' +
        'neurons fire; data sets the gains layer by layer so that currents have that scale on a batch of the data.',
    }),
    initialBiasRho: z
      .number()
      .default(-2)
      .meta({ description: 'ρ of biases at the start; their noise is softplus(ρ).' }),
  })
  .refine(({ posterior, temperature }) => posterior.family === 'bernoulli' || isAlways(temperature, 1), {
    path: ['temperature'],
    error: 'cools a Bernoulli posterior; a Gaussian one takes noiseScale instead',
  })
  .refine(({ likelihood, labelSmoothing }) => likelihood === 'categorical' || labelSmoothing === 0, {
    path: ['labelSmoothing'],
    error: 'smooths classes, and a gaussian likelihood has none; leave it out',
  })
  .refine(
    ({ likelihood, earlyStopping }) => likelihood === 'categorical' || earlyStopping?.on !== 'accuracy',
    {
      path: ['earlyStopping', 'on'],
      error: "expected 'loss': a regression has no accuracy",
    },
  );

/** The options of a training, complete with defaults. */
export type TrainingOptions = z.output<typeof trainingOptionsSchema>;
/** The options of a training as they are given: whatever is left out has its default. */
export type TrainingSettings = z.input<typeof trainingOptionsSchema>;

/** How the data are to have currents start, or undefined where a number multiplies the gains. */
export function currentsFromData(gain: TrainingOptions['initialGain']): CurrentsFromData | undefined {
  if (typeof gain === 'number') return undefined;
  return gain === 'data' ? { scale: 1, centre: false } : gain;
}
