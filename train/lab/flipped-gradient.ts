import { Random } from '../../schemas/random.ts';
import { fillLogistic } from '../noise/logistic.ts';
import { NoiseSource } from '../noise/noise-source.ts';
import type { LabLoss } from './losses.ts';
import { addGradient, type Currents, currentsOf, type PlainLayer } from './plain-network.ts';
import { type NoiseName, plainNoises } from './plain-noise.ts';
import { GROUPS } from './sampled-gradient.ts';
import type { Examples } from './task.ts';

/**
 * The gradient of the expected loss by sampling, for networks with too many patterns to sum over; float64.
 *
 * d/dP E[loss] of a neuron's firing probability P is the expected difference between the loss with the neuron
 * firing and with it silent. So each draw runs once as it falls, and once more per neuron with that neuron
 * flipped, on the same noise above it: without bias, and the spread of the other neurons cancels.
 *
 * @param steps draws in each group; a draw is a pass over all examples
 * @returns the mean of each group
 */
export async function flippedGradient(
  layers: readonly PlainLayer[],
  examples: Examples,
  noise: NoiseName,
  loss: LabLoss,
  { steps, seed, onGroup }: { steps: number; seed: number; onGroup: () => Promise<void> },
): Promise<Float64Array[]> {
  const gaussian = NoiseSource.fromSeed(seed, 'lab reference');
  const uniform = Random.fromSeed(seed, 'lab logistic reference');
  const fill = layers.map(({ units, threshold }) => {
    const numbers = new Float32Array(units);
    return (): Float32Array => {
      if (noise === 'logistic' && threshold !== undefined) fillLogistic(numbers, uniform);
      else gaussian.fillGaussian(numbers);
      return numbers;
    };
  });
  const groups: Float64Array[] = [];
  for (let group = 0; group < GROUPS; group++) {
    const gradient = new Float64Array(layers.at(-1)!.to);
    const factor = 1 / (steps * examples.labels.length);
    for (let step = 0; step < steps; step++) {
      examples.inputs.forEach((x, example) => {
        const noises = fill.map((draw) => draw());
        addDraw({ layers, noises, label: examples.labels[example]!, noise, loss }, x, factor, gradient);
      });
    }
    groups.push(gradient);
    await onGroup();
  }
  return groups;
}

interface Draw {
  readonly layers: readonly PlainLayer[];
  readonly noises: readonly Float32Array[];
  readonly label: number;
  readonly noise: NoiseName;
  readonly loss: LabLoss;
}

function addDraw(draw: Draw, x: Float64Array, factor: number, into: Float64Array): void {
  const { layers, label, noises, noise, loss } = draw;
  const passed: { entered: Float64Array; currents: Currents; fired: Float64Array }[] = [];
  let entered = x;
  layers.forEach((layer, index) => {
    const currents = currentsOf(layer, entered);
    const fired = outputOf(layer, currents, noises[index]!);
    passed.push({ entered, currents, fired });
    entered = fired;
  });

  const { value, slope } = loss.ofNumbers(label, entered);
  const top = layers.length - 1;
  const byNoise = slope.map((each, unit) => each * noises[top]![unit]!);
  addGradient(layers[top]!, passed[top]!.entered, slope, byNoise, factor, into);

  const { density } = plainNoises[noise];
  for (let index = 0; index < top; index++) {
    const layer = layers[index]!;
    const { entered: below, currents, fired } = passed[index]!;
    const byMean = new Float64Array(layer.units);
    const byDeviation = new Float64Array(layer.units);
    for (let unit = 0; unit < layer.units; unit++) {
      const was = fired[unit]!;
      fired[unit] = 1 - was;
      const difference = (lossFrom(draw, index + 1, fired) - value) * (was === 0 ? 1 : -1);
      fired[unit] = was;
      const deviation = currents.deviation[unit]!;
      const ratio = (currents.mean[unit]! - layer.threshold!) / deviation;
      byMean[unit] = (density(ratio) / deviation) * difference;
      byDeviation[unit] = -ratio * byMean[unit]!;
    }
    addGradient(layer, below, byMean, byDeviation, factor, into);
  }
}

/** Spikes of neurons, or the readout's logits. */
const outputOf = ({ threshold }: PlainLayer, { mean, deviation }: Currents, noise: Float32Array) =>
  mean.map((m, unit) => {
    const noisy = m + deviation[unit]! * noise[unit]!;
    return threshold === undefined ? noisy : Number(noisy > threshold);
  });

/** The loss where that enters a layer. */
function lossFrom({ layers, noises, label, loss }: Draw, index: number, entering: Float64Array): number {
  let signal = entering;
  for (let above = index; above < layers.length; above++) {
    const layer = layers[above]!;
    signal = outputOf(layer, currentsOf(layer, signal), noises[above]!);
  }
  return loss.ofNumbers(label, signal).value;
}
