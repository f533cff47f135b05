/** Outputs of a graph as answers to the examples. */
import type { Output, Outputs } from './outputs.ts';
import { entropyOf, rowsOf, uncertaintiesOf } from './uncertainty.ts';

/** The answer for one example. */
export interface Classification {
  /** Index of the most probable class. */
  readonly label: number;
  readonly className: string;
  /** Of that class, in [0, 1]; of an ensemble, the mean over its members. */
  readonly probability: number;
  /** One per class, summing to 1. */
  readonly probabilities: Float32Array;
  /**
   * Of the probabilities, H(p) = −Σ p log p in nats: 0 where one class is certain, log(classes) where all are as
   * probable.
   */
  readonly entropy: number;
  /**
   * Of the class and the weights, in nats, 0 … `entropy`: what the members of an ensemble disagree about, their
   * entropy together less the mean of their own (Houlsby et al. 2011, arXiv 1112.5745). The rest of the entropy is
   * in the example itself. A single network has none.
   */
  readonly mutualInformation?: number;
}

/** The answer of an ensemble for one example: `probabilities` and `entropy` are those of the mean of its members. */
export interface EnsembleAnswer extends Classification {
  readonly mutualInformation: number;
  /** What each member says: one probability per class. */
  readonly members: readonly Float32Array[];
}

/** Which outputs `classificationsOf` needs of those that there are. */
export function outputsToClassify(known: readonly string[]): string[] {
  const split = ['predictive_entropy', 'mutual_information'];
  const wanted = split.every((name) => known.includes(name)) ? split : ['member_probabilities'];
  return ['probabilities', ...wanted].filter((name) => known.includes(name));
}

/** The most probable class of each example, and how sure that is. */
export function classificationsOf(outputs: Outputs, classes: readonly string[]): Classification[] {
  const { probabilities, predictive_entropy: entropies, mutual_information: informations } = outputs;
  if (!probabilities) throw new Error('the network has no output probabilities');
  const members = outputs.member_probabilities;
  const uncertainties = members && !(entropies && informations) ? uncertaintiesOf(members) : undefined;
  const rows = rowsOf(probabilities.data as Float32Array, classes.length);
  return Array.from(rows, (row, example) => {
    // A copy, so that who keeps one answer does not keep the whole batch.
    const own = row.slice();
    const label = own.indexOf(Math.max(...own));
    const mutualInformation = informations?.data[example] ?? uncertainties?.[example]?.mutualInformation;
    return {
      label,
      className: classes[label] as string,
      probability: own[label] as number,
      probabilities: own,
      entropy: entropies?.data[example] ?? uncertainties?.[example]?.entropy ?? entropyOf(own),
      ...(mutualInformation !== undefined && { mutualInformation }),
    };
  });
}

/** What an ensemble says of each example, with what each of its members says. */
export function ensembleAnswersOf(outputs: Outputs, classes: readonly string[]): EnsembleAnswer[] {
  const { data, dims } = outputs.member_probabilities as Output;
  const [count = 0, batch = 0] = dims;
  const rows = rowsOf(data as Float32Array, classes.length);
  return Array.from(classificationsOf(outputs, classes), (answer, example) => ({
    ...answer,
    mutualInformation: answer.mutualInformation as number,
    members: Array.from({ length: count }, (_, member) =>
      (rows[member * batch + example] as Float32Array).slice(),
    ),
  }));
}
