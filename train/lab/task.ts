import { binary, defineModel, dense, type Model, readout } from '../../schemas/index.ts';
import { type LearnedTensor, learnedShapes, type Posterior } from '../../schemas/posterior.ts';
import { Random } from '../../schemas/random.ts';
import type { Dataset } from '../data/index.ts';
import type { PosteriorChoice } from '../families/index.ts';
import { trainingOptionsSchema } from '../options.ts';
import { startingState } from '../start.ts';
import { train } from '../train.ts';

/** Examples as the lab's arithmetic takes them. */
export interface Examples {
  /** [inputs] each. */
  readonly inputs: readonly Float64Array[];
  /** The class of each. */
  readonly labels: readonly number[];
}

const INPUTS = 6;
const EXAMPLES = 8;
const CLASSES = 2;

/** The lab's task: random bytes of two classes, to be told apart by heart. The same seed gives the same. */
export function labData(seed: number): Dataset {
  const random = Random.fromSeed(seed, 'lab examples');
  return {
    name: 'lab',
    inputs: Uint8Array.from({ length: EXAMPLES * INPUTS }, () => random.nextBelow(256)),
    shape: [INPUTS],
    scale: 1 / 255,
    labels: Uint8Array.from({ length: EXAMPLES }, (_, example) => example % CLASSES),
    count: EXAMPLES,
    classes: CLASSES,
    classNames: Array.from({ length: CLASSES }, (_, index) => String(index)),
  };
}

/** A binary network for data, with hidden layers of these widths. */
export const labModel = ({ shape, scale, classes }: Dataset, widths: readonly number[]): Model =>
  defineModel({
    input: { type: 'uint8', shape, scale },
    layers: [
      ...widths.flatMap((units) => [dense({ units }), binary()]),
      dense({ units: classes }),
      readout(),
    ],
  });

/** All examples of a data set, rounded as training rounds them. */
export function examplesOf({ inputs, labels, count, scale }: Dataset): Examples {
  const size = inputs.length / count;
  return {
    inputs: Array.from({ length: count }, (_, example) =>
      Float64Array.from(inputs.subarray(example * size, (example + 1) * size), (byte) =>
        Math.fround(byte * scale),
      ),
    ),
    labels: [...labels],
  };
}

/** How the lab's network comes to the point where it is measured. */
export interface LabTraining {
  /** Of the hidden layers. */
  readonly widths: readonly number[];
  readonly weights: 'certain' | 'bernoulli';
  readonly penalty: 'none' | 'membrane' | 'bias';
  readonly penaltyWeight: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly seed: number;
}

/** ρ of weights that are as good as certain: training moves it little, and its softplus stays below 1e-6. */
const CERTAIN = -20;

/** Noise of scale softplus(0) = 0.69 on the biases makes up for weights that have none. */
const NOISY_BIASES = { certain: 0, bernoulli: -2 };

/** The lab's network at its start, or after some steps of straight-through on all examples at once. */
export async function labPosterior(
  data: Dataset,
  { widths, weights, penalty, penaltyWeight, steps, learningRate, seed }: LabTraining,
  signal?: AbortSignal,
): Promise<Posterior> {
  const model = labModel(data, widths);
  const family: PosteriorChoice =
    weights === 'bernoulli' ? { family: 'bernoulli' } : { family: 'gaussian', scale: 'weight', prior: 1 };
  const settings = {
    epochs: Math.max(1, steps),
    batchSize: data.count,
    seed,
    learningRate: { shape: 'cosine', from: learningRate, to: learningRate / 50, start: 0, end: 1 },
    penalty,
    penaltyWeight,
    posterior: family,
    initialBiasRho: NOISY_BIASES[weights],
  } as const;
  const start = startingState(model, data, trainingOptionsSchema.parse(settings));
  const tensors: Record<string, LearnedTensor> = { ...start.tensors };
  for (const [name, { shape, data: values }] of Object.entries(tensors)) {
    if (name.endsWith('.weight.rho')) tensors[name] = { shape, data: values.map(() => CERTAIN) };
  }
  if (steps > 0)
    return train(model, data, { ...settings, resume: { ...start, tensors }, threads: 1, signal });
  const names = Object.keys(learnedShapes(model, family));
  const learned = Object.fromEntries(names.map((name) => [name, tensors[name] as LearnedTensor]));
  return { ...family, model, learned, classNames: data.classNames };
}
