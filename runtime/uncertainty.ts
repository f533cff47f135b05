import { UserError } from '../schemas/errors.ts';

/** How unsure an ensemble is of one example, and why. All in nats. */
export interface Uncertainty {
  /** The predictive distribution: the mean of what the members say, one probability per class. */
  readonly mean: Float64Array;
  /** Of the mean, 0 … log(classes): all the uncertainty there is. */
  readonly entropy: number;
  /** Mean over the members of their own entropies: what stays however well the weights are known (aleatoric). */
  readonly expectedEntropy: number;
  /** `entropy − expectedEntropy`, 0 or more: what the members disagree about (epistemic). */
  readonly mutualInformation: number;
}

/** H(p) = −Σ p log p in nats, 0 … log(classes). A probability of 0 adds nothing, as p log p → 0. */
export function entropyOf(probabilities: ArrayLike<number>): number {
  let entropy = 0;
  for (let index = 0; index < probabilities.length; index++) {
    const probability = probabilities[index] as number;
    if (probability > 0) entropy -= probability * Math.log(probability);
  }
  // A float32 softmax may give a little more than 1, whose logarithm is positive.
  return Math.max(0, entropy);
}

/**
 * Splits the uncertainty of an ensemble about one example. With weights w drawn from the posterior, the mutual
 * information of the class y and w is
 *
 *     I(y; w) = H(E[p(y | w)]) − E[H(p(y | w))]
 *
 * (Houlsby et al. 2011, arXiv 1112.5745; the split of Depeweg et al. 2018, arXiv 1710.07283), here with the mean
 * over the members in place of the expectation.
 *
 * @param members the probabilities that each member gives the classes
 * @throws UserError where there is no member, or they have different numbers of classes
 */
export function uncertaintyOf(members: readonly ArrayLike<number>[]): Uncertainty {
  const [first] = members;
  if (!first) throw new UserError('uncertaintyOf: no members; give the probabilities of at least one');
  const odd = members.findIndex(({ length }) => length !== first.length);
  if (odd > 0) {
    throw new UserError(
      `uncertaintyOf: member ${odd} has ${members[odd]?.length} probabilities; expected ${first.length}, as member 0 has`,
    );
  }
  const mean = Float64Array.from(
    first,
    (_, index) => members.reduce((sum, member) => sum + (member[index] as number), 0) / members.length,
  );
  const entropy = entropyOf(mean);
  const expectedEntropy = members.reduce((sum, member) => sum + entropyOf(member), 0) / members.length;
  // Entropy is concave, so the difference is never negative; where members agree, rounding may make it so.
  return { mean, entropy, expectedEntropy, mutualInformation: Math.max(0, entropy - expectedEntropy) };
}

/** The output `member_probabilities` of an ensemble, as `run` gives it. */
export interface MemberProbabilities {
  /** [members, batch, classes] */
  readonly dims: readonly number[];
  readonly data: Float32Array | Uint8Array;
}

/** The uncertainty of an ensemble about every example of a batch. */
export function uncertaintiesOf({ dims, data }: MemberProbabilities): Uncertainty[] {
  const [members = 0, batch = 0, classes = 0] = dims;
  const rows = rowsOf(data, classes);
  return Array.from({ length: batch }, (_, example) =>
    uncertaintyOf(Array.from({ length: members }, (_, member) => rows[member * batch + example] ?? [])),
  );
}

/** The rows of an array [rows, width], as views. */
export const rowsOf = <Data extends Float32Array | Uint8Array>(data: Data, width: number): Data[] =>
  Array.from(
    { length: width > 0 ? data.length / width : 0 },
    (_, row) => data.subarray(row * width, (row + 1) * width) as Data,
  );
