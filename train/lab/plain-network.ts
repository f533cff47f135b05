import { UserError } from '../../schemas/errors.ts';
import { type Place, placesOf } from '../../schemas/model.ts';
import { type Family, learnedShapes, learnedTensor, type Posterior } from '../../schemas/posterior.ts';
import { sizeOf } from '../../schemas/layer.ts';

/**
 * One dense layer with the neurons or the readout above it, in float64 and on its own: what the estimators are
 * held against shares no arithmetic with training.
 */
export interface PlainLayer {
  /** Of its dense layer: `0.dense`. */
  readonly name: string;
  readonly inputs: number;
  readonly units: number;
  /** Of its neurons; undefined for the readout. */
  readonly threshold: number | undefined;
  /** E[w] and d E[w] / d learned, [inputs, units]. */
  readonly weight: Float64Array;
  readonly weightSlope: Float64Array;
  /** var[w] and d var[w] / d learned, [inputs, units]. */
  readonly variance: Float64Array;
  readonly varianceSlope: Float64Array;
  readonly gain: Float64Array;
  readonly bias: Float64Array;
  /** softplus(ρ) of the biases, and its derivative. */
  readonly biasScale: number;
  readonly biasScaleSlope: number;
  /** Whether a gain multiplies the deviation too: of Bernoulli weights it does, of Gaussian ones not. */
  readonly gainScalesDeviation: boolean;
  /** Where its learned tensors lie in the gradient of the whole network. */
  readonly from: number;
  readonly to: number;
  /** Where each of them begins: weights (λ, or μ), deviations of Gaussian weights, gains, biases, ρ of biases. */
  readonly at: Readonly<Record<'weight' | 'weightRho' | 'gain' | 'bias' | 'biasRho', number>>;
}

/** A learned tensor and where it lies in the gradient of the whole network. */
export interface Slot {
  readonly name: string;
  readonly shape: readonly number[];
  readonly from: number;
}

/** Every learned tensor in the order in which gradients are laid out. */
export function slotsOf(posterior: Posterior): Slot[] {
  let from = 0;
  return Object.entries(learnedShapes(posterior.model, posterior)).map(([name, shape]) => {
    const slot = { name, shape, from };
    from += sizeOf(shape);
    return slot;
  });
}

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/**
 * The layers of a network of dense layers, binary neurons and a readout.
 *
 * @throws UserError for other layers, for none with neurons, and for Gaussian weights that share deviations
 */
export function plainNetwork(posterior: Posterior): PlainLayer[] {
  if (posterior.family === 'gaussian' && posterior.scale !== 'weight') {
    throw new UserError(
      `lab: Gaussian weights with a deviation per ${posterior.scale} cannot be measured; expected scale 'weight', or a Bernoulli posterior`,
    );
  }
  const places = placesOf(posterior.model);
  const slots = slotsOf(posterior);
  const layers: PlainLayer[] = [];
  for (let index = 0; index < places.length; index += 2) {
    layers.push(plainLayer(posterior, slots, places[index] as Place, places[index + 1]));
  }
  if (layers.length < 2) {
    throw new UserError('lab: the network has no neurons to estimate a gradient of; put binary() into it');
  }
  return layers;
}

function plainLayer(posterior: Posterior, slots: Slot[], dense: Place, above: Place | undefined): PlainLayer {
  const stray = [dense.spec, above?.spec].find(
    (spec, index) => spec && !(index === 0 ? ['dense'] : ['binary', 'readout']).includes(spec.kind),
  );
  if (stray) {
    throw new UserError(
      `lab: cannot measure a network with a layer of kind ${stray.kind}; expected dense and binary layers and a readout`,
    );
  }
  const tensor = (part: string): Float64Array =>
    Float64Array.from(learnedTensor(posterior, `${dense.name}.${part}`).data);
  const own = slots.filter(({ name }) => name.startsWith(`${dense.name}.`));
  const from = (part: string): number =>
    own.find(({ name }) => name === `${dense.name}.${part}`)?.from ?? Number.NaN;
  const last = own.at(-1) as Slot;
  const biasRho = tensor('bias.rho')[0] as number;
  return {
    name: dense.name,
    inputs: dense.input[0] as number,
    units: dense.output[0] as number,
    threshold: above?.spec.kind === 'binary' ? above.spec.threshold : undefined,
    ...weightMoments(posterior, tensor),
    gain: tensor('gain.value'),
    bias: tensor('bias.value'),
    biasScale: softplus(biasRho),
    biasScaleSlope: sigmoid(biasRho),
    from: (own[0] as Slot).from,
    to: last.from + sizeOf(last.shape),
    at: {
      weight: from(posterior.family === 'bernoulli' ? 'weight.lambda' : 'weight.mu'),
      weightRho: from('weight.rho'),
      gain: from('gain.value'),
      bias: from('bias.value'),
      biasRho: from('bias.rho'),
    },
  };
}

/** Mean and variance of weights with their derivatives by λ; or by μ, and of the variance by ρ. */
function weightMoments(of: Family, tensor: (part: string) => Float64Array) {
  if (of.family === 'bernoulli') {
    const temperature = of.temperature ?? 1;
    const weight = tensor('weight.lambda').map((lambda) => Math.tanh(lambda / temperature));
    const variance = weight.map((mean) => 1 - mean * mean);
    return {
      weight,
      weightSlope: variance.map((value) => value / temperature),
      variance,
      varianceSlope: variance.map((value, index) => (-2 * (weight[index] as number) * value) / temperature),
      gainScalesDeviation: true,
    };
  }
  const weight = tensor('weight.mu');
  const rho = tensor('weight.rho');
  return {
    weight,
    weightSlope: weight.map(() => 1),
    variance: rho.map((value) => softplus(value) ** 2),
    varianceSlope: rho.map((value) => 2 * softplus(value) * sigmoid(value)),
    gainScalesDeviation: false,
  };
}

/** Mean and deviation of a layer's currents. */
export interface Currents {
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
}

/** mean = gain ⊙ (x · E[w]) + bias; variance = gain² ⊙ (x² · var[w]) + softplus(ρ)², without gain² if Gaussian. */
export function currentsOf(layer: PlainLayer, x: ArrayLike<number>): Currents {
  const { sum, spread } = sumsOf(layer, x);
  const { units, gain, bias, biasScale, gainScalesDeviation } = layer;
  for (let unit = 0; unit < units; unit++) {
    const factor = gain[unit]!;
    sum[unit] = factor * sum[unit]! + bias[unit]!;
    const scaled = gainScalesDeviation ? factor * factor * spread[unit]! : spread[unit]!;
    spread[unit] = Math.sqrt(scaled + biasScale * biasScale);
  }
  return { mean: sum, deviation: spread };
}

/** x · E[w] and x² · var[w]. */
function sumsOf({ inputs, units, weight, variance }: PlainLayer, x: ArrayLike<number>) {
  const sum = new Float64Array(units);
  const spread = new Float64Array(units);
  for (let input = 0; input < inputs; input++) {
    const value = x[input]!;
    if (value === 0) continue;
    for (let unit = 0; unit < units; unit++) {
      sum[unit]! += value * weight[input * units + unit]!;
      spread[unit]! += value * value * variance[input * units + unit]!;
    }
  }
  return { sum, spread };
}

/**
 * Adds the gradient of a layer's learned tensors, by the chain rule from that of its currents.
 *
 * @param byMean d loss / d mean, per unit
 * @param byDeviation d loss / d deviation, per unit
 * @param factor what the gradient counts
 */
export function addGradient(
  layer: PlainLayer,
  x: ArrayLike<number>,
  byMean: Float64Array,
  byDeviation: Float64Array,
  factor: number,
  into: Float64Array,
): void {
  const { inputs, units, gain, at, gainScalesDeviation } = layer;
  const { sum, spread } = sumsOf(layer, x);
  const { deviation } = currentsOf(layer, x);
  for (let unit = 0; unit < units; unit++) {
    const mean = factor * byMean[unit]!;
    // d/d variance = d/d deviation / (2 deviation)
    const variance = deviation[unit]! > 0 ? (factor * byDeviation[unit]!) / (2 * deviation[unit]!) : 0;
    const scale = gain[unit]!;
    const ofVariance = gainScalesDeviation ? variance * scale * scale : variance;
    into[at.gain + unit]! += mean * sum[unit]!;
    if (gainScalesDeviation) into[at.gain + unit]! += variance * 2 * scale * spread[unit]!;
    into[at.bias + unit]! += mean;
    into[at.biasRho]! += variance * 2 * layer.biasScale * layer.biasScaleSlope;
    for (let input = 0; input < inputs; input++) {
      const value = x[input]!;
      if (value === 0) continue;
      const index = input * units + unit;
      const varianceSlope = ofVariance * value * value * layer.varianceSlope[index]!;
      into[at.weight + index]! += mean * scale * value * layer.weightSlope[index]!;
      into[(gainScalesDeviation ? at.weight : at.weightRho) + index]! += varianceSlope;
    }
  }
}
