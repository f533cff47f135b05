import { type Model, parametersOf, type Place } from '../schemas/model.ts';
import { type LearnedTensor } from '../schemas/posterior.ts';
import { Random } from '../schemas/random.ts';
import type { BatchSource } from './data/index.ts';
import type { Engine, State } from './engine/engine.ts';
import { familyOf } from './families/index.ts';
import { fillLogistic } from './noise/logistic.ts';
import { NoiseSource } from './noise/noise-source.ts';
import { drawsOf } from './noisy-forward.ts';
import type { TrainingOptions } from './options.ts';
import { splitName } from './posterior.ts';
import { scheduled } from './schedule.ts';

import { channelsOf, currentsOf, deviationOf, hasState, type Run, synapsesOf } from './measured-currents.ts';

/** How currents shall start. */
export interface CurrentsFromData {
  /** Standard deviation, in thresholds of the neurons that they drive; of 1 where those are 0 or there are none. */
  readonly scale: number;
  /**
   * Whether biases take away what each channel has on average, so that it comes to 0, or to the threshold of neurons
   * without a memory: half of those then fire (Salimans and Kingma 2016, arXiv 1602.07868). The scale is then that of
   * what is left. Sums of many spikes, which are never negative, need it.
   */
  readonly centre: boolean;
}

/** So near, as a part of it, a current has to come to its scale. */
const TOLERANCE = 0.02;

/** Runs for one layer at most. One is enough where a layer does not hear itself. */
const MOST_RUNS = 12;

/**
 * Scales the gains of all layers with weights so that their currents start at one scale, whatever comes in: layer by
 * layer from the first, one batch of training data passes through the noisy network, and each gain is multiplied by
 * the scale over the standard deviation of what the layer made of it, over examples, times and units and the noise of
 * its weights (layer-sequential unit-variance initialisation: Mishkin and Matas 2015, arXiv 1511.06422). Gaussian
 * weights have their σ multiplied alike, which no gain scales. A layer that hears its own spikes is run until it agrees.
 *
 * The same data, options and seed give the same numbers.
 *
 * @param learned what the posterior starts from
 * @param batches the first of the first epoch is taken
 * @param currents how they shall start
 */
export async function gainsFromData(
  { model, options, noise }: Run,
  learned: State,
  batches: BatchSource,
  engine: Engine,
  { scale, centre }: CurrentsFromData,
): Promise<State> {
  const batchSize = options.batchSize * options.noiseSamples;
  const synapses = synapsesOf(model);
  const draws = drawsOf(model, batchSize, { noise });
  const prepared = await engine.prepareForward(currentsOf({ model, options, noise }, batchSize, synapses));
  try {
    const { feeds } = prepared;
    const targets = new Float32Array(batchSize * batches.classes);
    await batches.fill(0, 0, feeds['inputs']!, targets);
    feeds['temperature']?.fill(scheduled(options.temperature, 0));
    feeds['noiseScale']?.fill(scheduled(options.noiseScale, 0));
    const drawScale = scheduled(options.drawScale, 0);
    const [source, random] = [
      NoiseSource.fromSeed(options.seed, 'initial gains'),
      Random.fromSeed(options.seed, 'initial gains'),
    ];
    for (const { name, noise: kind } of draws) {
      const buffer = feeds[name]!;
      if (kind === 'gaussian') source.fillGaussian(buffer);
      else fillLogistic(buffer, random);
      buffer.forEach((value, index) => (buffer[index] = value * drawScale));
    }

    const state: Record<string, LearnedTensor> = { ...learned };
    const run = async () => {
      for (const name of Object.keys(learned)) feeds[name]?.set(state[name]!.data);
      return prepared.run();
    };
    let found = await run();
    for (const { place, neuron } of synapses) {
      const threshold = neuron && Math.abs(found[`${neuron.name}.threshold`]![0]!);
      const target = scale * (threshold || 1);
      // Where spikes feed the current that makes them, a step of full length may go past the aim and back.
      let [stride, last] = [1, 0];
      for (let runs = 0; runs < MOST_RUNS; runs++) {
        const deviation = deviationOf(place.name, found, centre);
        // What is always the same has no scale to bring to another.
        if (!(deviation > 0)) break;
        const missing = Math.log(target / deviation);
        if (Math.abs(missing) < TOLERANCE) break;
        if (missing * last < 0) stride /= 2;
        last = missing;
        rescale(model, place, state, options, Math.exp(stride * missing));
        found = await run();
      }
      if (!centre) continue;
      // Only neurons that forget fire by the current of the moment.
      const forgets = neuron && !hasState(neuron);
      const level = forgets ? found[`${neuron.name}.threshold`]![0]! : 0;
      shift(
        place.name,
        state,
        channelsOf(place.name, found).map((mean) => level - mean),
      );
      found = await run();
    }
    return state;
  } finally {
    await prepared.close();
  }
}

/** Adds to the bias of each channel of a layer, at every step. */
function shift(layer: string, state: Record<string, LearnedTensor>, by: readonly number[]): void {
  const name = `${layer}.bias.value`;
  const { shape, data } = state[name]!;
  state[name] = { shape, data: data.map((value, at) => value + by[at % by.length]!) };
}

/** Multiplies the current of a layer by a factor. */
function rescale(
  model: Model,
  { name: layer }: Place,
  state: Record<string, LearnedTensor>,
  { posterior }: TrainingOptions,
  factor: number,
): void {
  const family = familyOf(posterior);
  const parameters = parametersOf(model);
  for (const [name, { shape, data }] of Object.entries(state)) {
    const [owner, part] = splitName(name);
    if (splitName(owner)[0] !== layer) continue;
    const { role } = parameters[owner]!;
    if (role === 'gain') state[name] = { shape, data: data.map((value) => value * factor) };
    else if (role === 'weight' && part === 'rho')
      state[name] = { shape, data: data.map((rho) => family.rescaleNoise(rho, factor)) };
  }
}
