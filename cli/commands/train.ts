import { join } from 'node:path';
import type { Command } from 'commander';
import { checkOptions } from '../../schemas/layer.ts';
import { loadTraining, resumeInWorker, trainingOptionsSchema, trainInWorker } from '../../train/index.ts';
import { openTrainingData } from '../data.ts';
import { Interrupted, interruptible } from '../interrupt.ts';
import { addMonitor, monitoring } from '../monitor.ts';
import { addJson, count } from '../options.ts';
import { grouped, say, sayJson, shellWord, warn } from '../output.ts';
import { type Plan, planFigures, planText, timeTeller } from '../plan.ts';
import { showTraining, trainedText } from '../progress.ts';
import {
  addBase,
  addOptions,
  describeTraining,
  type Given,
  givenModel,
  networkFor,
  type TrainFlags,
} from '../training.ts';

export function define(command: Command): void {
  addBase(command)
    .option('--resume', 'Go on with the training in that folder')
    .option('--keep <count>', 'Checkpoints that stay (default: 2)', count)
    .option('--keep-best', 'Let the checkpoint of the best epoch stay too; needs --validation')
    .option('--no-keep-best', 'Let it go, whatever the file of the training says')
    .option('--tensorboard [folder]', 'Write TensorBoard event files, into OUT/tensorboard unless told')
    .option('--no-tensorboard', 'Write none, whatever the file of the training says');
  addJson(addMonitor(addOptions(command))).action((name: string | undefined, flags: TrainFlags) =>
    run(command, name, flags),
  );
}

async function run(command: Command, name: string | undefined, flags: TrainFlags): Promise<void> {
  const { path: config, recipe, given, settings } = await describeTraining(command, name, flags);
  const { out, resume, json, engine, backend, threads, workers, keep, keepBest } = given;
  const data = await openTrainingData(given);
  // Resuming loads it again, and warns.
  const saved = resume ? await loadTraining(out, { warn: () => {} }) : undefined;
  const chosen = await givenModel(given, data, recipe);
  const model = chosen ?? saved?.model ?? networkFor(data);
  const options = checkOptions(trainingOptionsSchema, { ...saved?.options, ...settings }, 'train');
  const plan: Plan = { config, recipe: recipe?.name, model, data, options, out, keep, keepBest };
  const tensorboard = given.tensorboard === true ? join(out, 'tensorboard') : given.tensorboard || undefined;
  const figures = planFigures(plan);
  say(planText(plan));
  if (saved) say(`goes on after step ${grouped(saved.state.step)}`);
  say();

  const running = {
    ...settings,
    engine,
    backend,
    threads,
    workers,
    keep,
    keepBest,
    tensorboard,
    warn,
    transfer: true,
  };
  const { last, validation, monitored, seconds } = await showTraining(
    (onProgress, onValidation, onMonitor) =>
      stoppable({ name, ...given }, (signal) => {
        const monitor = monitoring(given);
        const hooks = { onProgress, onValidation, signal, monitor, ...(monitor && { onMonitor }) };
        return saved
          ? resumeInWorker(out, data, { ...running, ...hooks, ...(chosen && { model }) })
          : trainInWorker(out, model, data, { ...running, ...hooks });
      }),
    timeTeller(),
  );
  say(last ? trainedText(last, seconds) : 'nothing was left to do');
  const best = validation.findLast((figures) => figures.best);
  if (best) say(`kept the best epoch, ${best.epoch + 1}`);
  say(`saved in ${out}; next: bitspike export ${shellWord(out)} --out network.onnx`);
  if (!json) return;
  const { step = saved?.state.step, reports = {}, examplesPerSecond = null } = last ?? {};
  const judged = validation.length > 0 && { validation };
  const seen = monitored.length > 0 && { monitored };
  sayJson({ run: out, step, reports, examplesPerSecond, seconds, ...figures, ...judged, ...seen });
}

/** Lets the user stop the training, and tells how to go on. */
async function stoppable<Result>(
  given: Given & { readonly name: string | undefined },
  action: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  try {
    return await interruptible(action, () =>
      say('stopping after this step; once more (Ctrl-C) stops at once, without saving'),
    );
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    throw new Interrupted(
      error.signal,
      `stopped, and saved in ${given.out}; go on with: bitspike train ${resumingArguments(given)}`,
    );
  }
}

/** The folder knows the model and what decides the result; the rest is to be given again. */
const resumingArguments = ({
  data,
  limit,
  out,
  engine,
  backend,
  threads,
  workers,
  ...others
}: Given): string => {
  const { keep, keepBest, tensorboard } = others;
  const given = Object.entries({ data, limit, out, engine, backend, threads, workers, keep, tensorboard })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => (value === true ? `--${name}` : `--${name} ${shellWord(String(value))}`));
  return [...given, ...(keepBest ? ['--keep-best'] : []), '--resume'].join(' ');
};
