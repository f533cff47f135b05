import type { Model } from '../schemas/model.ts';
import { learnedShapes, type LearnedTensor } from '../schemas/posterior.ts';
import { batchFiller, type BatchSource, encoderFor, planBatches, type TrainingData } from './data/index.ts';
import type { Engine, State } from './engine/engine.ts';
import type { Estimator } from './estimators/index.ts';
import { gainsFromData } from './initial-gain.ts';
import { NoiseSource } from './noise/noise-source.ts';
import { type OptimiserOptions, optimiserOf } from './optimisers/index.ts';
import { currentsFromData, type TrainingOptions } from './options.ts';
import { initialPosterior } from './posterior.ts';
import type { TrainingState } from './progress.ts';

/** The state before the first step: the seed decides all of it but gains that are to come from the data. */
export function startingState(model: Model, data: TrainingData, options: TrainingOptions): TrainingState {
  const learned = initialPosterior(
    model,
    {
      spread: options.initialSpread,
      gain: typeof options.initialGain === 'number' ? options.initialGain : 1,
      biasRho: options.initialBiasRho,
      inputPower: inputPower(model, data, options.seed),
      seed: options.seed,
    },
    options.posterior,
  );
  return {
    step: 0,
    noise: NoiseSource.fromSeed(options.seed, 'noise').save(),
    tensors: initialState(learned, options.optimiser),
  };
}

/** What the gains of a start depend on. */
export interface Begun {
  readonly model: Model;
  readonly options: TrainingOptions;
  readonly batches: BatchSource;
  /** Of the neurons. */
  readonly noise: Estimator['noise'];
}

/** The state before the first step with the gains that the data ask for, where the options say so. */
export async function withGains(
  state: TrainingState,
  { model, options, batches, noise }: Begun,
  engine: Engine,
): Promise<TrainingState> {
  const currents = currentsFromData(options.initialGain);
  if (currents === undefined) return state;
  const names = Object.keys(learnedShapes(model, options.posterior));
  const learned = Object.fromEntries(names.map((name) => [name, state.tensors[name]!]));
  const found = await gainsFromData({ model, options, noise }, learned, batches, engine, currents);
  return { ...state, tensors: { ...state.tensors, ...found } };
}

/** Learned tensors with what an optimiser keeps that has seen nothing yet. */
export function initialState(learned: State, optimiser: OptimiserOptions): State {
  const { keeps } = optimiserOf(optimiser);
  const state: Record<string, LearnedTensor> = {};
  for (const [name, tensor] of Object.entries(learned)) {
    state[name] = tensor;
    for (const kept of keeps) {
      state[`${name}.${kept}`] = { shape: tensor.shape, data: new Float32Array(tensor.data.length) };
    }
  }
  return state;
}

/** Examples that tell the scale of all. */
const SOME = 4096;

/** E[x²] of the network's inputs; 1 where all are zero. */
function inputPower(model: Model, data: TrainingData, seed: number): number {
  const encoder = encoderFor(model, data);
  const { plan } = planBatches(data, { batchSize: 1, seed, ...(encoder && { encoder }) });
  const { fillInputs, inputs } = batchFiller(plan);
  const values = new Float32Array(inputs);
  const count = Math.min(data.count, SOME);
  let sum = 0;
  for (let index = 0; index < count; index++) {
    // Spread over all: files are often sorted by class.
    fillInputs(0, Uint32Array.of(Math.floor((index * data.count) / count)), values);
    for (const value of values) sum += value * value;
  }
  return sum / (count * inputs) || 1;
}
