import type { Estimator } from '../estimators/index.ts';
import {
  type LocalGradient,
  readoutGradients,
  spikeGradients,
  type TrainingCode,
} from './local-gradients.ts';
import type { LabLoss } from './losses.ts';
import { type NoiseNode, readoutNodes } from './exact-gradient.ts';
import type { PlainLayer } from './plain-network.ts';
import { type LayerStates, patternProbabilities } from './states.ts';
import type { Examples } from './task.ts';

/** Mean and spread of a gradient that an estimator gives in one step on all examples, each with noise of its own. */
export interface ExpectedGradient {
  readonly mean: Float64Array;
  /** Trace of the covariance, of the numbers of each layer. */
  readonly variance: readonly number[];
}

/** The gradient that arrives at what enters a layer, and that of the layer's own tensors, per origin. */
interface Arrival {
  /** E[δ], and E[δ δᵀ] row by row. */
  readonly mean: Float64Array;
  readonly product: Float64Array;
  /** E[g] and E‖g‖² of the layer's own tensors. */
  readonly own: Float64Array;
  readonly ownSquare: number;
}

/**
 * Prepares the exact expectation of what estimators give on a network. The gradient of its readout, which has no
 * spikes and so is the same for all of them, is taken once.
 */
export function expectedGradients(
  code: TrainingCode,
  readout: LayerStates,
  examples: Examples,
  loss: LabLoss,
) {
  const labels = [...new Set(examples.labels)];
  const nodes = readoutNodes(readout.layer.units);
  const arrivals = new Map(
    labels.map((label) => [
      label,
      readoutGradients(code, readout, label, loss).map((gradients) =>
        readoutArrival(readout.layer, nodes, gradients),
      ),
    ]),
  );

  /**
   * The expectation of an estimator's gradient and of its square, over all patterns of all layers.
   *
   * A gradient comes down through one layer after the other, and what a layer does to it depends only on what
   * entered the layer and on what fired in it. So E[δ] and E[δ δᵀ] given what entered follow layer by layer from
   * those above. What single neurons send back is training's own; only these sums are the lab's.
   *
   * @param chain of the network under the estimator's noise
   * @returns undefined where spikes do not tell the estimator's gradient
   */
  return (chain: readonly LayerStates[], estimator: Estimator): ExpectedGradient | undefined => {
    const hidden = chain.slice(0, -1);
    if (estimator.relaxed) return undefined;
    const sent: (readonly (readonly LocalGradient[])[])[] = [];
    for (const states of hidden) {
      const found = spikeGradients(code, states, estimator);
      if (!found) return undefined;
      sent.push(found);
    }
    const mean = new Float64Array(readout.layer.to);
    const variance = chain.map(() => 0);
    for (const label of labels) {
      let above = arrivals.get(label) as readonly Arrival[];
      addLayer(chain.length - 1, label, above);
      for (let index = hidden.length - 1; index >= 0; index--) {
        const { layer, probabilities } = hidden[index] as LayerStates;
        above = (sent[index] as (typeof sent)[number]).map((gradients, origin) =>
          arrivalBelow(layer, patternProbabilities(probabilities[origin]!), gradients, above),
        );
        addLayer(index, label, above);
      }
    }
    return { mean, variance };

    function addLayer(index: number, label: number, arrivals: readonly Arrival[]): void {
      const { layer, occupation } = chain[index] as LayerStates;
      const count = examples.labels.length;
      occupation.forEach((parts, example) => {
        if (examples.labels[example] !== label) return;
        const own = new Float64Array(layer.to - layer.from);
        let square = 0;
        parts.forEach((part, origin) => {
          if (part === 0) return;
          const arrival = arrivals[origin] as Arrival;
          addScaled(own, arrival.own, part);
          square += part * arrival.ownSquare;
        });
        variance[index]! += (square - dot(own, own)) / count ** 2;
        own.forEach((value, at) => (mean[layer.from + at]! += value / count));
      });
    }
  };
}

function readoutArrival(
  { inputs, from, to }: PlainLayer,
  nodes: readonly NoiseNode[],
  gradients: readonly LocalGradient[],
): Arrival {
  const mean = new Float64Array(inputs);
  const product = new Float64Array(inputs * inputs);
  const own = new Float64Array(to - from);
  let ownSquare = 0;
  gradients.forEach(({ byInput, byLearned }, node) => {
    const { weight } = nodes[node] as NoiseNode;
    addScaled(mean, byInput, weight);
    byInput.forEach((value, row) => {
      for (let column = 0; column < inputs; column++)
        product[row * inputs + column]! += weight * value * byInput[column]!;
    });
    addScaled(own, byLearned, weight);
    ownSquare += weight * dot(byLearned, byLearned);
  });
  return { mean, product, own, ownSquare };
}

/**
 * With J the local gradients of the spikes that a pattern z chose, Jᵀ E[δ|z] and Jᵀ E[δ δᵀ|z] J averaged over z.
 * A neuron has two local gradients, so the averages over z are taken first, of δ times whether it chose each.
 */
function arrivalBelow(
  { inputs, units, from, to }: PlainLayer,
  row: Float64Array,
  gradients: readonly LocalGradient[],
  above: readonly Arrival[],
): Arrival {
  const choices = 2 * units;
  const means = new Float64Array(choices);
  const products = new Float64Array(choices * choices);
  row.forEach((p, pattern) => {
    if (p === 0) return;
    const { mean, product } = above[pattern] as Arrival;
    for (let unit = 0; unit < units; unit++) {
      const choice = unit + units * ((pattern >> unit) & 1);
      means[choice]! += p * mean[unit]!;
      for (let other = 0; other < units; other++) {
        const otherChoice = other + units * ((pattern >> other) & 1);
        products[choice * choices + otherChoice]! += p * product[unit * units + other]!;
      }
    }
  });

  const mean = new Float64Array(inputs);
  const product = new Float64Array(inputs * inputs);
  const own = new Float64Array(to - from);
  let ownSquare = 0;
  gradients.forEach(({ byInput, byLearned }, choice) => {
    addScaled(mean, byInput, means[choice]!);
    addScaled(own, byLearned, means[choice]!);
    gradients.forEach((other, otherChoice) => {
      const weight = products[choice * choices + otherChoice]!;
      if (weight === 0) return;
      ownSquare += weight * dot(byLearned, other.byLearned);
      byInput.forEach((value, at) => {
        for (let column = 0; column < inputs; column++)
          product[at * inputs + column]! += weight * value * other.byInput[column]!;
      });
    });
  });
  return { mean, product, own, ownSquare };
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += a[index]! * b[index]!;
  return sum;
};

function addScaled(into: Float64Array, values: ArrayLike<number>, factor: number): void {
  if (factor === 0) return;
  for (let index = 0; index < into.length; index++) into[index]! += factor * values[index]!;
}
