import { z } from 'zod';
import { UserError } from '../schemas/errors.ts';
import { checkOptions, sizeOf } from '../schemas/layer.ts';
import { classesOf } from '../schemas/model.ts';
import { checkPosterior, type Posterior } from '../schemas/posterior.ts';
import type { TrainingData } from './data/index.ts';
import { type Answers, Judge, type JudgeOptions } from './judge.ts';
import { addOutputs, addSoftmax } from './softmax.ts';
import { type EngineOptions, engineOf } from './train.ts';

const predictionSchema = z.strictObject({
  draws: z.int().positive().default(8).meta({ description: 'Draws of the noise to average over.' }),
  seed: z.int().min(0).default(1).meta({ description: 'Seed of the noise.' }),
  batchSize: z.int().positive().default(128).meta({ description: 'Examples in one run of the engine.' }),
  noiseScale: z
    .number()
    .positive()
    .default(1)
    .meta({ description: 'Multiplies the noise σ of every neuron.' }),
  noise: z
    .enum(['gaussian', 'logistic', 'none'])
    .default('gaussian')
    .meta({ description: 'Distribution of the noise of the neurons: that of the estimator in training.' }),
});

/** How many draws are averaged, by which seed, on which engine: options of `predictNoisy`. */
export type NoisyPredictionOptions = z.input<typeof predictionSchema> &
  EngineOptions & {
    /** Stops between two batches; the signal's reason is then thrown. */
    readonly signal?: AbortSignal | undefined;
  };

/**
 * What the network predicts while its weights are uncertain, as in training: every neuron samples. The mean over
 * draws of the noise of softmax(logits), or of the outputs where the likelihood is Gaussian.
 *
 * The same options give the same bits, whatever the number of threads; another batch size gives other draws.
 *
 * @param posterior Bernoulli weights count at the posterior's temperature
 * @param data its labels are not read
 * @returns [count, classes] mean probabilities, row by row; [count, outputs] of a regression
 * @throws UserError for options that do not fit, or data that do not fit the model
 */
export async function predictNoisy(
  posterior: Posterior,
  data: TrainingData,
  given: NoisyPredictionOptions = {},
): Promise<Float32Array> {
  const add = posterior.likelihood ? addOutputs : addSoftmax;
  const classes = classesOf(posterior.model);
  const options = checkedOptions('predictNoisy', posterior, data, given);
  const sums = new Float64Array(data.count * classes);
  for await (const { start, logits } of noisyAnswers(posterior, data, options))
    add(logits, classes, sums, start * classes);
  return Float32Array.from(sums, (sum) => sum / options.draws);
}

export type CheckedOptions = z.output<typeof predictionSchema> &
  Omit<NoisyPredictionOptions, keyof z.input<typeof predictionSchema>>;

/** Options with their defaults. @throws UserError where they, the posterior or the data do not fit */
export function checkedOptions(
  where: string,
  posterior: Posterior,
  data: TrainingData,
  { engine, backend, threads, signal, ...settings }: NoisyPredictionOptions,
): CheckedOptions {
  const options = checkOptions(predictionSchema, settings, where);
  checkPosterior(posterior, where);
  const { shape } = posterior.model.input;
  if (sizeOf(shape) !== sizeOf(data.shape)) {
    throw new UserError(
      `${where}: the model's input is [${shape}], an example of ${data.name} is [${data.shape}]; give examples that fit`,
    );
  }
  return { ...options, engine, backend, threads, signal };
}

/** What the uncertain network says of all examples: for each batch of them one answer per draw. */
export async function* noisyAnswers(
  { model, learned, classNames: _classNames, ...family }: Posterior,
  data: TrainingData,
  { draws, seed, batchSize, noiseScale, noise, signal, ...running }: CheckedOptions,
  watched: Pick<JudgeOptions, 'firing'> = {},
): AsyncGenerator<Answers> {
  const judge = await Judge.prepare({ model, family, batchSize, noise, ...watched }, engineOf(running));
  try {
    const temperature = family.family === 'bernoulli' ? family.temperature : undefined;
    const stream = 'noisy prediction';
    yield* judge.answers(data, { learned, temperature, noiseScale, draws, seed, stream, signal });
  } finally {
    await judge.close();
  }
}
