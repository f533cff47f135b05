/** What a training is about to do, in words. */
import type { Model } from '../schemas/model.ts';
import { estimateMemory } from '../train/memory.ts';
import {
  countBatches,
  heldOutCount,
  type Progress,
  type TrainingData,
  type TrainingOptions,
} from '../train/index.ts';
import { dataText } from './data.ts';
import { layersText } from './layers-text.ts';
import { parameterCounts } from './network.ts';
import { bytesText, clock, facts, grouped } from './output.ts';

export interface Plan {
  /** The file that it is written in. */
  readonly config: string | undefined;
  readonly recipe: string | undefined;
  readonly model: Model;
  readonly data: TrainingData;
  readonly options: TrainingOptions;
  readonly out: string;
  readonly keep: number | undefined;
  readonly keepBest: boolean | undefined;
}

/** The same as numbers, for `--json`. */
export function planFigures({ model, data, options }: Plan) {
  const { weights, others } = parameterCounts(model);
  const { data: examples, parameters, activations } = estimateMemory(model, data, options);
  return { weights, otherParameters: others, memoryBytes: { examples, parameters, activations } };
}

export function planText(plan: Plan): string {
  const { config, recipe, model, data, options, out, keep = 2, keepBest } = plan;
  const { epochs, batchSize, seed, posterior, augment } = options;
  const { weights, otherParameters, memoryBytes } = planFigures(plan);
  const held = heldOutCount(data.count, options.validation);
  const steps = countBatches(data.count - held, options);
  const kind = posterior.family === 'bernoulli' ? 'binary' : 'Gaussian';
  const { examples, parameters, activations } = memoryBytes;
  const kept = `the last ${keep === 1 ? 'one' : keep} kept${keepBest ? ', and the best' : ''}`;
  return facts({
    ...(config !== undefined && { config }),
    data: dataText(data),
    ...(recipe !== undefined && { recipe }),
    network: `${layersText(model)}, ${grouped(weights)} ${kind} weights`,
    'other parameters': grouped(otherParameters),
    training: `${epochs} epochs of ${grouped(steps)} steps, ${batchSize} examples each, seed ${seed}`,
    ...(augment.length > 0 && { augmented: augment.map(({ kind }) => kind).join(', ') }),
    ...(held > 0 && { validation: `${grouped(held)} of the examples, held out` }),
    memory:
      `about ${bytesText(examples + parameters + activations)} beside the program: examples ${bytesText(examples)}, ` +
      `parameters ${bytesText(parameters)}, a step ${bytesText(activations)}`,
    checkpoints: `${out}, at the end of every epoch; ${kept}`,
  });
}

/** Steps and seconds after which the first of them are taken for what the others will need. */
const first = { steps: 5, seconds: 1 };

/** Tells once, after the first steps, how long an epoch and the whole take; undefined before and after that. */
export function timeTeller(): (progress: Progress) => string | undefined {
  const started = performance.now();
  let told = false;
  let begun: number | undefined;
  return ({ step, epochs, stepsPerEpoch, remainingSeconds, steps }) => {
    begun ??= step - 1;
    const enough = step - begun >= first.steps && performance.now() - started >= 1000 * first.seconds;
    if (told || !enough) return undefined;
    told = true;
    const left = steps - step;
    if (left <= 0) return undefined;
    const perEpoch = (remainingSeconds / left) * stepsPerEpoch;
    return `about ${clock(perEpoch)} an epoch, ${clock(remainingSeconds)} for the rest of ${epochs}`;
  };
}
