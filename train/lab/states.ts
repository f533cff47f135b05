import { plainNoises } from './plain-noise.ts';
import { type Currents, currentsOf, type PlainLayer } from './plain-network.ts';
import type { Examples } from './task.ts';

/**
 * All that may enter a layer: every example, or every pattern of the neurons below. Bit n of a pattern's number is
 * unit n.
 */
export interface LayerStates {
  readonly layer: PlainLayer;
  /** What enters, [inputs] each. */
  readonly origins: readonly Float64Array[];
  readonly currents: readonly Currents[];
  /** (mean − θ) / deviation of every unit, per origin; of neurons alone. */
  readonly ratios: readonly Float64Array[];
  /** How probable a spike of every unit is, per origin; of neurons alone. */
  readonly probabilities: readonly Float64Array[];
  /** How probable each origin is, per example. */
  readonly occupation: readonly Float64Array[];
}

export type Firing = keyof typeof plainNoises | 'none';

/** P(z = 1) by u/σ: without noise 1 above the threshold and 0 elsewhere. */
const firing = (noise: Firing): ((ratio: number) => number) =>
  noise === 'none' ? (ratio) => (ratio > 0 ? 1 : 0) : plainNoises[noise].cumulative;

/** A network as a chain: patterns of a layer depend only on what entered it, so depth multiplies nothing. */
export function statesOf(
  layers: readonly PlainLayer[],
  examples: Examples,
  noise: Firing,
): readonly LayerStates[] {
  const probability = firing(noise);
  const chain: LayerStates[] = [];
  let origins: readonly Float64Array[] = examples.inputs;
  let occupation = origins.map((_, example) => origins.map((_, at) => Number(at === example)));
  for (const layer of layers) {
    const currents = origins.map((x) => currentsOf(layer, x));
    const { threshold } = layer;
    const ratios =
      threshold === undefined
        ? []
        : currents.map(({ mean, deviation }) => mean.map((m, unit) => (m - threshold) / deviation[unit]!));
    const probabilities = ratios.map((ratio) => ratio.map(probability));
    chain.push({
      layer,
      origins,
      currents,
      ratios,
      probabilities,
      occupation: occupation.map((each) => Float64Array.from(each)),
    });
    if (threshold === undefined) break;
    const rows = probabilities.map(patternProbabilities);
    occupation = occupation.map((each) => {
      const next = Array.from({ length: 2 ** layer.units }, () => 0);
      each.forEach((part, origin) => {
        if (part > 0) rows[origin]!.forEach((p, pattern) => (next[pattern]! += part * p));
      });
      return next;
    });
    origins = patterns(layer.units);
  }
  return chain;
}

/** Every pattern of so many neurons, as zeros and ones. */
export const patterns = (units: number): Float64Array[] =>
  Array.from({ length: 2 ** units }, (_, pattern) =>
    Float64Array.from({ length: units }, (_, unit) => (pattern >> unit) & 1),
  );

/** How probable every pattern of independent neurons is. */
export function patternProbabilities(probabilities: Float64Array): Float64Array {
  const row = new Float64Array(2 ** probabilities.length);
  row[0] = 1;
  probabilities.forEach((p, unit) => {
    const half = 2 ** unit;
    for (let low = 0; low < half; low++) {
      row[low + half] = row[low]! * p;
      row[low]! *= 1 - p;
    }
  });
  return row;
}
