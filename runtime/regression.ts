import type { Description } from '../schemas/description.ts';
import { UserError } from '../schemas/errors.ts';
import type { GaussianLikelihood } from '../schemas/likelihood.ts';
import { gaussianNegativeLogLikelihood, rootMeanSquareError } from './metrics/regression.ts';
import type { Inputs } from './examples.ts';
import type { LoadedNetwork } from './network.ts';
import type { Output, Outputs } from './outputs.ts';
import { rowsOf } from './uncertainty.ts';

/** What a network of a regression predicts of one example; one number per output. */
export interface Prediction {
  /** Of an ensemble, the mean over its members. */
  readonly mean: Float32Array;
  /**
   * Standard deviation of the answer: √(σ² + spread²), with σ the deviation of the likelihood. By the law of total
   * variance: the noise of the answers and what the members disagree about.
   */
  readonly deviation: Float32Array;
  /** Standard deviation of the members' means about theirs (epistemic); an ensemble has it. */
  readonly spread?: Float32Array;
}

/** How well a network of a regression answers on examples whose answers are known. */
export interface RegressionEvaluation {
  readonly examples: number;
  /** Of the predictive mean, in the units of the targets. */
  readonly rootMeanSquareError: number;
  /** Mean of −log p(targets) in nats; p is the mean over the members of their Gaussians. */
  readonly negativeLogLikelihood: number;
  /** Mean over examples and outputs of the members' spread; an ensemble has it. */
  readonly spread?: number;
  /** Of running them all in batches, opening the model left out. */
  readonly secondsPerExample: number;
}

/** The likelihood of a regression. @throws UserError where the network answers with classes */
export function gaussianOf({ likelihood }: Description, what: string, instead: string): GaussianLikelihood {
  if (likelihood) return likelihood;
  throw new UserError(`${what}: the network answers with classes, not with numbers; call ${instead}`);
}

/** @throws UserError where the network answers with numbers */
export function expectClasses({ likelihood }: Description, what: string, instead: string): void {
  if (!likelihood) return;
  throw new UserError(`${what}: the network answers with numbers, not with classes; call ${instead}`);
}

/** Reads the outputs of a network for some examples. */
export function predictionsOf(
  { means, member_means: members }: Outputs,
  { deviation: noise }: GaussianLikelihood,
): Prediction[] {
  if (!means) throw new Error('the network has no output means');
  const outputs = means.dims[1] ?? 0;
  const rows = membersOf(members, outputs);
  return rowsOf(means.data as Float32Array, outputs).map((row, example) => {
    const mean = row.slice();
    if (!rows) return { mean, deviation: mean.map(() => noise) };
    const spread = mean.map((center, index) => {
      const squares = rows.reduce((sum, member) => sum + ((member[example]?.[index] ?? 0) - center) ** 2, 0);
      return Math.sqrt(squares / rows.length);
    });
    return { mean, deviation: spread.map((each) => Math.hypot(noise, each)), spread };
  });
}

/** Of each member what it predicts of each example. */
function membersOf(members: Output | undefined, outputs: number): Float32Array[][] | undefined {
  if (!members) return undefined;
  const [count = 0, batch = 0] = members.dims;
  const rows = rowsOf(members.data as Float32Array, outputs);
  return Array.from({ length: count }, (_, member) => rows.slice(member * batch, (member + 1) * batch));
}

/**
 * Runs a network of a regression on examples whose answers are known.
 *
 * @param targets [examples, outputs], row-major
 * @throws UserError when the network answers with classes, the inputs are not examples of it, or there are not as
 *   many targets
 */
export async function evaluateRegression(
  network: LoadedNetwork,
  inputs: Inputs,
  targets: Float32Array,
): Promise<RegressionEvaluation> {
  const likelihood = gaussianOf(network.description, 'evaluateRegression', 'evaluate');
  const started = performance.now();
  const found: Outputs = await network.run(inputs);
  const seconds = (performance.now() - started) / 1000;
  const { means, member_means: members } = found;
  if (!means) throw new Error('the network has no output means');
  const outputs = means.dims[1] ?? 0;
  const examples = means.dims[0] ?? 0;
  const single = means.data as Float32Array;
  const each = members ? rowsOf(members.data as Float32Array, single.length) : [single];
  const spreads = predictionsOf(found, likelihood).flatMap(({ spread }) => Array.from(spread ?? []));
  return {
    examples,
    rootMeanSquareError: rootMeanSquareError(single, targets),
    negativeLogLikelihood: gaussianNegativeLogLikelihood(each, targets, { outputs, ...likelihood }),
    ...(members && { spread: spreads.reduce((sum, spread) => sum + spread, 0) / spreads.length }),
    secondsPerExample: seconds / examples,
  };
}
