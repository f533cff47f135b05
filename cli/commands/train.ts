import { type Command, Option } from 'commander';
import { UserError } from '../../schemas/errors.ts';
import { checkOptions } from '../../schemas/layer.ts';
import type { Model } from '../../schemas/model.ts';
import {
  type FolderRunOptions,
  heldOutCount,
  loadTraining,
  type Recipe,
  recipeModel,
  recipeNamed,
  recipes,
  resumeTraining,
  trainInFolder,
  isRecordings,
  isRegression,
  type TrainingData,
  type TrainingOptions,
  type TrainingSettings,
  trainingOptionsSchema,
} from '../../train/index.ts';
import { dataText, openTrainingData } from '../data.ts';
import { Interrupted, interruptible } from '../interrupt.ts';
import { layersText } from '../layers-text.ts';
import { addMonitor, type MonitorFlags, monitoring } from '../monitor.ts';
import { binaryNetwork, parameterCounts, regressionNetwork } from '../network.ts';
import { addData, addJson, addThreads, choice, counts, type DataOptions, whole } from '../options.ts';
import { facts, grouped, say, sayJson, shellWord, warn } from '../output.ts';
import { showTraining, trainedText } from '../progress.ts';
import { readModelJson, readOptionsJson } from '../recipe.ts';
import { addTraining, settingsOf } from '../training-options.ts';

interface TrainOptions
  extends DataOptions,
    MonitorFlags,
    Pick<FolderRunOptions, 'engine' | 'backend' | 'threads' | 'workers'> {
  readonly out: string;
  readonly hidden?: readonly number[];
  readonly model?: string;
  readonly options?: string;
  readonly resume?: true;
  readonly json?: true;
}

const defaultHidden = [512, 512];

export function define(command: Command): void {
  addData(command)
    .argument('[recipe]', `Network and training by name: ${Object.keys(recipes).join(', ')}`)
    .requiredOption('--out <folder>', 'Where to save, at the end of every epoch and when interrupted')
    .option('--resume', 'Go on with the training in that folder')
    .addOption(
      new Option('--hidden <sizes>', `Sizes of the hidden layers (default: ${defaultHidden.join()})`)
        .argParser(counts)
        .conflicts('model'),
    )
    .option('--model <file>', 'A network as JSON, instead of --hidden or of that of a recipe')
    .option('--options <file>', 'Options of the training as JSON; those that are flags here win');
  addTraining(command)
    .addOption(choice('--engine <name>', 'What computes (default: onnx)', ['onnx', 'tfjs']))
    .option('--backend <name>', 'Backend of the engine tfjs (default: tensorflow)');
  addThreads(addMonitor(command)).option(
    '--workers <count>',
    'Threads that prepare batches; none unless given',
    whole,
  );
  addJson(command).action(run);
}

async function run(name: string | undefined, options: TrainOptions): Promise<void> {
  const { out, resume, json, engine, backend, threads, workers } = options;
  const recipe = name === undefined ? undefined : recipeNamed(name);
  const settings: TrainingSettings = {
    ...recipe?.training,
    ...(options.options !== undefined && (await readOptionsJson(options.options))),
    ...settingsOf({ ...options }),
  };
  const data = await openTrainingData(options);
  // `resumeTraining` loads it again, and warns.
  const saved = resume ? await loadTraining(out, { warn: () => {} }) : undefined;
  const given = await givenModel(options, data, recipe);
  const model = given ?? saved?.model ?? networkFor(data, defaultHidden);
  const trained = checkOptions(trainingOptionsSchema, { ...saved?.options, ...settings }, 'train');
  sayPlan({ recipe, model, data, options: trained });
  if (saved) say(`goes on after step ${grouped(saved.state.step)}`);
  say();

  const running: TrainingSettings & FolderRunOptions = {
    ...settings,
    engine,
    backend,
    threads,
    workers,
    monitor: monitoring(options),
    warn,
  };
  const { last, validation, monitored, seconds } = await showTraining((onProgress, onValidation, onMonitor) =>
    stoppable(options, (signal) =>
      saved
        ? resumeTraining(out, data, { ...running, model, onProgress, onValidation, onMonitor, signal })
        : trainInFolder(out, model, data, { ...running, onProgress, onValidation, onMonitor, signal }),
    ),
  );
  say(last ? trainedText(last, seconds) : 'nothing was left to do');
  const best = validation.findLast((figures) => figures.best);
  if (best) say(`kept the best epoch, ${best.epoch + 1}`);
  say(`saved in ${out}; next: bitspike export ${shellWord(out)} --out network.onnx`);
  if (!json) return;
  const { step = saved?.state.step, reports = {}, examplesPerSecond = null } = last ?? {};
  const judged = validation.length > 0 && { validation };
  const seen = monitored.length > 0 && { monitored };
  sayJson({ run: out, step, reports, examplesPerSecond, seconds, ...judged, ...seen });
}

async function givenModel(
  { model, hidden }: TrainOptions,
  data: TrainingData,
  recipe: Recipe | undefined,
): Promise<Model | undefined> {
  if (model !== undefined) return readModelJson(model);
  if (recipe && hidden) {
    throw new UserError(
      `train: the recipe ${recipe.name} has a network of its own; leave out --hidden, or give another by --model`,
    );
  }
  if (recipe) return recipeModel(recipe, data);
  return hidden && networkFor(data, hidden);
}

function networkFor(data: TrainingData, hidden: readonly number[]): Model {
  if (isRegression(data)) return regressionNetwork(data, hidden);
  if (!isRecordings(data) && (data.steps ?? 1) === 1) return binaryNetwork(data, hidden);
  throw new UserError(
    `train: ${data.name} holds ${isRecordings(data) ? 'events' : 'sequences'}, which --hidden makes no network for; give a recipe such as shd-small, or --model`,
  );
}

interface Plan {
  readonly recipe: Recipe | undefined;
  readonly model: Model;
  readonly data: TrainingData;
  readonly options: TrainingOptions;
}

function sayPlan({ recipe, model, data, options }: Plan): void {
  const { epochs, batchSize, seed, posterior, augment } = options;
  const held = heldOutCount(data.count, options.validation);
  const steps = Math.floor((data.count - held) / batchSize);
  const kind = posterior.family === 'bernoulli' ? 'binary' : 'Gaussian';
  say(
    facts({
      data: dataText(data),
      ...(recipe && { recipe: recipe.name }),
      network: `${layersText(model)}, ${grouped(parameterCounts(model).weights)} ${kind} weights`,
      training: `${epochs} epochs of ${grouped(steps)} steps, ${batchSize} examples each, seed ${seed}`,
      ...(augment.length > 0 && { augmented: augment.map(({ kind }) => kind).join(', ') }),
      ...(held > 0 && { validation: `${grouped(held)} of the examples, held out` }),
    }),
  );
}

/** Lets the user stop the training, and tells how to go on. */
async function stoppable<Result>(
  options: TrainOptions,
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
      `stopped, and saved in ${options.out}; go on with: bitspike train ${resumingArguments(options)}`,
    );
  }
}

/** The folder knows the model and what decides the result; the rest is to be given again. */
const resumingArguments = ({ data, limit, out, engine, backend, threads, workers }: TrainOptions): string => {
  const given = Object.entries({ data, limit, out, engine, backend, threads, workers })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `--${name} ${shellWord(String(value))}`);
  return [...given, '--resume'].join(' ');
};
