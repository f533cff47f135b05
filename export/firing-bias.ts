import type { Plain } from './oracle.ts';

/** One number per channel. */
type PerChannel = ArrayLike<number>;

/**
 * The biases with which sums exceed a threshold at given rates: the exact solution for neurons without memory.
 *
 * A neuron fires where `sum + bias > threshold`, so at its rate where the (1 − rate) quantile of its membrane lies
 * at the threshold. Sums that no float32 bias tells apart fire together: of the rates that this leaves, a neuron gets
 * the nearest.
 *
 * @param sums [examples, channels], one example at least @param rates 0 … 1
 */
export function solveBiases(sums: Plain, threshold: Plain | number, rates: PerChannel): Float32Array {
  const channels = rates.length;
  const column = new Float64Array(sums.data.length / channels);
  return Float32Array.from(rates, (rate, channel) => {
    for (let row = 0; row < column.length; row++) column[row] = sums.data[row * channels + channel] as number;
    const level = levelOf(column.sort(), rate);
    return (typeof threshold === 'number' ? threshold : (threshold.data[channel] as number)) - level;
  });
}

/**
 * The level that a part `rate` of the values exceeds, or the nearest part that there is one for: halfway between
 * the values on either side of it.
 *
 * @param values from the smallest to the largest
 */
function levelOf(values: Float64Array, rate: number): number {
  const count = values.length;
  const at = (index: number): number => values[index] as number;
  const [least, most] = [at(0), at(count - 1)];
  const near = SAME * Math.max(-least, most);
  const inside = (quiet: number): boolean => quiet > 0 && quiet < count;
  /** Whether no level lies between the values that stay quiet and the next. */
  const tied = (quiet: number): boolean => inside(quiet) && at(quiet) - at(quiet - 1) <= near;
  const wanted = (1 - rate) * count;
  let fewer = Math.floor(wanted);
  while (tied(fewer)) fewer--;
  let more = Math.ceil(wanted);
  while (tied(more)) more++;
  const quiet = wanted - fewer <= more - wanted ? fewer : more;
  if (inside(quiet)) return (at(quiet - 1) + at(quiet)) / 2;
  // All fire, or none: as far outside as values are apart, in the mean.
  const margin = (most - least) / count || 1;
  return quiet === 0 ? least - margin : most + margin;
}

/** A layer of neurons whose firing depends on what was before. */
export interface Search {
  /** The spikes [.., channels] of the layer with these biases. */
  readonly run: (biases: Float32Array) => Plain;
  readonly start: PerChannel;
  /** The largest current of each channel: how far its bias may have to move. */
  readonly reach: PerChannel;
  /** Whether no neuron hears another of the layer, so that each bias can be judged by itself. */
  readonly independent: boolean;
}

/** Values this near, as a part of the largest, count as the same: they may be one sum, added up in two orders. */
const SAME = 2 ** -20;

/**
 * How many steps there are, and what each is of the one before. Those left can take one back, 1.5 or 2.3 times over:
 * neurons that hear each other need more of that, for a step of one changes what another fires at.
 */
const searches = {
  independent: { rounds: 20, shrink: 0.6 },
  together: { rounds: 32, shrink: 0.7 },
};

/**
 * The biases with which neurons with a memory fire nearest to given rates: found by search, for more current never
 * means fewer spikes, and no formula says how many more.
 *
 * Every round runs the layer once and moves each bias by one step towards its rate, each step shorter than the one
 * before, down to 6 · 10⁻⁵ of the reach or less. The best biases seen are taken, those at the start among them.
 */
export function searchBiases({ run, start, reach, independent }: Search, rates: PerChannel): Float32Array {
  const channels = rates.length;
  const biases = Float32Array.from(start);
  const best = biases.slice();
  const errors = new Float64Array(channels).fill(Number.POSITIVE_INFINITY);
  let least = Number.POSITIVE_INFINITY;
  const { rounds, shrink } = searches[independent ? 'independent' : 'together'];
  for (let round = 0; round < rounds; round++) {
    const found = firingRates(run(biases), channels);
    const missing = found.map((rate, channel) => (rates[channel] as number) - rate);
    const total = missing.reduce((sum, each) => sum + Math.abs(each), 0);
    missing.forEach((each, channel) => {
      const isBetter = independent ? Math.abs(each) < (errors[channel] as number) : total < least;
      if (isBetter) {
        best[channel] = biases[channel] as number;
        errors[channel] = Math.abs(each);
      }
      const step = (reach[channel] as number) * shrink ** round;
      biases[channel] = (biases[channel] as number) + step * Math.sign(each);
    });
    least = Math.min(least, total);
  }
  return best;
}

/** The mean of each channel over all that is before the last axis. */
function firingRates({ data }: Plain, channels: number): Float64Array {
  const rates = new Float64Array(channels);
  data.forEach((spike, index) => {
    rates[index % channels] = (rates[index % channels] as number) + spike;
  });
  return rates.map((count) => (count * channels) / data.length);
}
