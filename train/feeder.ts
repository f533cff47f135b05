import { Random } from '../schemas/random.ts';
import type { BatchSource, TrainingData } from './data/index.ts';
import { fillLogistic } from './noise/logistic.ts';
import { type NoiseState, NoiseSource } from './noise/noise-source.ts';
import { optimiserOf } from './optimisers/index.ts';
import type { TrainingOptions } from './options.ts';
import { learningRates } from './rates.ts';
import { scheduled } from './schedule.ts';
import { exampleWeights, type Scalars, type StepFunction } from './step.ts';

/** The buffers of a step, by the name of the feed. */
type Feeds = Readonly<Record<string, Float32Array>>;

/** What a step is fed from. */
export interface FeederPlan {
  readonly options: TrainingOptions;
  readonly data: TrainingData;
  readonly batches: BatchSource;
  readonly step: Pick<StepFunction, 'feeds' | 'noises' | 'logisticNoises'>;
}

/** Fills the buffers of every step: its batch, its noise, and the numbers that schedules give it. */
export class Feeder {
  readonly #plan: FeederPlan;
  readonly #feeds: Feeds;
  readonly #noise: NoiseSource;
  readonly #noises: readonly Float32Array[];
  readonly #logisticNoises: readonly Float32Array[];

  /** @param noise where the noise goes on from */
  constructor(plan: FeederPlan, feeds: Feeds, noise: NoiseState) {
    this.#plan = plan;
    this.#feeds = feeds;
    this.#noise = NoiseSource.restore(noise);
    this.#noises = plan.step.noises.map((name) => this.#buffer(name));
    this.#logisticNoises = plan.step.logisticNoises.map((name) => this.#buffer(name));
  }

  /** Where the noise of the next step begins. */
  noiseState(): NoiseState {
    return this.#noise.save();
  }

  /** @param step its number, from 0 */
  async feed(step: number): Promise<void> {
    const { options, batches } = this.#plan;
    const [epoch, index] = [Math.floor(step / batches.batches), step % batches.batches];
    await batches.fill(epoch, index, this.#buffer('inputs'), this.#buffer('targets'));
    this.#weighExamples(batches.examplesIn(index));
    const drawScale = scheduled(options.drawScale, this.#progressOf(step));
    for (const noise of this.#noises) {
      this.#noise.fillGaussian(noise);
      scale(noise, drawScale);
    }
    if (this.#logisticNoises.length > 0) {
      // From the step's own stream, so that resuming needs no memory of it.
      const random = Random.fromSeed(options.seed, `logistic noise ${step}`);
      for (const noise of this.#logisticNoises) {
        fillLogistic(noise, random);
        scale(noise, drawScale);
      }
    }
    for (const [name, value] of Object.entries(this.#scalars(step))) this.#buffer(name)[0] = value;
  }

  /** Rows that only fill a batch up count nothing. */
  #weighExamples(examples: number): void {
    const { batchSize } = this.#plan.options;
    const weights = this.#feeds[exampleWeights];
    if (!weights) {
      if (examples < batchSize) throw new Error('a batch is smaller than others, and the step weighs none');
      return;
    }
    for (let row = 0; row < weights.length; row++) weights[row] = row % batchSize < examples ? 1 : 0;
  }

  /** How far the training is at a step, 0 … 1. */
  #progressOf(step: number): number {
    const { options, batches } = this.#plan;
    return step / (options.epochs * batches.batches);
  }

  #scalars(step: number): Scalars {
    const { options, data } = this.#plan;
    const progress = this.#progressOf(step);
    const { rateFactor, scalars } = optimiserOf(options.optimiser).numbersAt(step + 1);
    const rates = learningRates(options, progress);
    return {
      'rate.weights': rates.weights * rateFactor,
      'rate.scales': rates.scales * rateFactor,
      'rate.gains': rates.gains * rateFactor,
      'rate.biases': rates.biases * rateFactor,
      'rate.neurons': rates.neurons * rateFactor,
      ...scalars,
      divergenceWeight: scheduled(options.divergenceWeight, progress) / data.count,
      penaltyWeight: scheduled(options.penaltyWeight, progress),
      temperature: scheduled(options.temperature, progress),
      noiseScale: scheduled(options.noiseScale, progress),
    };
  }

  #buffer(name: string): Float32Array {
    const buffer = this.#feeds[name];
    if (!buffer) throw new Error(`the engine has no buffer for ${name}`);
    return buffer;
  }
}

function scale(noise: Float32Array, factor: number): void {
  if (factor === 1) return;
  for (let index = 0; index < noise.length; index++) noise[index] = noise[index]! * factor;
}
