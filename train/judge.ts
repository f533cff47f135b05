import { setImmediate } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs-core';
import { classesOf, fires, type Model, type Place, placesOf, stepsOf } from '../schemas/model.ts';
import { type Family, learnedShapes } from '../schemas/posterior.ts';
import { Random } from '../schemas/random.ts';
import { batchFiller, encoderFor, planBatches, type TrainingData } from './data/index.ts';
import type { Engine, ForwardFunction, PreparedForward, State } from './engine/engine.ts';
import { type Estimator, sample, step as spikeOf } from './estimators/estimator.ts';
import { choiceSchema } from './families/index.ts';
import { fillLogistic } from './noise/logistic.ts';
import type { Firing } from './moments.ts';
import { NoiseSource } from './noise/noise-source.ts';
import { distributions } from './noise-distribution.ts';
import { type Draw, drawsOf, noisyForward, tensor } from './noisy-forward.ts';
import { cooled } from './posterior.ts';
import type { Shapes } from './step.ts';

/** Which network is judged. */
export interface JudgeOptions {
  readonly model: Model;
  readonly family: Family;
  /** Examples in one run of the engine. */
  readonly batchSize: number;
  /** Noise of the neurons. */
  readonly noise: Estimator['noise'];
  /** Whether answers tell how probable each neuron's spikes were. */
  readonly firing?: true;
}

/** What changes from one judgement to the next. */
export interface Judgement {
  readonly learned: State;
  /** τ of Bernoulli weights, tanh(λ/τ). */
  readonly temperature?: number | undefined;
  /** Multiplies the σ of every neuron. */
  readonly noiseScale?: number | undefined;
  /** Draws of the noise; 0 judges the network without noise, every weight at its likeliest value. */
  readonly draws: number;
  readonly seed: number;
  /** Names the noise among all that the seed gives. */
  readonly stream: string;
  /** Stops between two batches; the signal's reason is then thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** What the network said of some examples under one draw of the noise. */
export interface Answers {
  /** The first of them, and how many they are. */
  readonly start: number;
  readonly count: number;
  /** [count, outputs]; overwritten by the next answers. */
  readonly logits: Float32Array;
  /** Where it was asked for: P(spike) of each layer of neurons by name, [batch, …]; overwritten as well. */
  readonly firing: Readonly<Record<string, Float32Array>>;
}

/** A λ that tanh(λ/τ) rounds to ±1 for every temperature in use. */
const CERTAIN = 1e6;

/** Runs a network as training does, without gradients: neurons and readout sample, whatever the estimator. */
export class Judge {
  readonly #options: JudgeOptions;
  readonly #prepared: PreparedForward;
  readonly #draws: readonly Draw[];

  private constructor(options: JudgeOptions, prepared: PreparedForward, draws: readonly Draw[]) {
    this.#options = options;
    this.#prepared = prepared;
    this.#draws = draws;
  }

  static async prepare(options: JudgeOptions, engine: Engine): Promise<Judge> {
    const { forward, draws } = buildJudge(options);
    return new Judge(options, await engine.prepareForward(forward), draws);
  }

  /** Answers for all examples in their order: for each batch of them one per draw. */
  async *answers(data: TrainingData, judgement: Judgement): AsyncGenerator<Answers> {
    const { learned, temperature = 1, noiseScale = 1, draws, seed, stream, signal } = judgement;
    const { batchSize, model } = this.#options;
    for (const [name, { data: values }] of Object.entries(learned))
      fillWeights(this.#buffer(name), name, values, draws === 0);
    this.#buffer('temperature')[0] = temperature;
    this.#buffer('noiseScale')[0] = noiseScale;
    for (const { name } of this.#draws) this.#buffer(name).fill(0);

    const inputs = this.#buffer('inputs');
    const source = NoiseSource.fromSeed(seed, stream);
    const random = Random.fromSeed(seed, stream);
    const encoder = encoderFor(model, data);
    const { plan } = planBatches(data, { batchSize: 1, seed, ...(encoder && { encoder }) });
    const filler = batchFiller(plan);
    const last = data.count - 1;
    for (let start = 0; start < data.count; start += batchSize) {
      const count = Math.min(batchSize, data.count - start);
      // The last batch is filled up with the last example.
      const examples = Uint32Array.from({ length: batchSize }, (_, row) => Math.min(start + row, last));
      filler.fillInputs(0, examples, inputs);
      for (let draw = 0; draw < Math.max(1, draws); draw++) {
        if (draws > 0) this.#drawNoise(source, random);
        const { logits, ...firing } = await this.#prepared.run();
        yield { start, count, logits: logits!.subarray(0, count * classesOf(model)), firing };
        // Runs may resolve without a turn of the event loop; signals and timers need one.
        await setImmediate();
        signal?.throwIfAborted();
      }
    }
  }

  close(): Promise<void> {
    return this.#prepared.close();
  }

  #drawNoise(source: NoiseSource, random: Random): void {
    for (const { name, noise } of this.#draws) {
      if (noise === 'gaussian') source.fillGaussian(this.#buffer(name));
      else fillLogistic(this.#buffer(name), random);
    }
  }

  #buffer(name: string): Float32Array {
    const buffer = this.#prepared.feeds[name];
    if (!buffer) throw new Error(`the engine has no buffer for ${name}`);
    return buffer;
  }
}

/** Samples and has no gradient. Relaxed estimators train on spikes between 0 and 1; the network that they are for has none. */
export const samplingEstimator = (noise: Estimator['noise']): Estimator => ({
  name: 'sample',
  options: {},
  noise,
  spike: (drive, deviation, epsilon) => sample(tf.div(drive, deviation), epsilon),
});

/** The network as a pure function of learned tensors, inputs and noise. */
function buildJudge({ model, family, batchSize, noise, firing }: JudgeOptions) {
  const estimator = samplingEstimator(noise);
  const draws = drawsOf(model, batchSize, estimator);
  const watched = firing ? neuronsOf(model) : [];
  const feeds: Shapes = {
    ...learnedShapes(model, family),
    inputs: [stepsOf(model) * batchSize, ...model.input.shape],
    temperature: [],
    noiseScale: [],
    ...Object.fromEntries(draws.map(({ name, shape }) => [name, shape])),
  };
  const forward: ForwardFunction = {
    feeds,
    outputs: {
      logits: [batchSize, classesOf(model)],
      ...Object.fromEntries(
        watched.map(({ name, output }) => [name, [stepsOf(model) * batchSize, ...output]]),
      ),
    },
    run: (fed) => {
      const learned = cooled(fed, tensor(fed, 'temperature'));
      // The prior takes no part in a forward pass.
      const posterior = choiceSchema.parse(
        family.family === 'gaussian' ? { family: 'gaussian', scale: family.scale } : { family: 'bernoulli' },
      );
      const { logits, measured } = noisyForward(
        { model, estimator, posterior, annealing: true },
        learned,
        fed,
        firing && ((fired) => firingProbability(fired, noise)),
      );
      return { logits, ...Object.fromEntries(watched.map(({ name }, index) => [name, measured[index]!])) };
    },
  };
  return { forward, draws };
}

/** The layers of neurons, in the order they fire. */
export const neuronsOf = (model: Model): Place[] => placesOf(model).filter(fires);

/** F(u/σ), with F the distribution of the noise; without noise, the spike itself. */
function firingProbability({ membrane, threshold, deviation }: Firing, noise: Estimator['noise']): tf.Tensor {
  const ratio = tf.div(tf.sub(membrane, threshold), deviation);
  return noise === 'none' ? spikeOf(ratio) : distributions[noise].cumulative(ratio);
}

/** @param certain whether every Bernoulli weight becomes the likelier of −1 and +1, and +1 where both are as likely */
function fillWeights(into: Float32Array, name: string, values: Float32Array, certain: boolean): void {
  if (!certain || !name.endsWith('.lambda')) into.set(values);
  else values.forEach((value, index) => (into[index] = value >= 0 ? CERTAIN : -CERTAIN));
}
