import { checkLabels, type Rows, topOf } from './metrics/examples.ts';
import {
  accuracy,
  brierScore,
  type Calibration,
  calibration,
  type Detection,
  detection,
  negativeLogLikelihood,
  type RiskCoverage,
  riskCoverage,
} from './metrics/index.ts';
import type { Inputs } from './examples.ts';
import type { LoadedNetwork } from './network.ts';
import type { Outputs } from './outputs.ts';
import { expectClasses } from './regression.ts';
import { entropyOf, rowsOf, uncertaintiesOf } from './uncertainty.ts';

/** How well a network answers on labelled examples, and whether it knows how well. */
export interface Evaluation {
  readonly examples: number;
  /** Part of the examples whose most probable class is theirs, 0 … 1. */
  readonly accuracy: number;
  /** Mean of −log p(label), in nats. */
  readonly negativeLogLikelihood: number;
  /** Mean over the examples of Σ over the classes of (p − [class is the label])², 0 … 2. */
  readonly brier: number;
  /** The expected calibration error and its 15 bins. */
  readonly calibration: Calibration;
  /** Errors among the examples that remain when those of the least top probability are left out. */
  readonly riskCoverage: RiskCoverage;
  /** Mean predictive entropy, in nats. */
  readonly entropy: number;
  /** Mean mutual information of class and weights, in nats; an ensemble has it. */
  readonly mutualInformation?: number;
  /** Of running them all in batches, opening the model left out. */
  readonly secondsPerExample: number;
  /** The most probable class of each example. */
  readonly predictions: readonly number[];
}

/** How well each uncertainty of a network tells examples of another kind from those it learned. */
export interface OutOfDistribution {
  /** Numbers of examples. */
  readonly inside: number;
  readonly outside: number;
  /** By the predictive entropy. */
  readonly entropy: Detection;
  /** By the mutual information of class and weights; an ensemble has it. */
  readonly mutualInformation?: Detection;
  /** By 1 − the top probability (Hendrycks and Gimpel 2017, arXiv 1610.02136). */
  readonly topProbability: Detection;
}

/** The smallest float32 above 0: what a probability of 0 may have been. */
const LEAST = 2 ** -149;

/**
 * Runs a network on labelled examples.
 *
 * @param labels the class of each example, below the network's number of classes
 * @throws UserError when the inputs are not examples of the network, or there is not one label for each
 */
export async function evaluate(
  network: LoadedNetwork,
  inputs: Inputs,
  labels: ArrayLike<number>,
): Promise<Evaluation> {
  expectClasses(network.description, 'evaluate', 'evaluateRegression');
  const started = performance.now();
  const outputs = await network.run(inputs);
  const seconds = (performance.now() - started) / 1000;

  const { probabilities, logProbabilities, ...uncertainty } = answersOf(outputs);
  checkLabels('evaluate', probabilities, labels);
  const examples = probabilities.length;
  const predictions = probabilities.map(topOf);
  return {
    examples,
    accuracy: accuracy(probabilities, labels),
    negativeLogLikelihood: negativeLogLikelihood(logProbabilities, labels),
    brier: brierScore(probabilities, labels),
    calibration: calibration(probabilities, labels),
    riskCoverage: riskCoverage(
      probabilities.map(doubtOf),
      predictions.map((prediction, example) => prediction === labels[example]),
    ),
    entropy: meanOf(uncertainty.entropy),
    ...(uncertainty.mutualInformation && { mutualInformation: meanOf(uncertainty.mutualInformation) }),
    secondsPerExample: seconds / examples,
    predictions,
  };
}

/**
 * Runs a network on examples of the kind it learned and of another, and measures how well its uncertainty tells
 * them apart. Outside examples are the positives.
 *
 * @throws UserError when the inputs are not examples of the network, or one of the two has none
 */
export async function evaluateOutOfDistribution(
  network: LoadedNetwork,
  inside: Inputs,
  outside: Inputs,
): Promise<OutOfDistribution> {
  expectClasses(network.description, 'evaluateOutOfDistribution', 'predict, whose spread tells');
  const ours = answersOf(await network.run(inside));
  const others = answersOf(await network.run(outside));
  const information = ours.mutualInformation &&
    others.mutualInformation && { inside: ours.mutualInformation, outside: others.mutualInformation };
  return {
    inside: ours.probabilities.length,
    outside: others.probabilities.length,
    entropy: detection({ inside: ours.entropy, outside: others.entropy }),
    ...(information && { mutualInformation: detection(information) }),
    topProbability: detection({
      inside: ours.probabilities.map(doubtOf),
      outside: others.probabilities.map(doubtOf),
    }),
  };
}

/** What a network says of each example, in the order of the examples. */
interface Answers {
  readonly probabilities: Rows;
  readonly logProbabilities: Rows;
  readonly entropy: readonly number[];
  readonly mutualInformation?: readonly number[];
}

/** Reads the outputs of `run`, as precisely as they allow: the softmax of the graph may round to 0 or 1. */
function answersOf(outputs: Outputs): Answers {
  const { logits, probabilities: means, member_probabilities: members } = outputs;
  if (logits) {
    const logProbabilities = rowsOf(logits.data, logits.dims[1] ?? 0).map(logSoftmax);
    const probabilities = logProbabilities.map((row) => row.map(Math.exp));
    return { probabilities, logProbabilities, entropy: probabilities.map(entropyOf) };
  }
  if (!means || !members) throw new Error('the network has neither logits nor member_probabilities');
  const uncertainties = uncertaintiesOf(members);
  const probabilities = rowsOf(means.data, means.dims[1] ?? 0);
  return {
    probabilities,
    logProbabilities: probabilities.map((row) => Array.from(row, (each) => Math.log(Math.max(each, LEAST)))),
    entropy: uncertainties.map(({ entropy }) => entropy),
    mutualInformation: uncertainties.map(({ mutualInformation }) => mutualInformation),
  };
}

/** log p of every class. */
function logSoftmax(logits: ArrayLike<number>): number[] {
  const values = Array.from(logits);
  const largest = Math.max(...values);
  const total = values.reduce((sum, value) => sum + Math.exp(value - largest), 0);
  return values.map((value) => value - largest - Math.log(total));
}

/** 1 − the top probability, as the sum of the others: that does not become 0 where the top rounds to 1. */
function doubtOf(probabilities: ArrayLike<number>): number {
  const top = topOf(probabilities);
  return Array.from(probabilities).reduce((sum, each, index) => (index === top ? sum : sum + each), 0);
}

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
