import type { LabLoss } from './losses.ts';
import { addGradient } from './plain-network.ts';
import { gaussHermite, type NoiseName, plainNoises } from './plain-noise.ts';
import type { LayerStates } from './states.ts';
import type { Examples } from './task.ts';

/**
 * The gradient of the expected loss by every learned tensor, in float64, by summing over all patterns.
 *
 * V(x), the expected loss once x has entered a layer, follows from the V above it: with P the probabilities of
 * spikes, V(x) = Σ_z Π P(z) V(z). This is linear in each P, and d/dP is the difference between V with the neuron
 * firing and V with it silent: nothing is sampled and nothing is straight through. dP/du = F'(u/σ)/σ and
 * dP/dσ = −(u/σ) F'(u/σ)/σ lead on to weights, gains and biases.
 *
 * @param chain of the network under this noise
 * @returns the mean over the examples, laid out as `slotsOf` tells
 */
export function exactGradient(
  chain: readonly LayerStates[],
  examples: Examples,
  noise: NoiseName,
  loss: LabLoss,
): Float64Array {
  const readout = chain.at(-1) as LayerStates;
  const gradient = new Float64Array(readout.layer.to);
  for (const label of new Set(examples.labels)) {
    // How often each origin is met with this label; the examples count alike.
    const weightsOf = ({ origins, occupation }: LayerStates): number[] =>
      origins.map((_, origin) =>
        occupation.reduce(
          (sum, each, example) =>
            sum + (examples.labels[example] === label ? each[origin]! / examples.labels.length : 0),
          0,
        ),
      );
    let values = addReadout(readout, weightsOf(readout), label, loss, gradient);
    for (const states of chain.slice(0, -1).toReversed()) {
      values = addNeurons(states, weightsOf(states), values, noise, gradient);
    }
  }
  return gradient;
}

/** Adds the gradient of the readout's tensors; the expected loss per origin. */
function addReadout(
  { layer, origins, currents }: LayerStates,
  weights: readonly number[],
  label: number,
  loss: LabLoss,
  into: Float64Array,
): Float64Array {
  const nodes = readoutNodes(layer.units);
  return Float64Array.from(origins, (x, origin) => {
    const { mean, deviation } = currents[origin]!;
    const byMean = new Float64Array(layer.units);
    const byDeviation = new Float64Array(layer.units);
    let expected = 0;
    for (const { noise, weight } of nodes) {
      const logits = mean.map((m, unit) => m + deviation[unit]! * noise[unit]!);
      const { value, slope } = loss.ofNumbers(label, logits);
      expected += weight * value;
      slope.forEach((each, unit) => {
        byMean[unit]! += weight * each;
        byDeviation[unit]! += weight * each * noise[unit]!;
      });
    }
    addGradient(layer, x, byMean, byDeviation, weights[origin]!, into);
    return expected;
  });
}

/** Adds the gradient of a layer of neurons; the expected loss per origin. */
function addNeurons(
  { layer, origins, currents, ratios, probabilities }: LayerStates,
  weights: readonly number[],
  above: Float64Array,
  noise: NoiseName,
  into: Float64Array,
): Float64Array {
  const { density } = plainNoises[noise];
  return Float64Array.from(origins, (x, origin) => {
    const { value, slopes } = average(probabilities[origin]!, above);
    const { deviation } = currents[origin]!;
    const ratio = ratios[origin]!;
    const byMean = slopes.map((slope, unit) => (density(ratio[unit]!) / deviation[unit]!) * slope);
    const byDeviation = byMean.map((slope, unit) => -ratio[unit]! * slope);
    addGradient(layer, x, byMean, byDeviation, weights[origin]!, into);
    return value;
  });
}

/** Σ_z Π P(z) value(z), and its derivative by the probability of every neuron. */
function average(probabilities: Float64Array, values: Float64Array) {
  const units = probabilities.length;
  // levels[n]: averaged over units n and above, by the pattern of those below.
  const levels: Float64Array[] = [];
  levels[units] = values;
  for (let unit = units - 1; unit >= 0; unit--) {
    const [whole, half, p] = [levels[unit + 1]!, 2 ** unit, probabilities[unit]!];
    levels[unit] = Float64Array.from(
      { length: half },
      (_, low) => (1 - p) * whole[low]! + p * whole[low + half]!,
    );
  }
  let below = Float64Array.of(1);
  const slopes = probabilities.map((p, unit) => {
    const [whole, half] = [levels[unit + 1]!, 2 ** unit];
    const slope = below.reduce((sum, part, low) => sum + part * (whole[low + half]! - whole[low]!), 0);
    const next = new Float64Array(2 * half);
    below.forEach((part, low) => {
      next[low] = part * (1 - p);
      next[low + half] = part * p;
    });
    below = next;
    return slope;
  });
  return { value: levels[0]![0]!, slopes };
}

/** One point of the readout's noise, with what it counts. */
export interface NoiseNode {
  readonly noise: readonly number[];
  readonly weight: number;
}

/** Points per class so that their product stays near 600: enough for deviations up to about 3. */
const pointsPerClass: Readonly<Record<number, number>> = { 1: 48, 2: 24, 3: 9 };

export const MOST_EXACT_CLASSES = 3;

/** Standard normal noise of so many classes as points and weights. */
export function readoutNodes(classes: number): NoiseNode[] {
  const { nodes, weights } = gaussHermite(pointsPerClass[classes] as number);
  let found: NoiseNode[] = [{ noise: [], weight: 1 }];
  for (let axis = 0; axis < classes; axis++) {
    found = found.flatMap(({ noise, weight }) =>
      nodes.map((node, index) => ({ noise: [...noise, node], weight: weight * weights[index]! })),
    );
  }
  // What weighs less than this changes no figure that is shown.
  return found.filter(({ weight }) => weight > 1e-12);
}
