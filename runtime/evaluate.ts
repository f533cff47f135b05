import { UserError } from '../schemas/errors.ts';
import type { Inputs, LoadedNetwork, Output } from './network.ts';

/** How well a network answers on labelled examples. */
export interface Evaluation {
  readonly examples: number;
  /** Part of the examples whose most probable class is theirs, 0 … 1. */
  readonly accuracy: number;
  /** Mean of −log p(label), in nats. */
  readonly negativeLogLikelihood: number;
  /** Mean over the examples of Σ over the classes of (p − [class is the label])², 0 … 2. */
  readonly brier: number;
  /** Of running them all in batches, opening the model left out. */
  readonly secondsPerExample: number;
  /** The most probable class of each example. */
  readonly predictions: readonly number[];
}

/** The smallest float32 above 0: what a probability of 0 may have been. */
const LEAST = 2 ** -149;

/** log p of every class from logits, in float64, where the softmax of the graph may round to 0. */
function logSoftmax(logits: ArrayLike<number>): number[] {
  const values = Array.from(logits);
  const largest = Math.max(...values);
  const total = values.reduce((sum, value) => sum + Math.exp(value - largest), 0);
  return values.map((value) => value - largest - Math.log(total));
}

const logOf = (probabilities: ArrayLike<number>): number[] =>
  Array.from(probabilities, (probability) => Math.log(Math.max(probability, LEAST)));

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
  const started = performance.now();
  const outputs = await network.run(inputs);
  const seconds = (performance.now() - started) / 1000;

  const { logits, probabilities } = outputs as Record<string, Output | undefined>;
  const answers = (logits ?? probabilities) as Output;
  const [examples = 0, classes = 0] = answers.dims;
  if (examples !== labels.length || examples === 0) {
    throw new UserError(`evaluate: ${examples} examples with ${labels.length} labels; give one for each`);
  }
  const predictions: number[] = [];
  let right = 0;
  let likelihood = 0;
  let brier = 0;
  for (let example = 0; example < examples; example++) {
    const own = answers.data.subarray(example * classes, (example + 1) * classes);
    const label = labels[example] as number;
    if (!(label < classes))
      throw new UserError(`evaluate: label ${label} of example ${example}; expected below ${classes}`);
    const logs = logits ? logSoftmax(own) : logOf(own);
    const prediction = logs.indexOf(Math.max(...logs));
    predictions.push(prediction);
    if (prediction === label) right++;
    likelihood -= logs[label] as number;
    logs.forEach((log, index) => {
      brier += (Math.exp(log) - Number(index === label)) ** 2;
    });
  }
  return {
    examples,
    accuracy: right / examples,
    negativeLogLikelihood: likelihood / examples,
    brier: brier / examples,
    secondsPerExample: seconds / examples,
    predictions,
  };
}
