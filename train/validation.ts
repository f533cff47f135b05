import { UserError } from '../schemas/errors.ts';
import type { TrainingData } from './data/index.ts';
import { isRegression, outputsOf } from './data/index.ts';
import type { State } from './engine/engine.ts';
import type { Judge } from './judge.ts';
import type { TrainingOptions } from './options.ts';
import { scheduled } from './schedule.ts';

/** How a network does on examples that it does not learn from, after one epoch. */
export interface ValidationFigures {
  /** Mean of −log p(answer) in nats, where p is the mean of what the draws of the noise give it. */
  readonly loss: number;
  /** Part of the examples whose most probable class is theirs, 0 … 1; classification has it. */
  readonly accuracy?: number;
  /** Root of the mean over examples and outputs of (y − the mean of ŷ)²; regression has it. */
  readonly rootMeanSquareError?: number;
}

/** When to stop: of what figure, and how many epochs without a better one. */
export interface StoppingRule {
  readonly patience: number;
  readonly minimumDelta: number;
  readonly on: 'loss' | 'accuracy';
}

/** Where a history of validation stands. */
export interface Standing {
  /** Index of the best epoch: better than all before it by more than the rule's minimum. */
  readonly best: number;
  readonly stop: boolean;
}

/**
 * Follows a rule through a history: it holds no memory of its own, so that a resumed training stops where the
 * uninterrupted one does.
 */
export function standingOf(history: readonly ValidationFigures[], rule: StoppingRule): Standing {
  const gainOf = (figures: ValidationFigures): number =>
    rule.on === 'loss' ? -figures.loss : (figures.accuracy ?? 0);
  let best = 0;
  for (let epoch = 1; epoch < history.length; epoch++) {
    if (gainOf(history[epoch]!) > gainOf(history[best]!) + rule.minimumDelta) best = epoch;
  }
  return { best, stop: history.length - 1 - best >= rule.patience };
}

/** What a training is judged on, and by what. */
export interface Validation {
  readonly data: TrainingData;
  readonly judge: Judge;
}

/** Judges a network after an epoch. @param progress of the training, in (0, 1] */
export async function validate(
  { data, judge }: Validation,
  options: TrainingOptions,
  { learned, epoch, progress }: { learned: State; epoch: number; progress: number },
): Promise<ValidationFigures> {
  const draws = options.validationNetwork === 'mode' ? 0 : options.validationSamples;
  const score = isRegression(data)
    ? new RegressionScore(data.targets, data.outputs, deviationOf(options))
    : new ClassificationScore(data.labels, data.classes);
  const answers = judge.answers(data, {
    learned,
    temperature: scheduled(options.temperature, progress),
    noiseScale: scheduled(options.noiseScale, progress),
    draws,
    seed: options.seed,
    stream: `validation ${epoch}`,
  });
  // The draws of a batch come one after another.
  const width = outputsOf(data);
  let batch: Float32Array[] = [];
  let at = 0;
  const close = (): void => {
    for (let row = 0; batch.length > 0 && row < batch[0]!.length / width; row++)
      score.add(
        at + row,
        batch.map((logits) => logits.subarray(row * width, (row + 1) * width)),
      );
  };
  for await (const { start, logits } of answers) {
    if (start !== at) {
      close();
      batch = [];
      at = start;
    }
    batch.push(logits.slice());
  }
  close();
  const figures = score.figures(data.count);
  const bad = Object.entries(figures).find(([, value]) => !Number.isFinite(value));
  if (bad) {
    throw new UserError(
      `train: the validation ${bad[0]} became ${bad[1]} after epoch ${epoch + 1}; lower the learning rate`,
    );
  }
  return figures;
}

export const deviationOf = ({ likelihood }: TrainingOptions): number =>
  likelihood === 'categorical' ? 1 : likelihood.deviation;

/** Adds up, example by example, how good answers are. */
interface Score {
  /** @param draws what the network said of the example under each draw of the noise */
  add(example: number, draws: readonly Float32Array[]): void;
  figures(count: number): ValidationFigures;
}

class ClassificationScore implements Score {
  readonly #labels: Uint8Array;
  readonly #classes: number;
  #loss = 0;
  #right = 0;

  constructor(labels: Uint8Array, classes: number) {
    this.#labels = labels;
    this.#classes = classes;
  }

  add(example: number, draws: readonly Float32Array[]): void {
    const label = this.#labels[example]!;
    const logs = draws.map(logSoftmax);
    const means = Array.from({ length: this.#classes }, (_, index) =>
      logMeanExp(logs.map((row) => row[index]!)),
    );
    this.#loss -= means[label]!;
    if (means.indexOf(Math.max(...means)) === label) this.#right++;
  }

  figures(count: number): ValidationFigures {
    return { loss: this.#loss / count, accuracy: this.#right / count };
  }
}

class RegressionScore implements Score {
  readonly #targets: Float32Array;
  readonly #outputs: number;
  readonly #deviation: number;
  #loss = 0;
  #squares = 0;

  constructor(targets: Float32Array, outputs: number, deviation: number) {
    this.#targets = targets;
    this.#outputs = outputs;
    this.#deviation = deviation;
  }

  add(example: number, draws: readonly Float32Array[]): void {
    const outputs = this.#outputs;
    const target = this.#targets.subarray(example * outputs, (example + 1) * outputs);
    const logs = draws.map((means) => logNormal(target, means, this.#deviation));
    this.#loss -= logMeanExp(logs);
    target.forEach((value, index) => {
      const mean = draws.reduce((sum, means) => sum + means[index]!, 0) / draws.length;
      this.#squares += (value - mean) ** 2;
    });
  }

  figures(count: number): ValidationFigures {
    const rootMeanSquareError = Math.sqrt(this.#squares / (count * this.#outputs));
    return { loss: this.#loss / count, rootMeanSquareError };
  }
}

/** Σ over the outputs of log N(target; mean, deviation²). */
function logNormal(target: Float32Array, means: Float32Array, deviation: number): number {
  const constant = Math.log(deviation) + 0.5 * Math.log(2 * Math.PI);
  return target.reduce(
    (sum, value, index) => sum - (value - means[index]!) ** 2 / (2 * deviation ** 2) - constant,
    0,
  );
}

/** log of the mean of e^x. */
function logMeanExp(values: readonly number[]): number {
  const largest = Math.max(...values);
  const sum = values.reduce((total, value) => total + Math.exp(value - largest), 0);
  return largest + Math.log(sum / values.length);
}

/** log p of every class. */
function logSoftmax(logits: Float32Array): number[] {
  const values = Array.from(logits);
  const largest = Math.max(...values);
  const total = Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0));
  return values.map((value) => value - largest - total);
}
