import type { ParameterRole } from '../schemas/layer.ts';
import { type Model, parametersOf } from '../schemas/model.ts';
import { splitName } from './posterior.ts';
import type { TrainingOptions } from './options.ts';
import { type Schedule, scheduled } from './schedule.ts';

/**
 * Groups of learned tensors whose learning rates differ.
 *
 * - `weights`: λ of Bernoulli weights, μ of Gaussian ones.
 * - `scales`: every ρ, of weights and of biases.
 * - `gains`, `biases`: the values of those.
 * - `neurons`: decays and thresholds that are learned.
 */
export const rateGroups = ['weights', 'scales', 'gains', 'biases', 'neurons'] as const;
export type RateGroup = (typeof rateGroups)[number];

const groupOfRole: Record<ParameterRole, RateGroup> = {
  weight: 'weights',
  gain: 'gains',
  bias: 'biases',
  decay: 'neurons',
  threshold: 'neurons',
};

/** The group of each learned tensor. @param learned names such as `0.dense.weight.lambda` */
export function rateGroupsOf(model: Model, learned: readonly string[]): Record<string, RateGroup> {
  const parameters = parametersOf(model);
  const groups: Record<string, RateGroup> = {};
  for (const name of learned) {
    const [owner, part] = splitName(name);
    const parameter = parameters[owner];
    if (!parameter) throw new Error(`${name} belongs to no parameter of the model`);
    groups[name] = part === 'rho' ? 'scales' : groupOfRole[parameter.role];
  }
  return groups;
}

/** The options that decide learning rates; `otherRates` stands for those of the others that are not given. */
export interface RateOptions {
  readonly learningRate: Schedule;
  readonly otherRates: Schedule;
  readonly scaleRates?: Schedule;
  readonly gainRates?: Schedule;
  readonly biasRates?: Schedule;
  readonly neuronRates?: Schedule;
}

/**
 * The learning rate of each group: beside that of the weights, a number is a multiple of it, and a schedule is a
 * rate of its own.
 *
 * @param progress in [0, 1]
 */
export function learningRates(
  { learningRate, otherRates, scaleRates, gainRates, biasRates, neuronRates }: RateOptions,
  progress: number,
): Record<RateGroup, number> {
  const weights = scheduled(learningRate, progress);
  const rateOf = (rate: Schedule = otherRates): number =>
    typeof rate === 'number' ? weights * rate : scheduled(rate, progress);
  return {
    weights,
    scales: rateOf(scaleRates),
    gains: rateOf(gainRates),
    biases: rateOf(biasRates),
    neurons: rateOf(neuronRates),
  };
}

const scheduledOptions = [
  'temperature',
  'noiseScale',
  'drawScale',
  'divergenceWeight',
  'penaltyWeight',
] as const satisfies readonly (keyof TrainingOptions)[];

/**
 * What the schedules of a training give: the learning rate of the weights, and every other number that the options
 * let change. One that stays the same is left out.
 *
 * @param progress in [0, 1]
 */
export const schedulesAt = (options: TrainingOptions, progress: number): Record<string, number> => ({
  learningRate: learningRates(options, progress).weights,
  ...Object.fromEntries(
    scheduledOptions
      .filter((name) => typeof options[name] !== 'number')
      .map((name) => [name, scheduled(options[name], progress)]),
  ),
});
